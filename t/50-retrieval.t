# Passages by their words: exactly what BM25 says, in its order and with its scores, whatever the language, however the words are
# stored (each text's own, merged, with parts that are gone), and never out of another workspace's or tenant's documents.  And what
# is asked of a search: numbers that are none, questions that are too long, documents that are pinned.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Contract;

my $db = database();
my $exedra = start_exedra(db => $db, settings => { 'chunk.size' => 100, 'chunk.overlap' => 0 });
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $n = 0;
srand 50;

# ---- what a search answers ----

sub ask { my ($slug, $body, %with) = @_; return http($with{server} // $exedra, POST => "/v1/workspace/$slug/vector-search", key => $with{key} // $key, json => $body) }

# The passages' own texts, without the header; with their scores.
sub found { return [map { [$_->{text} =~ s/\A.*<\/document_metadata>\n\n//sr, $_->{score}] } @{ ask(@_)->{json}{results} }] }
sub texts { return [map { $_->[0] } @{ found(@_) }] }

sub store { my ($slug, $title, $text, %with) = @_; return document($exedra, $with{key} // $key, $title, $text, $slug) }
sub room { my ($name, %with) = @_; return workspace($exedra, $with{key} // $key, $name)->{slug} }
sub language { my ($language, $tenant) = @_; psql($db, "INSERT INTO exedra.setting SELECT id, 'language', '$language' FROM exedra.tenant WHERE name = '"
    . ($tenant // 'acme') . "' ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value") }

# A number of words that is made up, of a small vocabulary: some of them everywhere, most of them rare.
my @vocabulary = map { join '', map { (qw(b d f g k l m n p r s t v z))[rand 14] . (qw(a e i o u))[rand 5] } 1 .. 2 + $_ % 2 } 1 .. 150;
sub words { my ($count) = @_; return join ' ', map { $vocabulary[150 * rand() ** 3] } 1 .. $count }

# ---- what BM25 says ----

# The words of texts as PostgreSQL has them: [{ lexeme => times }].
sub lexemes {
    my ($language, @texts) = @_;
    my @counts = map { {} } @texts;
    my $values = join ',', map { my $text = $texts[$_]; $text =~ s/'/''/g; "($_, '$text')" } 0 .. $#texts;
    for (split /\n/, psql($db, "SELECT v.i, u.lexeme, cardinality(u.positions) FROM (VALUES $values) v (i, t), unnest(to_tsvector('$language', v.t)) u")) {
        my ($i, $lexeme, $times) = split /\t/;
        $counts[$i]{$lexeme} = $times;
    }
    return @counts;
}

# All passages of a workspace as BM25 has them, best first: k1 1.2, b 0.75, of the passages beside one half counts too.
sub expected {
    my ($language, $slug, $question) = @_;
    my @rows = map { [split /\t/] } split /\n/, psql($db, "SELECT d.version_id, k.no, min(d.title), encode(convert_to(k.text, 'UTF8'), 'hex')
        FROM exedra.workspace w JOIN exedra.workspace_document l ON l.workspace_id = w.id JOIN exedra.document d ON d.id = l.document_id
        JOIN exedra.chunk k ON k.version_id = d.version_id WHERE w.slug = '$slug' GROUP BY d.version_id, k.no, k.text ORDER BY 1, 2");
    my @texts = map { my $text = pack 'H*', $_->[3]; utf8::decode($text); $text } @rows;
    my @own = lexemes($language, map { ($rows[$_][1] == 0 ? "$rows[$_][2]\n" : '') . $texts[$_] } 0 .. $#texts);
    my @near;
    for my $i (0 .. $#rows) {
        my %near = %{ $own[$i] };
        for my $j (grep { $_ >= 0 && $_ < @rows && $rows[$_][0] == $rows[$i][0] } $i - 1, $i + 1) { $near{$_} += $own[$j]{$_} / 2 for keys %{ $own[$j] } }
        push @near, \%near;
    }
    my @lengths = map { my $sum = 0; $sum += $_ for values %$_; $sum } @near;
    my $mean = eval { my $sum = 0; $sum += $_ for @lengths; $sum / @lengths };
    my @scores = (0) x @rows;
    my %has;
    for my $lexeme (keys %{ (lexemes($language, $question))[0] }) {
        my @have = grep { $own[$_]{$lexeme} } 0 .. $#own or next;
        next if $language eq 'simple' && @rows >= 20 && @have > @rows / 2;
        $has{$_} = 1 for @have;
        my $idf = log(1 + (@rows - @have + 0.5) / (@have + 0.5));
        for my $i (0 .. $#rows) {
            my $times = $near[$i]{$lexeme} or next;
            $scores[$i] += $idf * $times * 2.2 / ($times + 1.2 * (0.25 + 0.75 * $lengths[$i] / $mean));
        }
    }
    return [map { [$texts[$_], $scores[$_] / ($scores[$_] + 8)] } sort { $scores[$b] <=> $scores[$a] || $a <=> $b } grep { $has{$_} } 0 .. $#rows];
}

sub is_ranked {
    my ($language, $slug, $question, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @wanted = @{ expected($language, $slug, $question) };
    my @got = @{ found($slug, { query => $question, topN => 10, scoreThreshold => 0 }) };
    @wanted = @wanted[0 .. 9] if @wanted > 10;
    my @wrong = grep { !$got[$_] || abs($got[$_][1] - $wanted[$_][1]) > 1e-6
        # floats of nearly the same size may stand either way
        || ($got[$_][0] ne $wanted[$_][0] && !grep { my $w = $_; $w->[0] eq $got[$_][0] && abs($w->[1] - $got[$_][1]) < 1e-6 } @wanted) } 0 .. $#wanted;
    return ok @got == @wanted && !@wrong, "$name: " . @got . ' passages'
        || diag json_text({ got => \@got, wanted => \@wanted, wrong => \@wrong });
}

# ---- the tests ----

subtest 'one after the other, as BM25 has it' => sub {
    for my $language (qw(simple english)) {
        language($language);
        my $slug = room("Ranked $language");
        store($slug, "short $_", words(3 + $_)) for 1 .. 12;
        store($slug, 'long', join "\n\n", map { words(12) . '.' } 1 .. 40);
        my $passages = psql($db, "SELECT sum(n_chunks) FROM exedra.document_version WHERE language = '$language'");
        cmp_ok $passages, '>', 40, "$language: $passages passages";
        is_ranked($language, $slug, $_, "$language: '$_'") for map { words($_) } 1, 2, 3, 10, 30;
        is_ranked($language, $slug, 'short', "$language: a title's word");
        is_ranked($language, $slug, "$vocabulary[120] nowhere nowhere $vocabulary[120]", "$language: a word twice, and one that is nowhere");
    }
    is_deeply found('ranked-english', { query => 'the and of which' }), [], 'stop words of English find nothing';
    is_deeply ask('ranked-english', { query => 'nowhere' })->{json}, { results => [] }, 'nor does a word that is nowhere';
};

subtest 'however the words are stored' => sub {
    language('simple');
    my $shop = tenant($db, 'shop');
    my %as = (key => $shop->{key});
    language('simple', 'shop');
    my $slug = room('Shop', %as);
    my $here = "JOIN exedra.tenant t ON t.id = s.tenant_id AND t.name = 'shop'";
    my $search = sub { return json_text(found($slug, { query => $_[0], topN => 20 }, %as)) };
    my @documents = map { store($slug, "item $_", words(8 + $_ % 5), %as) } 1 .. 30;
    push @documents, store($slug, 'book', join("\n\n", map { words(12) . '.' } 1 .. 25), %as);
    my @questions = map { words(4) } 1 .. 8;
    is psql($db, "SELECT count(*) FROM exedra.segment s $here"), 31, 'each text has a segment of its own';
    my @before = map { $search->($_) } @questions;
    is_deeply [grep { /^\[\]$/ } @before], [], 'all questions find something';

    store(room('Elsewhere', %as), "more $_", words(9), %as) for 1 .. 8;
    wait_for { psql($db, "SELECT count(*) FROM exedra.segment s $here") < 20 && psql($db, 'SELECT count(*) FROM exedra.job') == 0 } 30, 'small segments to be merged';
    is_deeply [map { $search->($_) } @questions], \@before, 'merged, with those of another workspace: the same answers';
    is psql($db, "SELECT count(*) FROM exedra.segment_part s $here"), 39, 'every text has its part';

    my @gone = @documents[0 .. 24];
    my $got = http($exedra, DELETE => '/v1/system/remove-documents', key => $shop->{key}, json => { names => [map { $_->{location} } @gone] });
    is $got->{status}, 200, 'most documents are deleted';
    wait_for { psql($db, "SELECT coalesce(max(s.n_chunks - p.n), 0) <= max(s.n_chunks) / 2 AND count(*) = (SELECT count(*) FROM exedra.segment s $here) FROM exedra.segment s $here,
        LATERAL (SELECT sum(octet_length(p.lengths) / 2) AS n FROM exedra.segment_part p WHERE p.segment_id = s.id) p") eq 't'
        && psql($db, 'SELECT count(*) FROM exedra.job') == 0 } 30, 'what is gone to be thrown out';
    is_ranked('simple', $slug, $_, 'what is left') for @questions[0 .. 0];
    my $left = psql($db, "SELECT count(*), (SELECT sum(octet_length(p.lengths) / 2) FROM exedra.segment_part p) = (SELECT count(*) FROM exedra.chunk) FROM exedra.chunk");
    like $left, qr/\tt$/, 'each passage that is left has its words in one place';
    is psql($db, 'SELECT count(*) FROM exedra.segment s WHERE NOT EXISTS (SELECT FROM exedra.segment_part p WHERE p.segment_id = s.id)'), 0, 'no segment is without passages';
    is psql($db, 'SELECT count(*) FROM exedra.word w WHERE NOT EXISTS (SELECT FROM exedra.segment s WHERE s.id = w.segment_id)'), 0, 'no words without a segment';
};

subtest 'a text with more passages than a segment' => sub {
    my $slug = room('Large');
    my $text = join "\n\n", map { 'all ' . ($_ % 3 == 0 ? 'third ' : '') . "number$_ " . 'x' x 60 . '.' } 1 .. 2300;
    store($slug, 'large', $text);
    is psql($db, "SELECT string_agg(octet_length(lengths) / 2 || '', ',' ORDER BY no) FROM exedra.segment_part
        WHERE version_id = (SELECT max(id) FROM exedra.document_version)"), '1000,1000,300', 'it has three';
    for my $i (1, 999, 1000, 1001, 2000, 2001, 2300) {
        like texts($slug, { query => "number$i", topN => 1 })->[0], qr/\bnumber$i\b/, "passage $i is found";
    }
    is scalar @{ texts($slug, { query => 'third', topN => 1000, scoreThreshold => 0 }) }, 766, 'as many as there are';
    is_deeply texts($slug, { query => 'all' }), [], 'a word that is in all of them counts as a stop word';
    my $many = join ' ', map { "number$_" } 1 .. 1500;
    is scalar @{ texts($slug, { query => $many, topN => 1000 }) }, 1000, 'a question of 1,500 words';
};

subtest 'while words are merged' => sub {
    my $busy = tenant($db, 'busy');
    my ($slug, $noise) = map { room($_, key => $busy->{key}) } 'Kept', 'Noise';
    store($slug, "kept $_", "axolotl kept$_", key => $busy->{key}) for 1 .. 10;
    my $merged = sub { return psql($db, "SELECT max(s.id) FROM exedra.segment s JOIN exedra.tenant t ON t.id = s.tenant_id WHERE t.name = 'busy' AND s.n_chunks > 1") || 0 };
    # Two write, and take away again; one asks.
    my @wrong = grep { @$_ } in_parallel(3, sub {
        my ($what) = @_;
        my @bad;
        if ($what eq 'ask') {
            for (1 .. 150) { my $n = @{ texts($slug, { query => 'axolotl', topN => 50 }, key => $busy->{key}) }; push @bad, "$n found" if $n != 10 }
            return \@bad;
        }
        for my $i (1 .. 80) {
            my $document = store($noise, "noise $what $i", "axolotl noise $what", key => $busy->{key});
            http($exedra, DELETE => '/v1/system/remove-documents', key => $busy->{key}, json => { names => [$document->{location}] }) if $i % 2;
        }
        return \@bad;
    }, qw(ask write1 write2));
    is_deeply \@wrong, [], 'each answer is whole';
    wait_for { psql($db, "SELECT count(*) FROM exedra.job") == 0 } 30, 'merging to end';
    cmp_ok $merged->(), '>', 0, 'there was something to merge';
    is scalar @{ texts($noise, { query => 'write1', topN => 100 }, key => $busy->{key}) }, 40, 'what was written meanwhile is found';
};

subtest 'where it looks' => sub {
    my ($one, $two) = map { room("Scope $_") } 1, 2;
    my $beta = tenant($db, 'beta');
    my $theirs = room('Scope 1', key => $beta->{key});
    my $shared = store($one, 'shared', 'A narwhal in both.');
    store($one, 'own', 'A narwhal in one.');
    store($two, 'own', 'A narwhal in two.');
    store($theirs, 'own', 'A narwhal of beta.', key => $beta->{key});
    http($exedra, POST => "/v1/workspace/$two/update-embeddings", key => $key, json => { adds => [$shared->{location}] });
    my $ask = { query => 'narwhal', topN => 10 };
    is_deeply [sort @{ texts($one, $ask) }], ['A narwhal in both.', 'A narwhal in one.'], 'in one workspace';
    is_deeply [sort @{ texts($two, $ask) }], ['A narwhal in both.', 'A narwhal in two.'], 'in another one';
    is_deeply texts($theirs, $ask, key => $beta->{key}), ['A narwhal of beta.'], "in another tenant's of the same name";
    is ask('scope-2', $ask, key => $beta->{key})->{status}, 400, "and not in one that is the other tenant's only";
    my $account = account($acme, 'visitor');
    is ask($one, $ask, key => $account->{key})->{status}, 400, 'nor in one that an account is not let into';
    exedractl($db, qw(account grant acme visitor), $one);
    is scalar @{ texts($one, $ask, key => $account->{key}) }, 2, 'but in one that it is';

    http($exedra, POST => "/v1/workspace/$one/update-embeddings", key => $key, json => { deletes => [$shared->{location}] });
    is_deeply texts($one, $ask), ['A narwhal in one.'], 'taken out';
    http($exedra, DELETE => '/v1/system/remove-documents', key => $key, json => { names => [$shared->{location}] });
    is_deeply texts($two, $ask), ['A narwhal in two.'], 'deleted';
    is_deeply ask(room('Empty'), $ask)->{json}, { results => [], message => 'No embeddings found for this workspace.' }, 'where nothing is';

    # Two documents that show the same version.
    my $twins = room('Twins');
    my ($first, $second) = map { store($twins, "twin $_", "Text $_ of a dugong.") } 1, 2;
    psql($db, "UPDATE exedra.document SET version_id = (SELECT version_id FROM exedra.document WHERE uuid = '$first->{id}') WHERE uuid = '$second->{id}'");
    my @results = @{ ask($twins, { query => 'dugong' })->{json}{results} };
    is_deeply [map { $_->{metadata}{title} } @results], [$first->{title}], 'a text that two documents have is found once, in the older one';
};

subtest 'languages' => sub {
    language('simple');
    my $slug = room('Scripts');
    store($slug, 'zh', '蓝鲸是地球上最大的动物。它生活在海洋里。');
    store($slug, 'ja', 'シロナガスクジラは最大の動物です。');
    store($slug, 'th', 'วาฬสีน้ำเงินเป็นสัตว์ที่ใหญ่ที่สุด');
    store($slug, 'ru', 'Синий кит живёт в океане.');
    store($slug, 'de', 'Der Blauwal ist groß.');
    my %first = ('蓝鲸' => 'zh', '海洋' => 'zh', 'クジラ' => 'ja', 'สัตว์' => 'th', 'кит' => 'ru', 'КИТ' => 'ru', 'groß' => 'de', '最大の動物' => 'ja');
    is ask($slug, { query => $_, topN => 1 })->{json}{results}[0]{metadata}{title}, "$first{$_}.txt", "$_ is found" for sort keys %first;
    is_deeply texts($slug, { query => '蓝色' }), [], 'a pair that is nowhere, of characters that are';

    # Documents keep the language that they were stored with: each is asked in its own.
    language('english');
    store($slug, 'en', 'Whales were singing.');
    is_deeply texts($slug, { query => 'sings a whale' }), ['Whales were singing.'], 'English words are found by their stems';
    is_deeply texts($slug, { query => 'blauwal' }), ['Der Blauwal ist groß.'], 'those of other documents as they are';
    language('german');
    store($slug, 'de2', 'Die Blauwale sangen gemeinsam.');
    is_deeply [sort @{ texts($slug, { query => 'Blauwal gemeinsame singing' }) }],
        ['Der Blauwal ist groß.', 'Die Blauwale sangen gemeinsam.', 'Whales were singing.'], 'in three languages at once';
    language('simple');
};

subtest 'stop words' => sub {
    my $slug = room('Stop');
    store($slug, "stop $_", 'und ' . ($_ <= 10 ? 'halb ' : '') . "wort$_ x$_") for 1 .. 19;
    is scalar @{ texts($slug, { query => 'und', topN => 100 }) }, 19, 'below 20 passages there are none';
    store($slug, 'stop 20', 'und wort20');
    is_deeply texts($slug, { query => 'und' }), [], 'from 20 on one that is in more than half of them is';
    is scalar @{ texts($slug, { query => 'halb', topN => 100 }) }, 10, 'in half of them it is none';
    is_deeply texts($slug, { query => 'und wort7' }), ['und halb wort7 x7'], 'the other words of the question are found';
};

subtest 'a result' => sub {
    my $slug = room('Shape');
    my $document = http($exedra, POST => '/v1/document/raw-text', key => $key, json => { textContent => 'The "blue" whale.', addToWorkspaces => $slug,
        metadata => { title => 'Whale.md', docAuthor => 'Anna', description => 'About é', docSource => 'here', chunkSource => 'link://https://a.test/x', published => 0 } })->{json}{documents}[0];
    my $got = ask($slug, { query => 'whale' });
    my $score = $got->{json}{results}[0]{score};
    utf8::decode(my $body = $got->{body});
    is $body =~ s/"score":[\d.]+/"score":<score>/r =~ s/[0-9a-f]{8}-[0-9a-f-]{27}/<uuid>/r, '{"results":[{"id":"<uuid>","text":"<document_metadata>\nsourceDocument: whale.txt\n'
        . 'published: 1/1/1970, 12:00:00 AM\nsource: https://a.test/x\n</document_metadata>\n\nThe \"blue\" whale.",'
        . '"metadata":{"url":"file://whale.txt","title":"whale.txt","author":"Anna","description":"About é","docSource":"here",'
        . '"chunkSource":"link://https://a.test/x","published":"1/1/1970, 12:00:00 AM","wordCount":3,"tokenCount":' . $document->{token_count_estimate} . '},"score":<score>}]}',
        'to the byte, without a distance: nothing was compared';
    ok $score > 0 && $score < 1, 'its score is between 0 and 1';
    is $got->{json}{results}[0]{id}, psql($db, "SELECT uuid FROM exedra.chunk ORDER BY id DESC LIMIT 1"), 'its id is the passage, as chats cite it';
};

subtest 'what may be asked' => sub {
    my $slug = room('Numbers');
    http($exedra, POST => "/v1/workspace/$slug/update", key => $key, json => { topN => 3 });
    store($slug, "n$_", "otter number$_") for 1 .. 8;
    my %most = (2 => 2, 2.9 => 2, 5 => 5, 1000 => 8, 1 => 1, 0 => 3, -1 => 3, 0.5 => 3, -1e300 => 3);
    is scalar @{ texts($slug, { query => 'otter', topN => 0 + $_ }) }, $most{$_}, "topN $_" for sort keys %most;
    is scalar @{ texts($slug, { query => 'otter', topN => undef }) }, 3, 'topN null';
    is scalar @{ texts($slug, { query => 'otter', scoreThreshold => $_ }) }, 3, 'scoreThreshold ' . json_text($_) . ': what is found by words needs to reach none'
        for 0, 0.5, 1, -1, 2, 1e300, undef;
    my @bad = (['no query', {}, 400], ['an empty one', { query => '' }, 400], ['null', { query => undef }, 400], ['a number', { query => 5 }, 422], ['a list', { query => ['x'] }, 422],
        ['topN too large', { query => 'x', topN => 1001 }, 422], ['far too large', { query => 'x', topN => 1e308 }, 422], ['as text', { query => 'x', topN => '5' }, 422],
        ['scoreThreshold as text', { query => 'x', scoreThreshold => '0.5' }, 422], ['a query of 64 kB and one byte', { query => 'x' x 65537 }, 400],
        ['of 10 MB', { query => 'word ' x 2_000_000 }, 400]);
    for (@bad) {
        my ($what, $body, $status) = @$_;
        my $got = ask($slug, $body);
        is "$got->{status} " . join(' ', keys %{ $got->{json} }), "$status message", $what;
    }
    is ask($slug, {})->{json}{message}, 'Query parameter cannot be empty.', 'in the words of the contract';
    for my $number ('NaN', 'Infinity', '1e999', '"NaN"', '-Infinity') {
        like http($exedra, POST => "/v1/workspace/$slug/vector-search", key => $key, body => qq({"query":"x","topN":$number}))->{status}, qr/^4(?:00|22)$/, "topN $number";
    }
    is ask($slug, { query => 'otter ' x 10_000 })->{status}, 200, 'a query of 60 kB is none too long';
    is_deeply texts($slug, { query => $_ }), [], 'nothing to look for: ' . json_text($_) for ' ', '???', "' | & ! :* <-> \\ \" \$1", "\x{1F40B}", '.';
    is ask('nowhere', { query => 'x' })->{body}, '{"message":"Workspace nowhere is not a valid workspace."}', 'no such workspace';
};

# ---- pinned documents ----

my $model = start_model(deltas => ['Yes.']);
my $speaking = start_exedra(db => $db, settings => { 'chunk.size' => 100, 'chunk.overlap' => 0, 'llm.url' => $model->{url}, 'llm.model' => 'm', 'llm.context' => 1024 });

sub shown { return (($model->requests)[-1])->{json}{messages}[0]{content} }
sub say { my ($slug, $message, %with) = @_; return chat($with{server} // $speaking, $key, $slug, { message => $message, mode => 'chat', %with{grep { $_ ne 'server' } keys %with} })->{json} }
sub pin { my ($slug, $path, $status) = @_; return http($exedra, POST => "/v1/workspace/$slug/update-pin", key => $key, json => { docPath => $path, pinStatus => $status }) }

subtest 'pinned documents' => sub {
    my $slug = room('Pins');
    http($exedra, POST => "/v1/workspace/$slug/update", key => $key, json => { openAiPrompt => 'Be brief.' });
    my $rules = store($slug, 'rules', join "\n\n", map { "Rule $_ of the walrus house, which all have to obey." } 1 .. 5);
    my $other = store($slug, 'other', 'A walrus has tusks.');
    my $got = pin($slug, $rules->{location}, JSON::PP::true());
    is "$got->{status} $got->{body}", '200 {"message":"Pin status updated successfully"}', 'pinned';
    my $link = (grep { $_->{docpath} eq $rules->{location} } @{ http($exedra, GET => "/v1/workspace/$slug", key => $key)->{json}{workspace}[0]{documents} })[0];
    is $link->{pinned}, JSON::PP::true(), 'and shown to be so';

    my $answer = say($slug, 'What about the walrus?');
    is shown(), "Be brief.\nContext:\n[CONTEXT 0]:\n$rules->{pageContent}\n[END CONTEXT 0]\n\n[CONTEXT 1]:\n" . $answer->{sources}[1]{text} . "\n[END CONTEXT 1]\n\n",
        'the model is shown all of it first, then what was found elsewhere';
    is scalar @{ $answer->{sources} }, 2, 'nothing is found in it besides';
    is json_text($answer->{sources}[0]), json_text({ text => "$rules->{pageContent}...continued on in source document...", map { $_ => $rules->{$_} }
        qw(id url title docAuthor description docSource chunkSource published wordCount token_count_estimate) }), 'it is the first source, in a form of its own';
    like $answer->{sources}[1]{text}, qr/tusks/, 'what was found is the second';

    $answer = say($slug, 'Something else entirely?', mode => 'query');
    is $answer->{textResponse}, 'Yes.', 'in query mode it is something to answer from';
    $answer = say($slug, 'What about the walrus?', server => $exedra);
    is scalar(grep { !exists $_->{score} } @{ $answer->{sources} }), 0, 'who quotes looks at what was found only';
    like json_text($answer->{sources}), qr/walrus house/, 'in pinned documents too';

    pin($slug, $rules->{location}, JSON::PP::false());
    $answer = say($slug, 'What about the walrus, then?');
    is scalar(grep { !exists $_->{score} } @{ $answer->{sources} }), 0, 'no longer';
    unlike shown(), qr/\Q$rules->{pageContent}\E/, 'nor is it shown whole';

    my @bad = (['no path', undef, 404], ['no such document', 'custom-documents/none.json', 404], ['no location', 'none', 404], ['a number', 5, 422]);
    is pin($slug, $_->[1], JSON::PP::true())->{status}, $_->[2], $_->[0] for @bad;
    is pin($slug, $rules->{location}, 'yes')->{status}, 422, 'a status that is none';
    is pin($slug, $rules->{location}, undef)->{status}, 200, 'null is false';
    is pin(room('No pins'), $rules->{location}, JSON::PP::true())->{body}, 'Not Found', 'a document of another workspace';
};

subtest 'a pinned document that is longer than the window' => sub {
    my $slug = room('Long pin');
    http($exedra, POST => "/v1/workspace/$slug/update", key => $key, json => { openAiPrompt => 'Be brief.' });
    my $long = store($slug, 'long', 'Anfang. ' . 'über ' x 20_000 . 'Ende.');
    my $second = store($slug, 'second', 'The second one.');
    pin($slug, $_->{location}, JSON::PP::true()) for $long, $second;
    my $answer = say($slug, 'Well?');
    my $shown = shown();
    like $shown, qr/\ABe brief\.\nContext:\n\[CONTEXT 0\]:\nAnfang\. (?:über )+/, 'is shown from its beginning';
    utf8::encode(my $bytes = $shown);
    ok length($bytes) > 2800 && length($bytes) <= 4 * 768, 'as far as there is room: ' . length $bytes;
    unlike $shown, qr/second|\x{FFFD}/, 'nothing else is then, and no half character';
    is_deeply [map { $_->{title} } @{ $answer->{sources} }], [$long->{title}, $second->{title}], 'both are listed';
    is length $answer->{sources}[0]{text}, 1000 + length '...continued on in source document...', 'with 1,000 characters';
};

subtest 'what earlier answers were based on' => sub {
    my $slug = room('Earlier');
    http($exedra, POST => "/v1/workspace/$slug/update", key => $key, json => { topN => 2, openAiPrompt => '' });
    my $ibis = store($slug, 'ibis', 'The ibis wades.');
    store($slug, 'heron', 'The heron waits.');
    say($slug, 'ibis heron', sessionId => 's');
    say($slug, 'and then', sessionId => 's');
    like shown(), qr/ibis wades.*heron waits|heron waits.*ibis wades/s, 'fills up';
    pin($slug, $ibis->{location}, JSON::PP::true());
    say($slug, 'and after that', sessionId => 's');
    is scalar(() = shown() =~ /ibis wades/g), 1, 'but not with what is pinned: that is shown once';
    like shown(), qr/heron waits/, 'and the other one';
};

ok $_->stop, 'exedra ends well' for $exedra, $speaking;
done_testing;
