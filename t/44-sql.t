# Text that means something to SQL, to a template, to a search or to C: in every field it is only text, and comes back byte
# for byte.  Numbers and names that are none are refused or made to fit, never read as something near.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;

need('nginx');

my $house = house();
our ($nginx, $exedra, $db, $key, $slug) = @$house{qw(nginx exedra db key slug)};
my $MiB = 1 << 20;
my $update = "/v1/workspace/$slug/update";

my @texts = (
    "'", "''", "'''", '"', '""', '\\', '\\\\', "\\'", '--', '-- x', '/*', '*/', '/* x */', ';', ';;', '$$',
        '$x$', "E'\\\\'", "'||'", "' OR '1'='1",
    "'; DROP TABLE exedra.workspace; --", "x'; SELECT pg_sleep(10); --", "\\'; SELECT 1; --", "') RETURNING *; --",
        "1); DELETE FROM exedra.chat; --",
    '$1', '$2::text', '$10', ':1', '?', '%s', '%n%n%n%n', '%p%x%d', '%', '%%', '_', '\\%', '\\_', '[a-z]', '(a+)+$', '.*',
        '^', '{}', '{', '}', '{{7*7}}', '${7*7}', '#{1}',
    '<%= 1 %>', '{user.id}', '{{user.name}}', 'NULL', 'null', '\\N', '{NULL}', '{"a","b"}', '{"', ',', '()', '(,)',
        'ARRAY[1]', "\t", "a\tb", "a\nb", "a\r\nb",
    "\x01\x1f\x7f", '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '&amp;', '\\u0041', '\\x41', '\\0', '%00',
        '%27', '../../etc/passwd',
    'C:\\x', 'jndi:ldap://x', 'true', '0', '-1', '1e5', 'Infinity',
        'NaN', "caf\xc3\xa9", "cafe\xcc\x81", "\xf0\x9f\x98\x80", "\xe2\x80\xae", "\xef\xbb\xbf", "\xe2\x80\x8b",
    "\xef\xbc\x87", "\xca\xbc", "\xc2\xa0", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", ' ',
        '  x  ', "'" x 1000, '\\' x 1001, '"' x 999, '{' x 500, '%' x 500,
);

# A short name of a text for the test's line.
sub label {
    my ($text) = @_;
    return (length $text > 24 ? substr($text, 0, 20) . '... of '
        . length $text : $text) =~ s/([^!-~ ])/sprintf '<%02x>', ord $1/ger;
}

