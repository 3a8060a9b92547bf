# Passages by their vectors: the exact order and distances of the cosine, found in two stages, whatever the dimension and however
# many passages; the threshold; words and vectors in one list; and what happens without vectors, or with those of some documents only.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;
use Exedra::Model ();

# An embedder: texts that hold a name get the name's vector, others one that is like none.  Names and vectors come by a file, which
# the test may add to.
my $names = tmp_dir() . '/names';
my $embedder = start_model(answer => sub {
    my ($client, $request) = @_;
    my %vector = map { split /\t/ } split /\n/, slurp($names);
    my $input = $request->{json}{input};
    my @data = map { my $text = $_; my ($name) = grep { $text =~ /\b$_\b/ } keys %vector; $vector{ $name // 'other' } } ref $input ? @$input : $input;
    my $i = 0;
    Exedra::Model::reply_json($client, { object => 'list', data => [map { { object => 'embedding', index => $i++, embedding => [map { 0 + $_ } split /,/, $_] } } @data] });
});
sub teach { my (%vector) = @_; spew($names, join '', (-e $names ? slurp($names) : ''), map { "$_\t" . join(',', @{ $vector{$_} }) . "\n" } sort keys %vector) }

my $db = database();
my %settings = ('chunk.size' => 100, 'chunk.overlap' => 0, 'embed.model' => 'm');
my $exedra = start_exedra(db => $db, settings => { %settings, 'embed.url' => $embedder->{url} });
my $wordy = start_exedra(db => $db, settings => \%settings);                # without an embedder
my $acme = tenant($db, 'acme');
my $key = $acme->{key};

sub ask {
    my ($slug, $body, %with) = @_;
    my $got = http($with{server} // $exedra, POST => "/v1/workspace/$slug/vector-search", key => $with{key} // $key, json => $body);
    die "vector-search: $got->{status} $got->{body}\n" if $got->{status} != 200;
    return @{ $got->{json}{results} };
}
sub passage { return $_[0]{text} =~ s/\A.*<\/document_metadata>\n\n//sr }
sub room { my ($name, %with) = @_; return workspace($exedra, $with{key} // $key, $name)->{slug} }

sub dot { my ($a, $b) = @_; my $sum = 0; $sum += $a->[$_] * $b->[$_] for 0 .. $#$a; return $sum }
sub cosine { my ($a, $b) = @_; return dot($a, $b) / sqrt(dot($a, $a) * dot($b, $b)) }

# "text score distance", with three digits; '-' for no distance.
sub shown { return [map { join ' ', passage($_), sprintf('%.3f', $_->{score}), defined $_->{distance} ? sprintf '%.3f', $_->{distance} : '-' } @_] }

srand 51;

# ---- few, by hand ----

my %vector = (other => [0, 0, 1], east => [1, 0, 0], northeast => [1, 1, 0], north => [0, 2, 0], west => [-3, 0, 0], south => [0, -1, 0], upeast => [1, 0, 1]);
teach(%vector, asking => [1, 0, 0]);

subtest 'nearest first' => sub {
    my $slug = room('Compass');
    document($exedra, $key, "doc $_", "Toward $_.", $slug) for sort keys %vector;
    my %like = (query => 'asking', topN => 10);
    my @all = ('Toward east. 1.000 0.000', 'Toward northeast. 0.707 0.293', 'Toward upeast. 0.707 0.293');
    is_deeply shown(ask($slug, { %like, scoreThreshold => 0.25 })), \@all, 'with their cosines; vectors need not have the length 1';
    is_deeply shown(ask($slug, { %like, scoreThreshold => 0.71 })), [$all[0]], 'above the threshold only';
    is scalar ask($slug, { query => 'asking', topN => 2, scoreThreshold => 0 }), 2, 'as many as are asked for';
    is_deeply shown(ask($slug, { %like, scoreThreshold => 0 })), [@all, map { "Toward $_" } 'north. 0.000 1.000', 'other. 0.000 1.000', 'south. 0.000 1.000'],
        'what has nothing to do with it scores 0, not 1';
    is scalar(grep { $_->{distance} > 1 } ask($slug, { %like, scoreThreshold => 0 })), 0, 'the opposite is below any threshold';
    is_deeply shown(ask($slug, { query => 'asking' })), \@all, "else the workspace's: 0.25 and 4";
    is scalar ask($slug, { query => 'asking' }, server => $wordy), 0, 'without the embedder there are only words';
};

subtest 'words and vectors' => sub {
    my $slug = room('Both');
    my %text = (a => 'east', b => 'northeast walrus', c => 'north walrus', d => 'other walrus seal', e => 'upeast seal', f => 'west');
    document($exedra, $key, $_, "$text{$_}.", $slug) for sort keys %text;
    my %rank;
    my $question = { query => 'asking walrus seal', topN => 10, scoreThreshold => 0.5 };
    my @words = ask($slug, $question, server => $wordy);
    is passage($words[0]), "$text{d}.", 'by words the one that has both comes first';
    my @vectors = qw(a b e);                                # at least 0.5; b and e are equally near
    my %title = map { $_->{metadata}{title} =~ s/\.txt//r => 1 } @words;
    is_deeply [sort keys %title], [qw(b c d e)], 'four have one of the words';
    $rank{ $words[$_]{metadata}{title} =~ s/\.txt//r } += 1 / (61 + $_) for 0 .. $#words;
    $rank{ $vectors[$_] } += 1 / (61 + $_) for 0 .. $#vectors;
    my @got = ask($slug, $question);
    is_deeply [map { $_->{metadata}{title} =~ s/\.txt//r } @got], [sort { $rank{$b} <=> $rank{$a} || $a cmp $b } keys %rank], 'together: the sum of 1 / (60 + rank)';
    my %by = map { $_->{metadata}{title} =~ s/\.txt//r => $_ } @got;
    my %word_score = map { $_->{metadata}{title} =~ s/\.txt//r => $_->{score} } @words;
    is_deeply [map { sprintf '%.3f', $by{$_}{score} } qw(a b e)], ['1.000', '0.707', '0.707'], 'what its vector found has the cosine as score';
    is_deeply [map { $by{$_}{score} } qw(c d)], [@word_score{qw(c d)}], 'what words alone found has theirs';
    is_deeply [grep { exists $by{$_}{distance} } sort keys %by], [qw(a b e)], 'and no distance';
    ok exists $by{c}, 'below the threshold, it is found by its words';
    ok !exists $by{f}, 'what neither finds is not there';
};

subtest 'a chat' => sub {
    my $slug = 'compass';
    my $answer = chat($exedra, $key, $slug, { message => 'asking', mode => 'chat' });
    my @sources = @{ $answer->{json}{sources} };
    is scalar @sources, 3, 'its sources are what the search finds';
    like $answer->{body}, qr/"token_count_estimate":\d+,"text":"[^"]*Toward northeast\.","_distance":0\.2928\d+,"score":0\.7071\d+\}/, 'with _distance, in the order of the contract';
    $answer = chat($wordy, $key, $slug, { message => 'northeast', mode => 'chat' });
    is_deeply [map { exists $_->{_distance} ? 1 : 0 } @{ $answer->{json}{sources} }], [0], 'and without it where none was compared';
};

subtest 'where it looks' => sub {
    my $beta = tenant($db, 'beta');
    my $theirs = room('Compass', key => $beta->{key});
    document($exedra, $beta->{key}, 'theirs', 'Theirs is east.', $theirs);
    is_deeply [map { passage($_) } ask($theirs, { query => 'asking' }, key => $beta->{key})], ['Theirs is east.'], "a tenant's own";
    is scalar(grep { passage($_) =~ /Theirs/ } ask('compass', { query => 'asking', topN => 100, scoreThreshold => 0 })), 0, "and nobody else's";

    # A document that came while there was no embedder.
    my $slug = room('Late');
    document($exedra, $key, 'early', 'An early northeast.', $slug);
    document($wordy, $key, 'late', 'A late east walrus.', $slug);
    is_deeply [map { passage($_) } ask($slug, { query => 'asking' })], ['An early northeast.'], 'what has no vectors is not found by them';
    is_deeply [sort map { passage($_) } ask($slug, { query => 'asking walrus' })], ['A late east walrus.', 'An early northeast.'], 'but by words';
    is psql($db, "SELECT count(*) FROM exedra.embedding_code"), psql($db, "SELECT count(*) FROM exedra.embedded"), 'a set that is complete has its codes';

    my @left = grep { $_->{title} eq 'early.txt' } map { @{ $_->{items} } } @{ http($exedra, GET => '/v1/documents', key => $key)->{json}{localFiles}{items} };
    http($exedra, DELETE => '/v1/system/remove-documents', key => $key, json => { names => ["custom-documents/$left[0]{name}"] });
    is scalar ask($slug, { query => 'asking' }), 0, 'a document that is deleted';
    is psql($db, "SELECT count(*) FROM exedra.embedding_code c WHERE NOT EXISTS (SELECT FROM exedra.embedded b
        WHERE b.version_id = c.version_id AND b.embedder_id = c.embedder_id)"), 0, 'leaves no codes behind';
};

# ---- many ----

sub normal { return sqrt(-2 * log(1 - rand)) * cos(6.283185307179586 * rand) }

# A tenant with one workspace of so many passages, $each a document, and the embedder's vectors of them: [its key, its vectors].
sub fill {
    my ($name, $dimension, $count, $each) = @_;
    my $tenant = tenant($db, $name);
    my $slug = room('Many', key => $tenant->{key});
    my @vectors = map { [map { normal() } 1 .. $dimension] } 1 .. $count;
    my $rows = join '', map {
        my $v = $vectors[$_];
        my $length = sqrt dot($v, $v);
        join("\t", $_, join('', map { $_ > 0 ? 1 : 0 } @$v), '\\\\x' . unpack 'H*', pack 'f<*', map { $_ / $length } @$v) . "\n";
    } 0 .. $#vectors;
    psql($db, <<END);
CREATE TEMP TABLE given (i int, code bit varying, vector bytea);
COPY given FROM STDIN;
$rows\\.
CREATE TEMP TABLE t AS SELECT t.id, w.id AS room FROM exedra.tenant t JOIN exedra.workspace w ON w.tenant_id = t.id WHERE t.name = '$name';
BEGIN;
SELECT exedra.work_for(id, NULL, 30) FROM t;
INSERT INTO exedra.folder (tenant_id, name) SELECT id, 'custom-documents' FROM t;
CREATE TEMP TABLE doc AS SELECT DISTINCT i / $each AS d, NULL::bigint AS version_id FROM given;
INSERT INTO exedra.file (tenant_id, name, state) SELECT t.id, 'd' || d, 'done' FROM t, doc;
WITH v AS (INSERT INTO exedra.document_version (tenant_id, sha256, n_chunks) SELECT t.id, sha256('$name'::bytea || d::text::bytea), 0 FROM t, doc RETURNING id, sha256)
UPDATE doc SET version_id = v.id FROM v WHERE v.sha256 = sha256('$name'::bytea || d::text::bytea);
INSERT INTO exedra.document (tenant_id, uuid, file_id, folder, name, version_id, title, url, author, description, source, chunk_source, published, word_count, token_estimate)
SELECT t.id, gen_random_uuid(), f.id, 'custom-documents', 'd' || d, version_id, 't', 'u', 'a', 'd', 's', 'c', 'p', 1, 1
  FROM t, doc JOIN exedra.file f ON f.name = 'd' || d WHERE f.tenant_id = t.id;
INSERT INTO exedra.workspace_document (tenant_id, workspace_id, document_id) SELECT t.id, t.room, d.id FROM t JOIN exedra.document d ON d.tenant_id = t.id;
INSERT INTO exedra.chunk (tenant_id, version_id, no, text) SELECT t.id, version_id, i % $each, 'p' || i FROM t, given JOIN doc ON d = i / $each;
-- Their words: none, in segments of 1,000 passages.
CREATE TEMP TABLE part AS SELECT d, version_id, i % $each / 1000 * 1000 AS no, count(*) AS n FROM given JOIN doc ON d = i / $each GROUP BY 1, 2, 3;
WITH s AS (INSERT INTO exedra.segment (tenant_id, language, n_chunks) SELECT t.id, 'simple', n FROM t, part ORDER BY version_id, no RETURNING tenant_id, id, n_chunks),
     w AS (INSERT INTO exedra.word SELECT tenant_id, id, 0, '' FROM s)
INSERT INTO exedra.segment_part
SELECT s.tenant_id, p.version_id, p.no, s.id, 0, 1, 'simple', decode(repeat('0001', p.n::int), 'hex')
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS r FROM s) s JOIN (SELECT *, row_number() OVER (ORDER BY version_id, no) AS r FROM part) p USING (r);
INSERT INTO exedra.embedder (tenant_id, provider, model, dimension) SELECT id, 'generic-openai', 'm', $dimension FROM t;
INSERT INTO exedra.embedding (tenant_id, embedder_id, version_id, chunk_id, code, vector)
SELECT t.id, e.id, k.version_id, k.id, g.code, g.vector
  FROM t JOIN exedra.embedder e ON e.tenant_id = t.id JOIN exedra.chunk k ON k.tenant_id = t.id JOIN given g ON 'p' || g.i = k.text;
INSERT INTO exedra.embedded (tenant_id, version_id, embedder_id) SELECT t.id, version_id, e.id FROM t JOIN exedra.embedder e ON e.tenant_id = t.id, doc;
COMMIT;
END
    return ($tenant->{key}, \@vectors);
}

# The shapes of data that make trouble: odd dimensions, versions of more than one row of codes or segment, one passage each.
for my $case ([64, 3000, 7], [37, 700, 700], [8, 2500, 2500], [1, 300, 1], [129, 600, 1]) {
    my ($dimension, $count, $each) = @$case;
    subtest "$count passages of $dimension dimensions, $each a document" => sub {
        my ($their_key, $vectors) = fill("d$dimension", $dimension, $count, $each);
        my ($found, $wrong) = (0, 0);
        for my $q (1 .. 5) {
            my @question = map { normal() } 1 .. $dimension;
            teach("question${dimension}x$q" => \@question);
            my @cosines = map { cosine(\@question, $_) } @$vectors;
            my @best = (sort { $cosines[$b] <=> $cosines[$a] } 0 .. $#cosines)[0 .. 7];
            my @got = ask('many', { query => "question${dimension}x$q", topN => 8, scoreThreshold => 0 }, key => $their_key);
            my %good = map { $_ => 1 } @best;
            for my $result (@got) {
                my ($i) = passage($result) =~ /^p(\d+)$/;
                # one dimension leaves no choice between those of a sign
                $found += $good{$i} || $dimension == 1 && $cosines[$i] > 0.99 ? 1 : 0;
                $wrong += abs($result->{distance} - (1 - $cosines[$i])) > 1e-5 || abs($result->{score} - $cosines[$i]) > 1e-5;
            }
            my @scores = map { $_->{score} } @got;
            $wrong++ if "@scores" ne join ' ', sort { $b <=> $a } @scores;
        }
        is $wrong, 0, 'cosines and their order are exact';
        cmp_ok $found, '>=', 38, "$found of the 40 nearest are found";
    };
}

ok $_->stop, 'exedra ends well' for $exedra, $wordy;
done_testing;
