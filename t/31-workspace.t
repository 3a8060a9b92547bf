# Workspaces as AnythingLLM's contract says (sections 2.1 and 3.1, endpoints 27 to 31): bodies to the byte, slugs, what
# becomes of every value that a client may send, what it may not change, and what is deleted with a workspace.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};

sub post { return http($exedra, POST => "/v1/workspace/$_[0]", key => $key, json => $_[1]) }
sub get { return http($exedra, GET => "/v1/workspace/$_[0]", key => $key) }
sub update { return post("$_[0]/update", $_[1]) }

# The columns that a workspace has, as text; times as they are shown.
sub row_of {
    return psql($db, "SELECT to_jsonb(w) || jsonb_build_object('changed_at', exedra.iso(changed_at))
        FROM exedra.workspace w WHERE slug = '$_[0]'");
}

subtest 'a new one' => sub {
    my $got = post('new', { name => 'My Docs v1.2!' });
    is $got->{status}, 200, 'is made';
    is $got->{headers}{'content-type'}, 'application/json; charset=utf-8', 'and shown as JSON';
    my $prompt = $got->{json}{workspace}{openAiPrompt};
    like $prompt, qr/\{datetime\}/, 'with the default prompt in it';
    is plain($got->{body}), '{"workspace":{"id":<id>,"name":"My Docs v1.2!","slug":"my-docs-v1-dot-2-bang","vectorTag":null,'
        . '"createdAt":"<iso>","openAiTemp":null,"openAiHistory":20,"lastUpdatedAt":"<iso>","openAiPrompt":' . json_text($prompt)
        . ',"similarityThreshold":0.25,"chatProvider":null,"chatModel":null,"topN":4,"chatMode":"automatic","pfpFilename":null,'
        . '"agentProvider":null,"agentModel":null,"queryRefusalResponse":null,"vectorSearchMode":"default","router_id":null},'
        . '"message":null}', 'to the byte';
    shape_is $got->{json}, { workspace => $shape{workspace}, message => 'null' }, 'with these types';
    is $got->{json}{workspace}{createdAt}, $got->{json}{workspace}{lastUpdatedAt}, 'changed when it was made';

    is plain(post('new', $_)->{body}), '{"workspace":null,"message":"name cannot be null"}', 'no name: ' . json_text($_)
        for {}, { name => undef }, { name => '' };
    is post('new', {})->{status}, 400, 'is 400';
    is http($exedra, POST => '/v1/workspace/new', key => $key)->{status}, 400, 'so is no body';
    for my $name (5, \1, [], {}) {
        $got = post('new', { name => $name });
        is $got->{status}, 422, 'a name that is no text: ' . json_text($name);
        like $got->{json}{message}, qr/\bname\b/, 'is called by its name';
    }
    is length post('new', { name => 'x' x 300 })->{json}{workspace}{name}, 255, 'a long one is cut';
    is length post('new', { name => '界' x 300 })->{json}{workspace}{name}, 255, 'between characters';
    is post('new', { name => "é π 漢 😀" })->{json}{workspace}{name}, "é π 漢 😀", 'every script is kept';
    $got = http($exedra, POST => '/v1/workspace/new', key => $key, headers => { 'Content-Type' => 'text/plain' },
        body => '{"name":"Plain"}');
    is $got->{json}{workspace}{slug}, 'plain', 'JSON as text/plain';
};

# Annex C.1; undef is a fresh uuid.
my @slugs = (
    'My New Workspace' => 'my-new-workspace', 'v1.2 Docs!' => 'v1-dot-2-docs-bang', 'Ünïcode ß Straße' => 'unicode-ss-strasse',
    'a/b\\c' => 'abc', '日本語' => undef, '$100 & 50%' => 'dollar100-and-50percent', 'foo_bar-baz' => 'foo_bar-baz',
    '  spaced   out  ' => 'spaced-out', 'C++' => 'c-plus-plus', 'user@host' => 'user-at-host', q(x:y~z(1)'q'"w"|e) => 'xyz1qwe',
    'a--b' => 'a-b', '--lead' => 'lead', 'Привет мир' => 'privet-mir', '<b>hi</b>' => 'lessbgreaterhilessbgreater',
    'a,b;c?d=e#f' => 'abcdef', 'foo [bar] {baz}' => 'foo-bar-baz', '£5' => 'pound5', '😀 emoji' => 'emoji',
);

subtest 'slugs' => sub {
    while (my ($name, $slug) = splice @slugs, 0, 2) {
        my $got = post('new', { name => $name })->{json}{workspace};
        defined $slug ? is $got->{slug}, $slug, $name : like $got->{slug}, qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/,
            "$name is a uuid";
        is $got->{name}, $name, 'the name stays';
        is get($got->{slug})->{json}{workspace}[0]{id}, $got->{id}, 'and is found by it' if ($slug // '') =~ /^[ax]/;
    }
    is post('new', { name => 'a -- b' })->{json}{workspace}{slug} =~ s/\d{8}$/N/r, 'a-b-N', 'a slug that is taken gets a number';
    my %seen = map { post('new', { name => 'Twice' })->{json}{workspace}{slug} => 1 } 1 .. 5;
    is_deeply [map { s/-\d{8}$/-N/r } sort keys %seen], ['twice', ('twice-N') x 4], 'the same name five times';
    is post('new', { name => 'Named', slug => 'chosen', id => 7 })->{json}{workspace}{slug}, 'named', 'nobody chooses a slug';
    is get('Named')->{body}, '{"workspace":[]}', 'slugs are compared with their case';
};

# What becomes of a value: field, value sent, value shown after it.  The same holds when a workspace is made.
my @coerced = (
    [openAiTemp => 0.7, 0.7], [openAiTemp => '0.7', 0.7], [openAiTemp => 0, 0], [openAiTemp => 1.5, 1.5],
    [openAiTemp => -1, undef], [openAiTemp => 'warm', undef],
    [openAiTemp => '', undef], [openAiTemp => undef, undef],
    [openAiHistory => 5, 5], [openAiHistory => 0, 0], [openAiHistory => -5, 0], [openAiHistory => undef, 20],
    [openAiPrompt => 'Be brief.', 'Be brief.'],
    [similarityThreshold => 0.5, 0.5], [similarityThreshold => 0, 0], [similarityThreshold => 7, 1],
    [similarityThreshold => -1, 0], [similarityThreshold => undef, 0.25],
    [topN => 9, 9], [topN => 0, 1], [topN => -4, 1], [topN => undef, 4],
    [chatMode => 'query', 'query'], [chatMode => 'chat', 'chat'], [chatMode => 'automatic', 'automatic'],
    [chatMode => 'QUERY', 'automatic'], [chatMode => undef, 'automatic'],
    [chatModel => 'some-model', 'some-model'], [chatModel => undef, undef],
    [agentProvider => 'x', 'x'], [agentProvider => 'none', undef], [agentProvider => '', undef], [agentModel => 'y', 'y'],
    [agentModel => 'none', undef], [agentModel => undef, undef],
    [queryRefusalResponse => 'No.', 'No.'], [queryRefusalResponse => undef, undef],
    [vectorSearchMode => 'rerank', 'rerank'], [vectorSearchMode => 'x', 'default'], [vectorSearchMode => undef, 'default'],
    [router_id => 3, 3], [router_id => '', undef], [router_id => 'none', undef], [router_id => undef, undef],
    [lastUpdatedAt => '2020-01-02T03:04:05.678Z', '2020-01-02T03:04:05.678Z'],
    [lastUpdatedAt => '2020-01-02T05:04:05+02:00', '2020-01-02T03:04:05.000Z'],
    [lastUpdatedAt => '2020-01-02', '2020-01-02T00:00:00.000Z'], [lastUpdatedAt => '2020-01-02 03:04:05', '2020-01-02T03:04:05.000Z'],
);
my @refused = ((map { my $field = $_; map { [$field, $_] } [], {},
    \1 } qw(openAiTemp openAiHistory openAiPrompt similarityThreshold chatProvider chatModel topN
    chatMode agentProvider agentModel queryRefusalResponse vectorSearchMode)),
    (map { my $field = $_; map { [$field, $_] } '4', 'x' } qw(openAiHistory
    similarityThreshold topN)), map { [$_, 5] } qw(openAiPrompt chatProvider chatModel chatMode agentProvider agentModel queryRefusalResponse vectorSearchMode name));

subtest 'values' => sub {
    my $made = workspace($exedra, $key, 'Values');
    for my $case (@coerced) {
        my ($field, $sent, $shown) = @$case;
        my $got = update('values', { $field => $sent });
        is_deeply $got->{json}, { workspace => { %$made, $field => $shown }, message => undef }, "$field: " . json_text($sent)
            . ' becomes ' . json_text($shown);
        $made = $got->{json}{workspace};
        is_deeply post('new', { name => 'Made so', $field => $sent })->{json}{workspace}{$field}, $shown, 'in a new one too';
    }
    shape_is $made, $shape{workspace}, 'the shape stays';
    is_deeply get('values')->{json}{workspace}[0]{$_}, $made->{$_}, "$_ is stored" for sort keys %$made;
    is update('values', { openAiPrompt => $_ })->{json}{workspace}{openAiPrompt}, undef, 'a prompt is taken away: ' . json_text($_)
        for '', undef;
    is update('values', { name => $_ })->{json}{workspace}{name}, 'My Workspace', 'a name is taken away: ' . json_text($_) for '', undef;
    for my $date ('yesterday', '', '2020-01-02 ', '2020-13-01', '2020-01-02x') {
        update('values', { lastUpdatedAt => '2020-01-02T03:04:05.000Z' });
        is update('values', { lastUpdatedAt => $date })->{status}, 200, "lastUpdatedAt: '$date'";
        is psql($db, "SELECT now() - changed_at < interval '1 min' FROM exedra.workspace WHERE slug = 'values'"), 't', 'becomes now';
    }
};

subtest 'providers' => sub {
    workspace($exedra, $key, 'Providers', chatModel => 'm', router_id => 4);
    my $try = sub { my $w = update('providers', $_[0])->{json}{workspace}; return join ' ',
        map { $w->{$_} // '-' } qw(chatProvider chatModel router_id) };
    is $try->({ chatProvider => 'other' }), 'other m -', 'another provider takes the router away';
    is $try->({ router_id => 4 }), 'other m 4', 'which can be set again';
    is $try->({ chatProvider => 'none' }), '- m 4', 'none';
    is $try->({ chatProvider => 'other', chatModel => 'n' }), 'other n -', 'a provider and a model';
    is $try->({ chatProvider => 'default' }), '- - -', 'default takes the model away';
    is $try->({ chatProvider => 'anythingllm-router', chatModel => 'n', router_id => 5 }), 'anythingllm-router - 5',
        'the router chooses the model';
    is $try->({ chatProvider => '' }), '- - 5', 'empty';
};

subtest 'what is refused' => sub {
    workspace($exedra, $key, 'Firm');
    my $row = row_of('firm');
    for my $case (@refused) {
        my ($field, $value) = @$case;
        my $what = "$field: " . json_text($value);
        my $got = update('firm', { topN => 9, $field => $value });
        is $got->{status}, 422, $what;
        like $got->{json}{error}, qr/\b$field\b/, 'is called by its name';
        is post('new', { name => 'Not made', $field => $value })->{status}, 422, 'in a new one too';
    }
    is update('firm', { $_ => 1 })->{body}, update('firm', {})->{body}, "$_ is unknown" for 'topn', 'TOPN', 'top_n', '__proto__';
    is row_of('firm'), $row, 'the workspace is as it was';
    is psql($db, "SELECT count(*) FROM exedra.workspace WHERE name = 'Not made'"), 0, 'none was made';
};

subtest 'what cannot be changed' => sub {
    my $made = workspace($exedra, $key, 'Same');
    document($exedra, $key, 'kept', 'A text.', 'same');
    my $row = row_of('same');
    my %fixed = (id => 99999, slug => 'other', createdAt => '2000-01-01T00:00:00.000Z', tenant_id => 2, vectorTag => 'x',
        pfpFilename => 'x',
        threads => [], documents => [], user_id => 1, workspace_id => 1);
    for my $field (sort keys %fixed) {
        my $got = update('same', { $field => $fixed{$field} });
        is "$got->{status} $got->{body}", qq(200 {"workspace":{"id":$made->{id}},"message":"No valid fields to update!"}), $field;
    }
    is row_of('same'), $row, 'nothing has changed';
    my $shown = get('same')->{json}{workspace}[0];
    my $got = update('same', { %$shown, %fixed, topN => 6 });
    is_deeply $got->{json}{workspace}, { %$made, topN => 6 }, 'beside what can: that one alone';
    update('same', { %$shown });
    is row_of('same'), $row, 'a client that sends back what it has read changes nothing';
    is scalar @{ get('same')->{json}{workspace}[0]{documents} }, 1, 'the document is there still';
    is update('same', { name => 'Renamed' })->{json}{workspace}{slug}, 'same', 'a new name leaves the slug';
    is update('same', {})->{json}{message}, 'No valid fields to update!', 'an empty body';
    is http($exedra, POST => '/v1/workspace/same/update', key => $key)->{status}, 200, 'no body';
    my $twin = post('new', { name => 'Twin', %fixed })->{json}{workspace};
    is_deeply [@$twin{qw(slug vectorTag pfpFilename)}, $twin->{id} == 99999], ['twin', undef, undef, !1], 'a new one: the same';
    is psql($db, "SELECT count(DISTINCT tenant_id) FROM exedra.workspace"), 1, 'nothing went to another tenant';
};

subtest 'shown' => sub {
    my $made = workspace($exedra, $key, 'Show');
    my $document = document($exedra, $key, 'Show me', 'A text.', 'show');
    psql($db, "INSERT INTO exedra.thread (tenant_id, workspace_id, slug, name)
        SELECT tenant_id, id, 'talk', 'A \"talk\"' FROM exedra.workspace WHERE slug = 'show'");
    my $got = get('show');
    my $row = json_text($made);
    like $got->{body}, qr/,"threads":\[\{"user_id":null,"slug":"talk"\}\]\}\]\}$/, 'threads, without names';
    shape_is $got->{json}, { workspace => [{ %{ $shape{workspace} }, documents => [$shape{workspace_document}],
        threads => [{ user_id => 'int?', slug => 'string' }] }] }, 'an array of one';
    is_deeply { map { $_ => $got->{json}{workspace}[0]{$_} } keys %$made }, $made, 'the workspace';
    my $link = $got->{json}{workspace}[0]{documents}[0];
    is $link->{docpath}, $document->{location}, 'its document';
    isnt $link->{docId}, $document->{id}, 'with an id of its own';
    my $metadata = json_value($link->{metadata});
    shape_is $metadata, $shape{metadata}, 'metadata is an object in a string';
    is_deeply $metadata, { map { $_ => $document->{$_} } keys %{ $shape{metadata} } }, 'with what the document has';
    is get('show/')->{body}, $got->{body}, 'one slash at the end';
    is get('none')->{body}, '{"workspace":[]}', 'an unknown one: empty';
    is get('none')->{status}, 200, 'and 200';

    my $list = http($exedra, GET => '/v1/workspaces', key => $key);
    shape_is $list->{json}, { workspaces => [{ %{ $shape{workspace} },
        threads => [{ user_id => 'int?', slug => 'string', name => 'string' }] }] }, 'all of them';
    like $list->{body}, qr/"threads":\[\{"user_id":null,"slug":"talk","name":"A \\"talk\\""\}\]/, 'threads, with names';
    my @ids = map { $_->{id} } @{ $list->{json}{workspaces} };
    is_deeply \@ids, [sort { $a <=> $b } @ids], 'by id';
    is scalar @ids, psql($db, 'SELECT count(*) FROM exedra.workspace'), 'none missing';
    is http($exedra, GET => '/v1/workspaces', key => tenant($db, 'empty')->{key})->{body}, '{"workspaces":[]}', 'none at all';

    my $bea = account($acme, 'bea');
    is http($exedra, GET => '/v1/workspaces', key => $bea->{key})->{body}, '{"workspaces":[]}', 'an account sees none';
    exedractl($db, qw(account grant acme bea show));
    is_deeply [map { "$_->{slug} " . @{ $_->{threads} } } @{ http($exedra, GET => '/v1/workspaces',
        key => $bea->{key})->{json}{workspaces} }], ['show 0'],
        'but those it is let into, and no threads of others';
};

subtest 'deleted' => sub {
    my $made = workspace($exedra, $key, 'Doomed');
    my $document = document($exedra, $key, 'survivor', 'A text.', 'doomed');
    chat($exedra, $key, 'doomed', 'A text?');
    psql($db, "INSERT INTO exedra.thread (tenant_id, workspace_id, slug) SELECT tenant_id, id, 'doomed' FROM exedra.workspace WHERE slug = 'doomed'");
    my $delete = sub { my $got = http($exedra, DELETE => "/v1/workspace/$_[0]",
        key => $key); return "$got->{status} $got->{headers}{'content-type'} $got->{body}" };
    is $delete->('doomed'), '200 text/plain; charset=utf-8 OK', 'the text OK';
    is psql($db, "SELECT count(*) FROM exedra.$_ WHERE workspace_id = $made->{id}"), 0, "its ${_}s are gone"
        for qw(chat thread workspace_document);
    is psql($db, "SELECT count(*) FROM exedra.usage WHERE workspace_id = $made->{id}"), 1, 'the ledger knows it still';
    is http($exedra, GET => '/v1/document/' . $document->{location} =~ s{.*/}{}r, key => $key)->{status}, 200, 'its document stays';
    is get('doomed')->{body}, '{"workspace":[]}', 'it is not found';
    is $delete->($_), '400 text/plain; charset=utf-8 Bad Request', "'$_' is not there" for 'doomed', 'none', '%27';
    is update($_, { topN => 5 })->{body}, 'Bad Request', "nor updated: '$_'" for 'doomed', 'none';
    is workspace($exedra, $key, 'Doomed')->{slug}, 'doomed', 'its slug is free again';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
