# Documents as AnythingLLM's contract says (sections 2.3 to 2.5, endpoints 18, 19, 20, 23 and 33): what raw-text makes of a
# text and its metadata, what it refuses and in which order, listings in folders and pages, and documents in workspaces.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my %alpha = %{ workspace($exedra, $key, 'Alpha') };
workspace($exedra, $key, 'Beta');

sub raw_text { return http($exedra, POST => '/v1/document/raw-text', key => $key, json => $_[0]) }
sub get { return http($exedra, GET => "/v1/$_[0]", key => $key) }
sub embed { return http($exedra, POST => "/v1/workspace/$_[0]/update-embeddings", key => $key, json => $_[1]) }
sub name_of { return $_[0]{location} =~ s{.*/}{}r }
sub docpaths { return [map { $_->{docpath} } @{ $_[0]{json}{workspace}{documents} }] }

# The document that raw-text makes with this metadata beside a title.
sub made { return raw_text({ textContent => 'A text.', metadata => { title => 'Made', @_ } })->{json}{documents}[0] }

subtest 'a text' => sub {
    my $got = raw_text({ textContent => "The blue  whale \"x\"\nis large.",
        metadata => { title => 'My Doc v1.2.txt', published => 1700000000123 } });
    is $got->{status}, 200, 'is stored';
    shape_is $got->{json}, { success => 'bool', error => 'null', documents => [$shape{stored_document}] }, 'and shown';
    is plain($got->{body} =~ s{11/14/2023, 10:13:20 PM}{then}r),
        '{"success":true,"error":null,"documents":[{"id":"<uuid>","url":"file://my-doc-v1-2.txt",'
        . '"title":"my-doc-v1-2.txt","docAuthor":"no author specified","description":"no description found","docSource":"no source set",'
        . '"chunkSource":"my-doc-v1-2.txt","published":"then","wordCount":6,"pageContent":"The blue  whale \"x\"\nis large.",'
        . '"token_count_estimate":' . $got->{json}{documents}[0]{token_count_estimate}
        . ',"location":"custom-documents/raw-my-doc-v1-2-<uuid>.json","isDirectUpload":false}]}', 'to the byte';
    my $document = $got->{json}{documents}[0];
    like $document->{location}, qr/-\Q$document->{id}\E\.json$/, 'the id is in the location';
    cmp_ok $document->{token_count_estimate}, '>', 0, 'tokens are estimated';
    isnt raw_text({ textContent => 'x', metadata => { title => 'My Doc v1.2.txt' } })->{json}{documents}[0]{location},
        $document->{location}, 'the same again is another';
};

