# Folders and documents in them as AnythingLLM's contract says (endpoints 19 to 26, 40, 43): making, listing, moving, removing, and
# names that are no names.  What is another tenant's is as if it were not there.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Contract;
use Exedra::Form;
use Encode ();

my $db = database();
my $exedra = start_exedra(db => $db);
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $key = $acme->{key};
workspace($exedra, $key, 'Alpha');
my ($true, $false) = (JSON::PP::true(), JSON::PP::false());

sub get { return http($exedra, GET => "/v1/$_[0]", key => $_[1] // $key) }
sub post { return http($exedra, POST => "/v1/document/$_[0]", key => $_[2] // $key, json => $_[1]) }
sub create { return post('create-folder', { name => $_[0] }, $_[1]) }
sub remove { return http($exedra, DELETE => '/v1/document/remove-folder', key => $_[1] // $key, json => { name => $_[0] }) }
sub move { return post('move-files', { files => [map { { from => $_->[0], to => $_->[1] } } @_] }) }
sub discard { return http($exedra, DELETE => '/v1/system/remove-documents', key => $_[1] // $key, json => { names => $_[0] }) }
sub embed { return http($exedra, POST => '/v1/workspace/alpha/update-embeddings', key => $key, json => $_[0]) }
sub sent { return document_of(upload($exedra, $key, @_)) }
sub name_of { return $_[0]{location} =~ s{.*/}{}r }
sub items { return [map { $_->{name} } @{ get("documents/folder/$_[0]", $_[1])->{json}{documents} }] }
sub tree { return [map { "$_->{name}: " . @{ $_->{items} } } @{ get('documents', $_[0])->{json}{localFiles}{items} }] }
sub documents { return psql($db, 'SELECT count(*) FROM exedra.document') }

subtest 'a folder' => sub {
    is_deeply tree(), [], 'none yet';
    is get('documents/folder/papers')->{body}, '{"folder":"papers","documents":[],"totalCount":0,"hasMore":false,"error":"Folder \"papers\" does not exist."}',
        'one that is not there';
    my $got = create('papers');
    is "$got->{status} $got->{body}", '200 {"success":true,"message":null}', 'is made';
    is get('documents/folder/papers')->{body}, '{"folder":"papers","documents":[],"totalCount":0,"hasMore":false,"error":null}', 'is there, and empty';
    $got = create('papers');
    is "$got->{status} $got->{body}", '409 {"success":false,"message":"Folder by that name already exists"}', 'but once';
    is create('Papers')->{status}, 200, 'another case is another';
    is create('papers', $beta->{key})->{status}, 200, "another tenant's too";
    sent('a.txt', 'Words.');
    is_deeply tree(), ['custom-documents: 1', 'Papers: 0', 'papers: 0'], 'empty ones are listed, ours first';
    is create('custom-documents')->{status}, 409, 'that of all others is there';
    is_deeply tree($beta->{key}), ['papers: 0'], "nobody sees another tenant's";
};

subtest 'names' => sub {
    for my $name ('with space', 'Ünïcode 日本', '.hidden', 'a.b', '-rf', '$(id)', "it's \"quoted\"", "\x{ff0f}etc", 'x' x 255) {
        my $got = create($name);
        is $got->{status}, 200, 'a label: ' . json_text($name) or diag $got->{body};
        is get('documents?folder=' . join '', map { sprintf '%%%02x', $_ } unpack 'C*', Encode::encode('UTF-8', $name))->{json}{folder}, $name, 'is found';
        remove($name);
    }
    my $before = fingerprint($db);
    for my $name ('..', '.', '...', '../x', '/etc', 'a/b', 'a\\b', '..\\x', ' ', ' . ', "a\nb", "a\x7fb", 'x' x 256, 'é' x 128) {
        my $got = create($name);
        is_deeply [$got->{status}, $got->{json}], [422, { success => $false, message => 'Failed to create folder: Invalid path name' }],
            'none: ' . json_text(substr $name, 0, 20);
    }
    for my $case ([{}, qr/^Failed to create folder: Invalid path\.$/], [{ name => undef }, qr/Invalid path/], [{ name => '' }, qr/Invalid path/],
        [{ name => 5 }, qr/name/], [{ name => ['x'] }, qr/name/]) {
        my $got = post('create-folder', $case->[0]);
        is "$got->{status} $got->{json}{success}", '422 ' . $false, 'no name: ' . json_text($case->[0]);
        like $got->{json}{message}, $case->[1], 'is told';
    }
    is fingerprint($db), $before, 'nothing was made';
};

subtest 'what is in it' => sub {
    my @sent = map { sent("f$_.txt", "Text $_.\n", target => '/v1/document/upload/shelf') } 1 .. 3;
    is_deeply items('shelf'), [map { name_of($_) } @sent], 'by name';
    my $got = get('documents/folder/shelf?limit=2&offset=1');
    shape_is $got->{json}, { folder => qr/^shelf$/, documents => [$shape{picker_item}], totalCount => 'int', hasMore => 'bool', error => 'null' }, 'the shape of a page';
    is_deeply [map { $_->{id} } @{ $got->{json}{documents} }], [map { $_->{id} } @sent[1, 2]], 'a page';
    is_deeply [@{ $got->{json} }{qw(totalCount hasMore)}], [3, $false], 'the last one';
    is get('documents/folder/shelf?limit=1')->{json}{hasMore}, $true, 'not the last one';
    is scalar @{ get("documents/folder/shelf?$_")->{json}{documents} }, 3, "?$_ is all of few" for 'limit=all', 'limit=0', 'limit=abc', 'offset=-1', 'offset=x', 'limit=5000';
    is get('documents?folder=shelf')->{json}{code}, 200, 'the other way to ask says a code';
    ok !exists get('documents/folder/shelf')->{json}{code}, 'this one does not';
    is get('documents/folder/shelf', $beta->{key})->{status}, 404, 'it is not there for another tenant';
    is get("documents/folder/$_")->{status}, $_ eq 'SHELF' || $_ =~ /5c|2F/ ? 404 : 400, "nor is $_" for 'SHELF', '..%2Fshelf', 'a%5cb', '%2e%2e', 'shelf%00', '%ff';
};

subtest 'moving' => sub {
    create('from'), create('to');
    my @sent = map { sent("m$_.txt", "Moved $_.\n", target => '/v1/document/upload/from') } 1 .. 4;
    my @names = map { name_of($_) } @sent;
    my $got = move(["from/$names[0]", "to/$names[0]"]);
    is "$got->{status} $got->{body}", '200 {"success":true,"message":null}', 'a document';
    is_deeply [items('from'), items('to')], [[@names[1 .. 3]], [$names[0]]], 'is where it was sent';
    is get("document/$names[0]")->{json}{document}{id}, $sent[0]{id}, 'and found by its name';
    is move(["to/$names[0]", 'from/renamed.json'])->{status}, 200, 'back, under another name';
    is get('document/renamed.json')->{json}{document}{id}, $sent[0]{id}, 'it has it';
    is move(["from/renamed.json", 'from/renamed.json'])->{status}, 200, 'to where it is';
    is move(['from/renamed.json', "from/$names[0]"])->{status}, 200, 'again another';

    embed({ adds => ["from/$names[1]"] });
    $got = move(["from/$names[1]", "to/$names[1]"], ["from/$names[2]", "to/$names[2]"]);
    is "$got->{status} $got->{body}", '200 {"success":true,"message":"1/2 files not moved. Unembed them from all workspaces."}', 'one in use stays';
    is_deeply items('to'), [$names[2]], 'the other goes';
    embed({ deletes => ["from/$names[1]"] });

    my $failed = '{"success":false,"message":"Failed to move some files."}';
    my %bad = ('an unknown one' => [['from/none.json', 'to/none.json']], 'an unknown folder' => [["from/$names[1]", "nowhere/$names[1]"]],
        'no location' => [['none', 'to/none.json']], 'three segments' => [["x/from/$names[1]", 'to/none.json']], 'a way out' => [["../from/$names[1]", 'to/x.json']]);
    my $before = fingerprint($db);
    for my $what (sort keys %bad) {
        $got = move(@{ $bad{$what} });
        is "$got->{status} $got->{body}", "404 $failed", $what;
    }
    $got = move(["from/$names[1]", "to/$names[2]"]);
    is "$got->{status} $got->{body}", "409 $failed", 'a name that is taken';
    $got = http($exedra, POST => '/v1/document/move-files', key => $beta->{key}, json => { files => [{ from => "from/$names[1]", to => "papers/$names[1]" }] });
    is "$got->{status} $got->{body}", "404 $failed", "another tenant's";
    is fingerprint($db), $before, 'nothing was moved';
    $got = move(['from/none.json', 'to/none.json'], ["from/$names[1]", "to/$names[1]"]);
    is "$got->{status} $got->{body}", "404 $failed", 'one of them';
    is_deeply items('to'), [sort @names[1, 2]], 'the rest is moved';
    $got = move(["to/$names[1]", 'to/same.json'], ["to/$names[2]", 'to/same.json']);
    is $got->{status}, 409, 'two to one place';
    is scalar @{ items('to') }, 2, 'both are still there';

    create($_) for 'doomed', 'kept';
    my (undef, $moved) = in_parallel(2, sub {
        return { done => psql($db, "BEGIN; DELETE FROM exedra.folder WHERE name = 'doomed'; SELECT pg_sleep(1.5); COMMIT") } if $_[0] == 1;
        select undef, undef, undef, 0.5;
        my $got = move(["from/$names[0]", "doomed/$names[0]"], ["from/$names[3]", "kept/$names[3]"]);
        return { told => "$got->{status} $got->{body}" };
    }, 1, 2);
    is $moved->{told}, "404 $failed", 'a folder that is deleted at the same moment is not there';
    is_deeply items('kept'), [$names[3]], 'and what goes elsewhere is moved';

    $before = fingerprint($db);
    for my $files (undef, 'x', {}, ['x'], [{}], [{ from => 'a/b.json' }], [{ from => 5, to => 'a/b.json' }], (map { [{ from => "from/$names[3]", to => $_ }] }
        'x.json', '/x.json', 'to/', 'to/x', 'to/.json', 'to/../x.json', '../x.json', "to/a\nb.json", 'to/' . 'x' x 260 . '.json', '..\\x/y.json', 'a/b/c.json')) {
        $got = post('move-files', { files => $files });
        is $got->{status}, 422, 'refused: ' . substr json_text($files), 0, 70;
        like $got->{json}{message}, qr/^Failed to move files\./, 'in the words of the contract';
    }
    is post('move-files', { files => [] })->{body}, '{"success":true,"message":null}', 'none at all';
    is fingerprint($db), $before, 'nothing was moved';
};

subtest 'removing documents' => sub {
    my ($one, $two) = map { sent("r$_.txt", "Removed $_.\n") } 1, 2;
    embed({ adds => [$one->{location}] });
    my $done = '200 {"success":true,"message":"Documents removed successfully"}';
    my $before = fingerprint($db);
    for my $names ([], ['none'], ['custom-documents/none.json', '', '/', '../x'], ["x/$one->{location}"]) {
        my $got = discard($names);
        is "$got->{status} $got->{body}", $done, 'unknown ones: ' . json_text($names);
    }
    is discard([$one->{location}], $beta->{key})->{status}, 200, "another tenant's";
    is http($exedra, DELETE => '/v1/system/remove-documents', key => $key, json => $_)->{status}, 422, 'refused: ' . json_text($_)
        for {}, { names => undef }, { names => 'x' }, { names => [5] };
    is fingerprint($db), $before, 'nothing is removed';
    my $got = discard([$one->{location}, $one->{location}, 'none']);
    is "$got->{status} $got->{body}", $done, 'one';
    is get('document/' . name_of($one))->{status}, 404, 'it has gone';
    is_deeply get('workspace/alpha')->{json}{workspace}[0]{documents}, [], 'from its workspace too';
    is get('document/' . name_of($two))->{status}, 200, 'the other has not';
    is psql($db, "SELECT count(*) FROM exedra.file WHERE name = 'r1.txt'"), 0, 'nor are its bytes left';
    is psql($db, 'SELECT count(*) FROM exedra.document_version v WHERE NOT EXISTS (SELECT FROM exedra.document d WHERE d.version_id = v.id)'), 0, 'nor its text';
};

subtest 'removing folders' => sub {
    my @sent = map { sent("g$_.txt", "Gone $_.\n", target => '/v1/document/upload/going') } 1, 2;
    embed({ adds => [$sent[0]{location}] });
    my $done = '200 {"success":true,"message":"Folder removed successfully"}';
    my $before = fingerprint($db);
    for my $name ('nope', 'custom-documents', '..', 'a/b', '', 'GOING', undef) {
        my $got = remove($name);
        is "$got->{status} $got->{body}", $done, json_text($name) . ': nothing to remove';
    }
    is remove('going', $beta->{key})->{status}, 200, "another tenant's";
    is remove(5)->{status}, 422, 'no name';
    is fingerprint($db), $before, 'nothing is removed';
    my $got = remove('going');
    is "$got->{status} $got->{body}", $done, 'a folder';
    is get('documents/folder/going')->{status}, 404, 'has gone';
    is get('document/' . name_of($_))->{status}, 404, 'with its documents' for @sent;
    is_deeply get('workspace/alpha')->{json}{workspace}[0]{documents}, [], 'from workspaces too';
    is psql($db, "SELECT count(*) FROM exedra.file WHERE name LIKE 'g_.txt'"), 0, 'and their bytes';
};

# Sequences 1 and 6 of the contract's annex.
subtest 'from upload to removal' => sub {
    my $count = get('system/vector-count')->{json}{vectorCount};
    my @same = map { sent('whale.txt', "The blue whale is the largest animal.\n") } 1, 2;
    isnt $same[0]{id}, $same[1]{id}, 'the same file twice is two documents';
    my ($document, $name) = ($same[0], name_of($same[0]));
    is get('system/vector-count')->{json}{vectorCount}, $count, 'stored, they do not count';
    is_deeply [map { $_->{docpath} } @{ embed({ adds => [$document->{location}] })->{json}{workspace}{documents} }], [$document->{location}], 'embedded';
    is get('system/vector-count')->{json}{vectorCount}, $count + 1, 'it does';
    is get('system/vector-count', $beta->{key})->{body}, '{"vectorCount":0}', 'not for another tenant';
    my ($item) = grep { $_->{name} eq $name } @{ get('documents/folder/custom-documents')->{json}{documents} };
    is $item->{cached}, $true, 'the listing says so';
    is move([$document->{location}, "papers/$name"])->{json}{message}, '1/1 files not moved. Unembed them from all workspaces.', 'it stays';
    is discard([$document->{location}])->{status}, 200, 'removed';
    is_deeply get('workspace/alpha')->{json}{workspace}[0]{documents}, [], 'it has left the workspace';
    is get('document/' . name_of($same[1]))->{status}, 200, 'its twin stays';
};

subtest 'what can be read' => sub {
    my $got = get('document/accepted-file-types');
    is $got->{status}, 200, 'kinds';
    my $types = $got->{json}{types};
    is_deeply [map { join ' ', @{ $types->{$_} // [] } } 'application/pdf', 'text/html'], ['.pdf', '.html .htm .xhtml'], 'with their extensions';
    is_deeply [grep { !m{^[a-z]+/[a-z0-9.+-]+$} || !@{ $types->{$_} } || grep { !/^\.[a-z0-9]+$/ } @{ $types->{$_} } } sort keys %$types], [], 'all of them';
    is get('document/metadata-schema')->{body}, '{"schema":{"url":"string | nullable","title":"string","docAuthor":"string | nullable",'
        . '"description":"string | nullable","docSource":"string | nullable","chunkSource":"string | nullable","published":"epoch timestamp in ms | nullable"}}',
        'and what raw-text takes';
};

my $report = sanitizer_report($exedra->log_text);
ok !$report, 'no report of a sanitizer' or diag $report;
ok $exedra->stop, 'exedra ends well';
done_testing;