# Bytes as a JSON string.
sub quoted {
    my ($bytes) = @_;
    $bytes =~ s/(["\\])/\\$1/g;
    $bytes =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return "\"$bytes\"";
}

sub escaped { return $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

# A value of a reply, as bytes.
sub bytes_of {
    my ($text) = @_;
    return $text if !defined $text || !utf8::is_utf8($text);
    utf8::encode($text);
    return $text;
}

sub post {
    my ($target, $body, %with) = @_;
    return http($nginx, POST => $target, key => $key, body => $body, headers => { 'Content-Type' => 'application/json' }, %with);
}

sub get { return http($nginx, GET => $_[0], key => $key) }

# Past nginx, which has an opinion of its own about dots and slashes.
sub get_straight { return http($exedra, GET => $_[0], key => $key) }

# Do all texts come back?  The sub takes one and returns what came back, or undef and the reply.
sub all_come_back {
    my ($name, $there_and_back, @of) = @_;
    my @wrong;
    for my $text (@of ? @of : @texts) {
        my ($back, $got) = $there_and_back->($text);
        push @wrong, label($text) . ': ' . (defined $back ? label($back) : "$got->{status} "
            . substr $got->{body}, 0, 200) if !defined $back || $back ne $text;
    }
    return ok(!@wrong, $name) || diag(join "\n", @wrong);
}

# ---- every text field ----

subtest 'fields of a workspace' => sub {
    for my $field (qw(name openAiPrompt queryRefusalResponse chatModel agentModel agentProvider)) {
        all_come_back("$field, updated", sub {
            my ($text) = @_;
            my $got = post($update, "{\"$field\":" . quoted($text) . '}');
            return (undef, $got) if $got->{status} != 200;
            my $cut = $field eq 'name' ? substr $text, 0, 255 : $text;
            my ($shown, $read) = map { bytes_of($_->{$field}) } $got->{json}{workspace}, get("/v1/workspace/$slug")->{json}{workspace}[0];
            return $shown eq $read && $shown eq $cut ? $text : "$shown, later $read";
        });
    }
    post($update, '{"name":"Hall","openAiPrompt":null,"queryRefusalResponse":null,"chatModel":null,"agentModel":null,"agentProvider":null}');
    all_come_back('a provider that is none is refused or kept, in words', sub {
        my ($text) = @_;
        my $got = post($update, '{"chatProvider":' . quoted($text) . '}');
        return $got->{status} =~ /^(?:200|4\d\d)$/ && !defined inside_of($got->{status} == 200 ? ''
            : $got->{body} =~ s/\Q$text\E//r) ? $text : (undef, $got);
    });
    check_reply('none again', post($update, '{"chatProvider":null}'), 200);
    $house->calm('fields of a workspace');
};

subtest 'names and their slugs' => sub {
    local $key = $house->{beta}{key};           # so that these names are nothing to acme
    my %seen;
    my @long = ("\xe2\x82\xb8\xe2\x82\xb9\xe2\x82\xbd\xe2\x88\x91\xe2\x88\x9e" x 51,
        '@*!+.' x 51, join('', map { chr 33 + $_ * 7919 % 94 } 0 .. 254));
    for my $name (@texts, '..', '.', '/', 'new', 'select', 'table', 'null',
        '---', "\xf0\x9f\x98\x80" x 3, 'x' x 10_000, "\xc3\xa9" x 10_000, "\xf0\x9f\x98\x80" x 10_000, @long) {
        my $got = post('/v1/workspace/new', '{"name":' . quoted($name) . '}');
        check_reply('a workspace ' . label($name), $got, '200/400/422');
        next if $got->{status} != 200;
        my $made = $got->{json}{workspace};
        like $made->{slug}, qr/^[a-z0-9_\$*+~.()'"!:@-]+$/i, '… has a slug for paths' if !($seen{$made->{slug}}++
            && fail "… its slug $made->{slug} was taken");
        is get('/v1/workspace/' . escaped($made->{slug}))->{json}{workspace}[0]{id}, $made->{id}, '… that leads to it';
    }
    for my $name ('Twice', 'TWICE', 'twice', ' twice ', "tw\xc3\xadce") {
        my $made = post('/v1/workspace/new', '{"name":' . quoted($name) . '}')->{json}{workspace};
        ok !$seen{$made->{slug}}++, "$made->{slug} is its own";
    }
    my $got = post('/v1/workspace/new', '{"name":' . quoted("\xf0\x9f\x98\x80" x 10_000) . '}');
    is length($got->{json}{workspace}{name}), 255, 'a name of 10,000 characters is cut at 255';
    $house->calm('names');
};

subtest 'documents' => sub {
    for my $field (qw(docAuthor description docSource chunkSource)) {
        all_come_back($field, sub {
            my ($text) = @_;
            my $got = post('/v1/document/raw-text', '{"textContent":"x","metadata":{"title":"t",' . quoted($field) . ':'
                . quoted($text) . '}}');
            return (undef, $got) if $got->{status} != 200;
            my $document = $got->{json}{documents}[0];
            my $read = get('/v1/document/' . ($document->{location} =~ s{.*/}{}r))->{json}{document};
            return bytes_of($document->{$field}) eq bytes_of($read->{$field}) ? bytes_of($read->{$field}) : 'another';
        });
    }
    my %id;
    all_come_back('textContent', sub {
        my ($text) = @_;
        my $got = post('/v1/document/raw-text', '{"textContent":' . quoted($text) . ',"metadata":{"title":"t"}}');
        return (undef, $got) if $got->{status} != 200;
        my $document = $got->{json}{documents}[0];
        $id{$text} = $document->{id};
        return bytes_of($document->{pageContent});
    });
    my %stored = split /[\t\n]/, psql($db, "SELECT d.uuid, encode(convert_to(string_agg(x.text, '' ORDER BY x.no), 'UTF8'), 'hex')
        FROM exedra.document d JOIN exedra.document_text x ON x.version_id = d.version_id GROUP BY d.uuid");
    all_come_back('and is stored', sub { return pack 'H*', $stored{$id{$_[0]} // ''} // '' });
    my %names;
    all_come_back('title: the file name is safe and finds the document', sub {
        my ($text) = @_;
        my $got = post('/v1/document/raw-text', '{"textContent":"x","metadata":{"title":' . quoted($text) . '}}');
        return (undef, $got) if $got->{status} != 200;
        my $name = bytes_of($got->{json}{documents}[0]{location}) =~ s{^custom-documents/}{}r;
        return "the name $name" if $names{$name}++ || length $name > 255 || $name =~ m{[/\\<>:"|?*\x00-\x1f\x80-\xff]}
            || $name !~ /^raw-.*\.json$/;
        return bytes_of(get('/v1/document/' . escaped($name))->{json}{document}{name}) eq $name ? $text : 'not found';
    }, @texts, 'x' x 10_000, '.' x 300, "\xf0\x9f\x98\x80", '..', '.json', 'a.b.c.d');
    all_come_back('url', sub {
        my ($text) = @_;
        my $got = post('/v1/document/raw-text', '{"textContent":"x","metadata":{"title":"t","url":' . quoted("http://$text")
            . '}}');
        return (undef, $got) if $got->{status} != 200;
        return bytes_of($got->{json}{documents}[0]{url}) eq 'web://http://' . ($text =~ tr/A-Z/a-z/r)
            . '.website' ? $text : bytes_of($got->{json}{documents}[0]{url});
    });
    my $count = psql($db, 'SELECT count(*) FROM exedra.workspace_document');
    for my $text (@texts) {
        check_reply('into the workspaces ' . label($text), post('/v1/document/raw-text',
            '{"textContent":"x","metadata":{"title":"t"},"addToWorkspaces":'
            . quoted("$text,none,$text") . '}'), 200);
        for my $field (qw(adds deletes)) {
            check_reply("$field " . label($text), post("/v1/workspace/$slug/update-embeddings",
                "{\"$field\":[" . quoted($text) . ',' . quoted("custom-documents/$text") . ']}'), 200);
        }
    }
    is psql($db, 'SELECT count(*) FROM exedra.workspace_document'), $count, 'none of them named a workspace or a document';
    $house->calm('documents');
};

subtest 'questions and sessions' => sub {
    all_come_back('message and sessionId', sub {
        my ($text) = @_;
        my $got = post("/v1/workspace/$slug/chat", '{"message":' . quoted($text) . ',"sessionId":' . quoted($text) . '}');
        return (undef, $got) if $got->{status} != 200;
        my $read = get("/v1/workspace/$slug/chats?apiSessionId=" . escaped($text));
        return (undef, $read) if $read->{status} != 200;
        my @history = @{ $read->{json}{history} };
        return @history == 2 ? bytes_of($history[0]{content}) : scalar(@history) . ' items';
    }, grep { length $_ <= 1024 } @texts);
    all_come_back('a mode is refused by its name', sub {
        my ($text) = @_;
        my $got = post("/v1/workspace/$slug/chat", '{"message":"x","mode":' . quoted($text) . '}');
        return $got->{status} == 400 && $got->{json}{error} =~ /is not a valid mode/ ? $text : (undef, $got);
    });
    for my $target ('chat', 'stream-chat') {
        all_come_back("a workspace of that name, $target", sub {
            my ($text) = @_;
            my $got = http($exedra, POST => '/v1/workspace/' . escaped($text)
                . "/$target", key => $key, json => { message => 'x' });
            return $got->{status} == 400 && bytes_of($got->{json}{error}) =~ /^Workspace (.*) is not a valid workspace\.$/s
                ? $1 : (undef, $got);
        }, grep { !/[\x00]/ } @texts);
    }
    all_come_back('a model of that name', sub {
        my ($text) = @_;
        my $got = post('/v1/chat/completions', '{"model":' . quoted($text) . ',"messages":[{"role":"user","content":"x"}]}');
        return $got->{status} == 404 && bytes_of($got->{json}{error}{message}) =~ /^The model '(.*)' does not exist$/s ? $1
            : (undef, $got);
    });
    all_come_back('and a question to one', sub {
        my ($text) = @_;
        my $got = post('/v1/chat/completions', "{\"model\":\"$slug\",\"messages\":[{\"role\":\"system\",\"content\":"
            . quoted($text) . '},{"role":"user","content":'
            . quoted($text) . '}],"user":' . quoted($text) . '}');
        return (undef, $got) if $got->{status} != 200;
        my $newest = get("/v1/workspace/$slug/chats?limit=1&orderBy=desc");
        return bytes_of($newest->{json}{history}[0]{content});
    });
    $house->calm('questions');
};

subtest 'threads' => sub {
    all_come_back('name', sub {
        my ($text) = @_;
        my $got = post("/v1/workspace/$slug/thread/new", '{"name":' . quoted($text) . '}');
        return (undef, $got) if $got->{status} != 200;
        my $renamed = post("/v1/workspace/$slug/thread/$got->{json}{thread}{slug}/update", '{"name":' . quoted("$text$text") . '}');
        return bytes_of($renamed->{json}{thread}{name}) eq "$text$text" ? bytes_of($got->{json}{thread}{name}) : (undef, $renamed);
    }, grep { length $_ <= 512 } @texts);
    my %seen;
    for my $text (@texts) {
        my $got = post("/v1/workspace/$slug/thread/new", '{"slug":' . quoted($text) . '}');
        check_reply('the slug ' . label($text), $got, '200/422');
        next if !$got->{json}{thread};
        my $made = $got->{json}{thread}{slug};
        like get("/v1/workspace/$slug/thread/" . escaped(bytes_of($made))
            . '/chats')->{body}, qr/^\{"history":\[\]\}$/, '… leads to its thread' if $made !~ m{^\.\.?$};
    }
    for (['name', 'x' x 10_000], ['slug', 'x' x 10_000], ['slug', join '', map { chr 97 + $_ * 7919 % 26 } 0 .. 5000],
    ['name', "\xf0\x9f\x98\x80" x 10_000]) {
        check_reply("a thread's $_->[0] of " . length($_->[1]), post("/v1/workspace/$slug/thread/new",
            "{\"$_->[0]\":" . quoted($_->[1]) . '}'), '200/422');
    }
    $house->calm('threads');
};

subtest 'names in paths and queries' => sub {
    my $none = get_straight('/v1/document/none');
    for my $text (@texts) {
        next if $text =~ m{^\.\.?$};
        my $name = label($text);
        is get_straight('/v1/workspace/' . escaped($text))->{body}, '{"workspace":[]}', "a workspace $name";
        is get_straight('/v1/document/' . escaped($text))->{body}, $none->{body}, '… a document';
        check_reply('… a history', get_straight('/v1/workspace/' . escaped($text) . '/chats'), 400, text => 1);
        check_reply('… to delete', http($exedra, DELETE => '/v1/workspace/' . escaped($text), key => $key), 400, text => 1);
        my $folder = get_straight('/v1/documents?folder=' . escaped($text));
        is bytes_of($folder->{json}{folder}), $text, '… a folder, that comes back' if check_reply('… a folder', $folder, 404, echo => 1);
        is get_straight("/v1/workspace/$slug/chats?apiSessionId=" . escaped("none$text"))->{body}, '{"history":[]}', '… a session';
    }
    is psql($db, "SELECT count(*) FROM exedra.workspace WHERE slug = 'hall'"), 1, 'all is still there';
    $house->calm('names');
};

# ---- searching ----

subtest 'full text' => sub {
    document($exedra, $key, 'words', "The quick brown fox: jumps & leaps | over (lazy) dogs! It's 100% <-> sure.", $slug);
    my @queries = ("'", "''", ':*', 'fox:*', '!', '!fox', '&', '&&', '|', 'a<->b', '<->', '<2>', '( fox', 'fox )',
        '()', "fox & 'dog", "'fox'", '\\', 'fox\\', '"fox', 'fox"', '-fox',
        '*', '%', 'fox%', "it's", 'a:b', 'a:A', ':', '::',
            'fox::text', "\x01", "\xf0\x9f\x98\x80", "\xe6\xbc\xa2\xe5\xad\x97", "\xef\xbb\xbf", 'x@y.z',
                'http://a.b/c?d=e&f', '1e5', '-1', '.', '/', '  ',
        'fox ' x 5000, 'a' x 20_000, "'" x 20_000, '& ' x 10_000, join(' ', map { "w$_" } 1 .. 3000), '(' x 20_000, '!' x 20_000);
    my $n = 0;
    for my $query (@queries) {
        for my $mode (qw(query chat)) {
            my $got = $house->within_cpu(0.4, "$mode: " . label($query), sub {
                post("/v1/workspace/$slug/chat", '{"message":' . quoted($query) . ",\"mode\":\"$mode\",\"sessionId\":\"s\"}") });
            check_reply('… is answered', $got, 200);
        }
    }
    check_reply('a fox is found', post("/v1/workspace/$slug/chat",
        '{"message":"Where is the fox?","mode":"query"}'), 200, like => qr/quick brown fox/);
    for (['1 MiB of one word', 'x' x $MiB], ['1 MiB of words', 'fox & dog | ' x ($MiB / 12)],
    ['10 MiB', 'fox ' x (10 * $MiB / 4)], ['10 MiB of quotes', "'" x (10 * $MiB)]) {
        my ($name, $query) = @$_;
        my $got = $house->within_cpu(2, $name, sub { post("/v1/workspace/$slug/chat", '{"message":' . quoted($query) . '}') });
        check_reply("a question of $name", $got, '400/413/422');
    }
    $house->calm('searches');
};

# ---- NUL ----

subtest 'NUL by every way in' => sub {
    unchanged $db, 'NUL' => sub {
        check_reply("escaped in $_->[0]", post($_->[1], $_->[2]), '400/422') for
            ['a name', '/v1/workspace/new', '{"name":"a\u0000b"}'], ['a prompt', $update, '{"openAiPrompt":"\u0000"}'],
            ['a question', "/v1/workspace/$slug/chat", '{"message":"a\u0000b"}'],
            ['a session', "/v1/workspace/$slug/chat", '{"message":"a","sessionId":"\u0000"}'],
            ['a title', '/v1/document/raw-text', '{"textContent":"x","metadata":{"title":"a\u0000b"}}'],
            ['a text', '/v1/document/raw-text', '{"textContent":"a\u0000b","metadata":{"title":"a"}}'],
            ['a list', "/v1/workspace/$slug/update-embeddings", '{"adds":["a\u0000b"]}'],
            ['JSON in a string', '/v1/document/raw-text', '{"textContent":"x","metadata":"{\"title\":\"a\\\\u0000b\"}"}'],
            ['a thread', "/v1/workspace/$slug/thread/new", '{"name":"a\u0000b"}'],
            ['a model', '/v1/chat/completions', '{"model":"hall\u0000x","messages":[{"role":"user","content":"x"}]}'],
            ['content', '/v1/chat/completions', '{"model":"hall","messages":[{"role":"user","content":"\u0000"}]}'];
        check_reply("raw in a body", post('/v1/workspace/new', "{\"name\":\"a\0b\"}"), 400);
        check_reply("in the path $_", get($_), '400/front') for '/v1/workspace/%00', '/v1/workspace/hall%00',
            '/v1/document/a%00b', "/v1/workspace/hall%00/chats", '/v1/models/hall%00';
        check_reply('in a thread of a path', get("/v1/workspace/$slug/thread/%00/chats"), '400/front');
    };
    post("/v1/workspace/$slug/chat", '{"message":"said in the hall"}');
    for my $bad ('%00', 'a%00b', '%00b', '%ff', '%c0%80', '%ed%a0%80', '%', '%zz') {
        my $got = get("/v1/workspace/$slug/chats?apiSessionId=$bad");
        check_reply("the session $bad", $got, '400/422');
        unlike $got->{body}, qr/said in the hall/, '… is not the main conversation';
        check_reply("the folder $bad", get("/v1/documents?folder=$bad"), '400/404/422');
        check_reply("the limit $bad", get("/v1/workspace/$slug/chats?limit=$bad"), '200/400/422');
    }
    $house->calm('NUL');
};

# ---- numbers and lists in queries ----

subtest 'pages' => sub {
    my $two = $house->{beta}{key};
    document($exedra, $two, "page $_", 'text') for 1 .. 3;
    my $page = sub { http($nginx, GET => "/v1/documents?folder=custom-documents&$_[0]", key => $two) };
    for (
        # query, statuses, how many of the three when 200
        ['limit=1', 200, 1], ['limit=2', 200, 2], ['limit=all', 200, 3], ['limit=1000', 200, 3], ['limit=1001', 200, 3],
        ['limit=1e9', '200/400', 3],
        ['limit=0', '200/400', 3], ['limit=-1', '200/400', 3], ['limit=2147483648', 200, 3],
        ['limit=9223372036854775807', 200, 3], ['limit=18446744073709551617', 200, 3],
        ['limit=' . '9' x 1000, 200, 3], ['limit=abc', '200/400', 3], ['limit=1.5', '200/400', 3], ['limit=', '200/400', 3],
        ['limit', '200/400', 3], ['limit=1;DROP', '200/400', 3],
        ['limit=0x1', '200/400', 3], ['limit=%201', '200/400', 3], ['limit=1%20', '200/400', 3], ['limit=+1', '200/400', 3],
        ['limit=%2B1', '200/400', 3], ['limit=%D9%A1', '200/400', 3],
        ['limit=NaN', '200/400', 3], ['limit=null', '200/400', 3], ['limit=ALL', '200/400', 3], ['limit[]=1', '200/400', 3],
        ['limit=1&limit=2', '200/400/422', undef],
        ['offset=1', 200, 2], ['offset=3', 200, 0], ['offset=-1', '200/400', 3], ['offset=9223372036854775807', '200/400', 0],
        ['offset=18446744073709551615', '200/400', 0],
        ['offset=4294967295&limit=4294967295', '200/400', 0], ['offset=9223372036854775807&limit=all', '200/400', 0],
        ['offset=9223372036854775807&limit=1000', '200/400', 0],
        ['offset=abc', '200/400', 3], ['offset=1.5', '200/400', 3], ['offset=', '200/400', 3], ['offset=2&limit=2', 200, 1],
        ['offset[]=1', '200/400', 3], ['%6f%66fset=3', '200', undef],
    ) {
        my ($query, $status, $n) = @$_;
        my $got = $page->($query);
        my $name = label($query);
        check_reply($name, $got, $status);
        next if $got->{status} != 200;
        is scalar @{ $got->{json}{documents} }, $n, '… so many' if defined $n;
        is $got->{json}{totalCount}, 3, '… of three';
        my ($offset) = $query =~ /offset=(\d{1,3})\b(?!\.)/;
        is !!$got->{json}{hasMore}, !!(($offset // 0) + @{ $got->{json}{documents} } < 3
            && $query !~ /offset=\d{9}/), '… and whether there are more' if defined $n;
    }
    post("/v1/workspace/$slug/chat", '{"message":"one","sessionId":"pages"}');
    post("/v1/workspace/$slug/chat", '{"message":"two","sessionId":"pages"}');
    for (
        # query, first word, how many
        ['', 'one', 4], ['limit=1', 'one', 2], ['limit=1&orderBy=desc', 'two', 2], ['orderBy=desc', 'two', 4],
        ['orderBy=asc', 'one', 4], ['orderBy=constructor', 'one', 4],
        ['orderBy=asc;', 'one', 4], ['orderBy[]=desc', 'one', 4], ['orderBy=DESC', 'one', 4], ['orderBy=desc%20--', 'one', 4],
        ['order=desc', 'one', 4], ['orderBy=id', 'one', 4],
        ['limit=0', 'one', undef], ['limit=-5', 'one', undef], ['limit=abc', undef, 0], ['limit=1e1', undef, undef],
        ['limit=1.5', undef, undef], ['limit=' . '9' x 100, 'one', 4],
        ['limit=-' . '9' x 100, undef, undef], ['limit=', 'one', 4], ['limit=0x1', undef, undef], ['limit=1%00', undef, undef],
        ['limit=NaN', undef, 0],
    ) {
        my ($query, $first, $n) = @$_;
        my $got = get("/v1/workspace/$slug/chats?apiSessionId=pages&$query");
        check_reply('a history with ' . label($query), $got, '200/400/422');
        next if $got->{status} != 200;
        my @history = @{ $got->{json}{history} };
        is scalar @history, $n, '… so long' if defined $n;
        is $history[0]{content}, $first, '… from the right end' if defined $first && @history;
    }
    $house->calm('pages');
};

subtest 'values of a completion' => sub {
    my $model = start_model();
    my $asked = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'a-model' });
    my @messages = ('"messages":[{"role":"user","content":"x"}]');
    unchanged $db, 'values that are none' => sub {
        for (
            (map { "\"temperature\":$_" } qw(-1 3 1e308 -0.1 2.1 "hot" "1" true [] {})), (map { "\"top_p\":$_" } qw(2 -1 "1" 1e308)),
            (map { "\"n\":$_" } qw(0 2 129 -1 1.5 "1" true)),
            (map { "\"max_tokens\":$_" } qw(0 -1 2147483648 9223372036854775807 9223372036854775808 18446744073686646784 1e308 1.5 "5" true [])),
            (map { "\"max_completion_tokens\":$_" } qw(0 -1 9223372036854775807 "5")), (map { "\"presence_penalty\":$_" } qw(3 -3 "1")),
            (map { "\"stream\":$_" } qw("true" 1 0 [] {})), (map { "\"stream_options\":$_" } qw(1 "x" [] {"include_usage":"true"})),
            (map { "\"tools\":$_" } qw(1 "x" {"a":1} true)), (map { "\"stop\":$_" } qw(1 true)), (map { "\"seed\":$_" } qw("1" 1.5 true)),
            (map { "\"logit_bias\":$_" } qw(1 "x" true)), (map { "\"response_format\":$_" } qw(1 "x" true)),
                '"logprobs":true', '"logprobs":"true"',
        ) {
            check_reply($_, http($asked, POST => '/v1/chat/completions', key => $key,
                body => "{\"model\":\"hall\",$messages[0],$_}"), '400/422');
        }
        for (
            '', '"messages":null', '"messages":[]', '"messages":{}', '"messages":"x"', '"messages":[1]', '"messages":["x"]',
                '"messages":[null]', '"messages":[[]]', '"messages":[{}]',
            (map { "\"messages\":[{\"role\":$_,\"content\":\"x\"}]" } '"root"', '"User"', '""', 'null', '5', '[]', '"user "'),
            (map { "\"messages\":[{\"role\":\"user\",\"content\":$_}]" } 'null', '5', 'true', '{}', '[5]', '["x"]', '[[]]', '[null]',
                '[{}]', '[{"type":5}]', '[{"type":"text","text":5}]'),
            (map { "\"messages\":[{\"role\":\"$_\"}]" } qw(user system developer)),
            '"messages":[{"role":"tool","content":"x"}]', '"messages":[{"role":"tool","tool_call_id":"c","content":"x"}]',
            '"messages":[' . join(',', ('{"role":"user","content":"x"}') x 5000) . ']',
        ) {
            check_reply(label($_), http($asked, POST => '/v1/chat/completions', key => $key, body => '{"model":"hall"'
                . ($_ ? ",$_" : '') . '}'), '400/422');
        }
        check_reply("the model $_", http($asked, POST => '/v1/chat/completions', key => $key,
            body => "{\"model\":$_,$messages[0]}"), '400/404/422')
            for 'null', '""', '5', 'true', '[]', '{}', '["hall"]', '"none"', '"http://127.0.0.1/x"', '"openai/../../x"', '"HALL"';
    };
    is scalar(grep { $_->{target} =~ /completions/ } $model->requests), 0, 'the model was never asked';
    check_reply('a good question', http($asked, POST => '/v1/chat/completions', key => $key,
        body => "{\"model\":\"hall\",$messages[0]}"), 200, like => qr/Hello there/);
    check_reply('where to ask is not the question\'s business', http($asked, POST => '/v1/chat/completions', key => $key,
        body => "{\"model\":\"hall\",$messages[0],\"api_base\":\"http://evil.test\",\"base_url\":\"http://evil.test\",\"api_key\":\"sk-evil\",\"extra_body\":{\"api_base\":\"http://evil.test\"},"
            . '"fallbacks":["evil"]}'), 200, like => qr/Hello there/);
    unlike join(' ', map { $_->{body} } $model->requests), qr/evil/, 'and goes nowhere';
    ok $asked->stop, 'ends well';
};

# ---- large values ----

subtest 'large values' => sub {
    my $before = $exedra->pss_total_kb;
    check_reply('a name of 7 MiB is cut', post('/v1/workspace/new', '{"name":"' . 'n' x (7 * $MiB) . '"}'), 200);
    check_reply('a prompt of 10 MiB', post($update, '{"openAiPrompt":"' . 'p' x (10 * $MiB) . '"}'), '413/422');
    check_reply('a text of 64 MiB in a name', post('/v1/workspace/new', '{"name":"' . 'n' x (64 * $MiB) . '"}'), '413/422');
    check_reply('a prompt of 7 MiB', post($update, '{"openAiPrompt":"' . 'p' x (7 * $MiB) . '"}'), '200/422');
    check_reply('and a question then', post("/v1/workspace/$slug/chat", '{"message":"x"}'), '200/400');
    check_reply('without it', post($update, '{"openAiPrompt":null}'), 200);
    check_reply('a sessionId of 7 MiB', post("/v1/workspace/$slug/chat",
        '{"message":"x","sessionId":"' . 's' x (7 * $MiB) . '"}'), 422);
    check_reply('an author of 7 MiB', post('/v1/document/raw-text',
        '{"textContent":"x","metadata":{"title":"t","docAuthor":"' . 'a' x (7 * $MiB) . '"}}'), '200/422');
    check_reply('a title of 7 MiB', post('/v1/document/raw-text',
        '{"textContent":"x","metadata":{"title":"' . 't' x (7 * $MiB) . '"}}'), '200/422');
    # what a body took is given back once the answer has been sent
    my $grown;
    eval { wait_for { ($grown = $exedra->pss_total_kb - $before) < allow_for(32 * 1024) } 5, 'memory' };
    cmp_ok $grown, '<', allow_for(32 * 1024), "the workers have grown by $grown kB";
    check_reply('a word of 5 MiB', post('/v1/document/raw-text',
        '{"textContent":"' . 'w' x (5 * $MiB) . "\",\"metadata\":{\"title\":\"t\"},\"addToWorkspaces\":\"$slug\"}"), '200/422');
    check_reply('100,000 workspaces to add to', post('/v1/document/raw-text',
        '{"textContent":"x","metadata":{"title":"t"},"addToWorkspaces":"' . 'w,' x 100_000 . '"}'), '200/422');
    check_reply('100,000 documents to add', post("/v1/workspace/$slug/update-embeddings",
        '{"adds":[' . join(',', map { "\"custom-documents/$_\"" } 1 .. 100_000) . ']}'), '200/400/422');
    eval { wait_for { ($grown = $exedra->pss_total_kb - $before) < allow_for(32 * 1024) } 5, 'memory' };
    cmp_ok $grown, '<', allow_for(32 * 1024), "after long lists by $grown kB";
    $house->calm('large values');
};

$house->close;
done_testing;