subtest 'titles' => sub {
    for my $case (['Hello World', 'hello-world'], ['My Doc v1.2.txt', 'my-doc-v1-2'], ['plain', 'plain'],
        ['Ünïcode.md', 'unicode'], ['A & B.txt', 'a-and-b']) {
        my ($title, $stem) = @$case;
        my $document = raw_text({ textContent => 'x', metadata => { title => $title } })->{json}{documents}[0];
        is_deeply [@$document{qw(title chunkSource url)}], ["$stem.txt", "$stem.txt", "file://$stem.txt"], $title;
        is $document->{location}, "custom-documents/raw-$stem-$document->{id}.json", 'and its file';
    }
    for my $title ('日本語', '/', '../../etc/passwd', '...', ' ', "a\tb\nc", 'é' x 3000, 'x' x 5000, '"\\') {
        my $document = raw_text({ textContent => 'x', metadata => { title => $title } })->{json}{documents}[0];
        like $document->{location}, qr{^custom-documents/[^/\\"\s]{1,250}\.json$}, 'a label: ' . json_text(substr $title, 0, 20);
        is get('document/' . name_of($document))->{json}{document}{id}, $document->{id}, 'by which it is found';
    }
};

subtest 'metadata' => sub {
    my %given = (docAuthor => 'Anna', description => 'About "x"', docSource => 'tag:é', chunkSource => 'link://example.com/x');
    is made($_ => $given{$_})->{$_}, $given{$_}, "$_ is kept" for sort keys %given;
    my %preset = (docAuthor => 'no author specified', description => 'no description found', docSource => 'no source set',
        chunkSource => 'made.txt');
    for my $field (sort keys %preset) {
        is made($field => $_)->{$field}, $preset{$field}, "$field: " . json_text($_) . ' counts as not given' for '', undef;
    }
    my @urls = (['https://Example.com/A?b=C', 'web://https://example.com/a?b=c.website'], ['http://x', 'web://http://x.website'],
        ['ftp://x', 'file://made.txt'], ['example.com', 'file://made.txt'], ['', 'file://made.txt'], [undef, 'file://made.txt']);
    is made(url => $_->[0])->{url}, $_->[1], 'url ' . json_text($_->[0]) for @urls;
    my @dates = ([0, '1/1/1970, 12:00:00 AM'], [1700000000000, '11/14/2023, 10:13:20 PM'], [1704110400000, '1/1/2024, 12:00:00 PM']);
    is made(published => $_->[0])->{published}, $_->[1], "published $_->[0]" for @dates;
    my $year = (gmtime)[5] + 1900;
    like made(published => $_)->{published}, qr{^\d+/\d+/$year, }, 'published ' . json_text($_) . ' is now' for undef, -1, 1e300;
    is made(id => 'x', location => 'a/b.json', wordCount => 99, pageContent => 'other')->{wordCount}, 2,
        'what is no metadata is passed over';
    my $got = raw_text({ textContent => 'x', metadata => json_text({ title => 'In a string', docAuthor => 'Anna' }) });
    is $got->{json}{documents}[0]{docAuthor}, 'Anna', 'an object in a string';
};

subtest 'what is refused' => sub {
    my ($no_title, $no_text) = (qr/^You are missing required metadata key:value pairs in your request\. Required metadata key:values are 'title'$/,
        qr/^The 'textContent' key cannot have an empty value\.$/);
    my %good = (textContent => 'x', metadata => { title => 'x' });
    my @bad = (
        ['nothing at all', {}, $no_title], ['no metadata', { textContent => 'x' }, $no_title],
        ['metadata null', { %good, metadata => undef }, $no_title],
        ['no title', { %good, metadata => {} }, $no_title], ['an empty title', { %good, metadata => { title => '' } }, $no_title],
        ['title null', { %good, metadata => { title => undef } }, $no_title],
        ['neither title nor text', { textContent => '', metadata => {} }, $no_title],
        ['no text', { metadata => { title => 'x' } }, $no_text], ['an empty text', { %good, textContent => '' }, $no_text],
        ['text null', { %good, textContent => undef }, $no_text],
        ['a text that is none', { %good, textContent => ['x'] }, qr/textContent/],
        ['a title that is none', { %good, metadata => { title => 5 } }, qr/title/],
        ['metadata that is none', { %good, metadata => 5 }, qr/metadata/],
        ['metadata in an array', { %good, metadata => [] }, qr/metadata/],
        ['metadata that is no JSON', { %good, metadata => '{title:x}' }, qr/metadata/],
        ['nor an object', { %good, metadata => '[1]' }, qr/metadata/],
        (map { ["$_ that is no text", { %good, metadata => { title => 'x', $_ => 5 } },
        qr/$_/] } qw(url docAuthor description docSource chunkSource)),
        ['published as text', { %good, metadata => { title => 'x', published => '1700000000000' } }, qr/published/],
        (map { ["addToWorkspaces: $_->[1]", { %good, addToWorkspaces => $_->[0] },
        qr/^addToWorkspaces must be a string of comma-separated workspace slugs\. Got $_->[1]$/] }
            [5, 'number'], [\1, 'boolean'], [['alpha'], 'object'], [{}, 'object']),
    );
    my $before = fingerprint($db);
    for my $case (@bad) {
        my ($what, $body, $error) = @$case;
        my $got = raw_text($body);
        is $got->{status}, 422, $what;
        is_deeply [join(' ', sort keys %{ $got->{json} }), $got->{json}{success}], ['error success', JSON::PP::false()],
            'in the form of the contract';
        like $got->{json}{error}, $error, 'is told';
    }
    is fingerprint($db), $before, 'nothing was stored';
};

subtest 'addToWorkspaces' => sub {
    my $document = raw_text({ textContent => 'x', metadata => { title => 'shared' },
        addToWorkspaces => ' ALPHA ,, beta,none,alpha' })->{json}{documents}[0];
    for my $slug (qw(alpha beta)) {
        my $links = get("workspace/$slug")->{json}{workspace}[0]{documents};
        is_deeply [map { $_->{docpath} } @$links], [$document->{location}], "it is in $slug, once";
    }
    is raw_text({ textContent => 'x', metadata => { title => 'x' }, addToWorkspaces => $_ })->{status}, 200, 'addToWorkspaces: '
        . json_text($_) for '', ',', undef, 'none';
    embed($_, { deletes => [$document->{location}] }) for qw(alpha beta);
};

subtest 'a long text' => sub {
    my $text = join ' ', map { "Satz $_ über Wale — 鯨." } 1 .. 30_000;        # 0.9 MB, in parts of 256 kB
    my $got = raw_text({ textContent => $text, metadata => { title => 'long' } });
    is $got->{json}{documents}[0]{pageContent}, $text, 'comes back whole';
    is $got->{json}{documents}[0]{wordCount}, 1 + ($text =~ tr/ //), 'counted at each space';
    is $got->{json}{documents}[0]{token_count_estimate}, int((length($text) + 7) / 8), 'with its tokens estimated as the contract says';
    my $version = psql($db, "SELECT version_id FROM exedra.document WHERE title = 'long.txt'");
    is psql($db, "SELECT string_agg(text, '' ORDER BY no) FROM exedra.document_text WHERE version_id = $version"), $text,
        'and is stored whole';
    is psql($db, "SELECT count(*) = (SELECT n_chunks FROM exedra.document_version WHERE id = $version)
        AND max(length(text)) <= 1000 AND min(length(text)) > 0
        FROM exedra.chunk WHERE version_id = $version"), 't', 'in passages of at most 1000 characters';
    is psql($db, 'SELECT count(*) FROM exedra.document_version WHERE n_chunks IS NULL'), 0, 'nothing is left half written';
};

subtest 'one document' => sub {
    my $document = made(docAuthor => 'Anna');
    my $got = get('document/' . name_of($document));
    shape_is $got->{json}, { document => $shape{file} }, 'its shape';
    is_deeply $got->{json}{document}, { name => name_of($document), type => 'file', cached => JSON::PP::false(),
        map { $_ => $document->{$_} } keys %{ $shape{metadata} } }, 'what was stored';
    is get("document/$_")->{status} . ' ' . get("document/$_")->{body}, '404 Not Found', "'$_' is none" for 'none.json',
        'custom-documents', '%25', '%27%20OR%201=1';
};

subtest 'folders' => sub {
    my $empty = tenant($db, 'empty');
    is http($exedra, GET => '/v1/documents', key => $empty->{key})->{body},
        '{"localFiles":{"name":"documents","type":"folder","items":[]}}', 'none at all';
    psql($db, "WITH f AS (INSERT INTO exedra.file (tenant_id, name, state) SELECT id, 'a.txt', 'done' FROM exedra.tenant WHERE name = 'empty' RETURNING *),
             v AS (INSERT INTO exedra.document_version (tenant_id, sha256, n_chunks) SELECT tenant_id, sha256(''), 1 FROM f RETURNING *),
             o AS (INSERT INTO exedra.folder (tenant_id, name) SELECT tenant_id, n FROM f, unnest('{zoo,a-folder,custom-documents}'::text[]) n RETURNING *)
        INSERT INTO exedra.document (tenant_id, uuid, file_id, version_id, folder, name, title, url, author, description, source, chunk_source,
        published, word_count, token_estimate)
        SELECT f.tenant_id, gen_random_uuid(), f.id, v.id, o.name, 'f' || lpad(i::text, 4, '0') || '.json', 't', 'u', 'a', 'd', 's', 'c', 'p', 1, 1
        FROM f, v, o, generate_series(1, CASE o.name WHEN 'a-folder' THEN 1005 ELSE 2 END) i WHERE o.name <> 'a-folder' OR i <> 2;
        DELETE FROM exedra.document WHERE name = 'f0002.json'");
    my $list = sub { return http($exedra, GET => "/v1/documents$_[0]", key => $empty->{key}) };
    my $tree = $list->('')->{json}{localFiles};
    shape_is $tree, { name => qr/^documents$/, type => qr/^folder$/, items => [{ name => 'string', type => qr/^folder$/,
        items => [{ %{ $shape{picker_item} }, published => 'string' }] }] }, 'a tree of two levels';
    is_deeply [map { "$_->{name} " . @{ $_->{items} } } @{ $tree->{items} }], ['custom-documents 1', 'a-folder 1004', 'zoo 1'],
        'ours first, the rest by name, nothing half written';

    my $names = sub { [map { $_->{name} =~ /f0*(\d+)/ } @{ $_[0]{json}{documents} }] };
    my @pages = (['', 100, 1], ['&limit=3', 3, 1], ['&limit=3&offset=2', 3, 4], ['&limit=3&offset=1002', 2, 1004],
        ['&limit=2&offset=1002', 2, 1004],
        ['&limit=all', 1004, 1], ['&limit=all&offset=1000', 4, 1002], ['&limit=5000', 1000, 1], ['&limit=1000', 1000, 1],
        ['&offset=2000', 0, undef],
        (map { ["&limit=$_", 100, 1] } '0', '-1', 'abc', '', '1.5', '3x'), (map { ["&limit=3&offset=$_", 3, 1] } '-1', 'abc', ''));
    for my $page (@pages) {
        my ($query, $n, $first) = @$page;
        my $got = $list->("?folder=a-folder$query");
        is_deeply [$got->{status}, scalar @{ $names->($got) }, $names->($got)[0]], [200, $n, $first], "a page: $query";
        is $got->{json}{totalCount}, 1004, 'of so many';
        my ($offset) = $query =~ /offset=(\d+)/;
        is $got->{json}{hasMore} ? 1 : 0, ($offset // 0) + $n < 1004 && $n > 0 ? 1 : 0, 'and whether there are more';
    }
    my $got = $list->('?folder=zoo');
    shape_is $got->{json}, { folder => qr/^zoo$/, documents => [{ %{ $shape{picker_item} }, id => 'uuid', published => 'string' }],
        totalCount => 'int', hasMore => 'bool', error => 'null', code => 'int' }, 'its shape';
    is $got->{json}{code}, 200, 'with a code';
    for my $folder ('nope', 'ZOO', '%22quoted%22', 'zoo%2Fx', '..') {
        $got = $list->("?folder=$folder&limit=all");
        my $shown = $folder =~ s/%22/"/gr =~ s/%2F/\//r;
        is_deeply $got->{json}, { folder => $shown, documents => [], totalCount => 0, hasMore => JSON::PP::false(),
            error => qq(Folder "$shown" does not exist.), code => 404 }, "no folder $shown";
        is $got->{status}, 404, 'is 404';
    }
    is $list->('?folder=')->{json}{localFiles}{name}, 'documents', 'an empty name asks for all';
};

subtest 'documents in a workspace' => sub {
    my ($one, $two) = map { document($exedra, $key, $_, "Text $_.") } 'one', 'two';
    my $got = embed('alpha', { adds => [$one->{location}] });
    is $got->{status}, 200, 'put in';
    shape_is $got->{json}, { workspace => { %{ $shape{workspace} }, documents => [$shape{workspace_document}],
        contextWindow => 'int?', currentContextTokenCount => 'int' } }, 'an object, no message';
    is_deeply { map { $_ => $got->{json}{workspace}{$_} } keys %alpha }, \%alpha, 'the workspace';
    my $link = $got->{json}{workspace}{documents}[0];
    is_deeply [@$link{qw(filename docpath workspaceId pinned watched)}],
        [name_of($one), $one->{location}, $alpha{id}, JSON::PP::false(), JSON::PP::false()],
        'the document as it is there';
    is_deeply json_value($link->{metadata}), { map { $_ => $one->{$_} } keys %{ $shape{metadata} } }, 'its metadata';

    is_deeply docpaths(embed('alpha', { adds => [$one->{location}] })), [$one->{location}], 'twice is once';
    is_deeply docpaths(embed('alpha', { adds => [$two->{location}, 'custom-documents/none.json', 'none', '', '/', 'a/b/c']})),
        [$one->{location}, $two->{location}], 'unknown ones are passed over';
    is_deeply docpaths(embed('alpha', {})), [$one->{location}, $two->{location}], 'nothing asked: the list';
    is_deeply docpaths(embed('alpha', { deletes => [$one->{location}, 'custom-documents/none.json', $one->{location}] })),
        [$two->{location}], 'taken out';
    is_deeply docpaths(embed('alpha', { deletes => [$two->{location}], adds => [$two->{location}, $one->{location}] })),
        [$two->{location}, $one->{location}], 'deletes first, then adds';
    is_deeply docpaths(embed('alpha', { adds => undef, deletes => undef })), [$two->{location}, $one->{location}], 'null is nothing';
    is_deeply [map { $_->{docpath} } @{ get('workspace/beta')->{json}{workspace}[0]{documents} }], [], 'another workspace is not touched';
    my $item = (grep { $_->{name} eq name_of($one) } map { @{ $_->{items} } } @{ get('documents')->{json}{localFiles}{items} })[0];
    shape_is $item, $shape{picker_item}, 'in the listing';
    is_deeply [@$item{qw(cached pinnedWorkspaces)}], [JSON::PP::true(), []], 'it is known to be embedded, not pinned';
    psql($db, 'UPDATE exedra.workspace_document SET pinned = true');
    $item = (grep { $_->{name} eq name_of($one) } map { @{ $_->{items} } } @{ get('documents')->{json}{localFiles}{items} })[0];
    is_deeply $item->{pinnedWorkspaces}, [$alpha{id}], 'pinned: the ids of workspaces';
    is embed('alpha', {})->{json}{workspace}{currentContextTokenCount},
        $one->{token_count_estimate} + $two->{token_count_estimate}, 'and the tokens that this takes';
    for my $bad ([adds => 'x'], [adds => {}], [adds => [5]], [deletes => 'x'], [deletes => [undef]], [deletes => \1]) {
        my ($field, $value) = @$bad;
        $got = embed('alpha', { $field => $value });
        is $got->{status}, 422, "$field: " . json_text($value);
        like $got->{json}{error}, qr/\b$field\b/, 'is called by its name';
    }
    is embed('none', { adds => [$one->{location}] })->{body}, 'Bad Request', 'an unknown workspace';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
