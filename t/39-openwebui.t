# Files and collections of files as Open WebUI's API has them (contract, sections 1, 6, 7): every route's shape, its errors word
# for word, both slash forms, who sees what; and that files and documents, collections and workspaces are the same things.
use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Contract;
use Exedra::OpenWebUI;

my $db = database();
my $html = '<html><head><title>River</title></head><body><p>The river flows to the sea.</p></body></html>';
my $pages = start_model(answer => sub {
    my ($client, $request) = @_;
    my $found = $request->{target} =~ /page/;
    syswrite $client, 'HTTP/1.1 ' . ($found ? '200 OK' : '404 Not Found') . "\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: "
        . length($html) . "\r\n\r\n$html";
});
my ($site, $port) = $pages->{url} =~ m{^(http://[\d.]+:(\d+))};
my $exedra = start_exedra(db => $db, settings => { reading(), 'outbound.allow' => '127.0.0.1', 'outbound.ports' => "80 443 $port" });
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my ($bea, $cyd) = map { account($acme, $_) } qw(bea cyd);
my ($random, $true, $false) = ('00000000-0000-4000-8000-000000000000', JSON::PP::true(), JSON::PP::false());

sub get { my ($path, %with) = @_; return http($exedra, GET => "/api/v1/$path", key => $key, %with) }
sub post { my ($path, $json, %with) = @_; return http($exedra, POST => "/api/v1/$path", key => $key, defined $json ? (json => $json) : (), %with) }
sub remove { my ($path, %with) = @_; return http($exedra, DELETE => "/api/v1/$path", key => $key, %with) }
sub told { my ($got) = @_; return [$got->{status}, $got->{json}{detail}] }
sub ids { my ($got) = @_; return [map { $_->{id} } ref $got->{json} eq 'HASH' ? @{ $got->{json}{items} // $got->{json}{files} } : @{ $got->{json} }] }
sub done { my ($name, $text, %with) = @_; my $file = upload($exedra, $key, $name, $text, %with); read_at_last($exedra, $with{key} // $key, $file->{id}); return $file }

subtest 'an upload' => sub {
    my $text = 'Whales sing for hours.';
    my $file = upload($exedra, $key, 'notes.txt', $text, metadata => '{"tag": "é", "n": 1}');
    shape_is $file, { %$file_shape, status => 'bool', data => { status => 'string' } }, 'answered at once, as a file with `status`';
    is_deeply [@$file{qw(status hash filename data)}], [$true, undef, 'notes.txt', { status => 'pending' }], 'pending';
    is_deeply $file->{meta}, { name => 'notes.txt', content_type => 'text/plain', size => length $text, data => { tag => 'é', n => 1 },
        collection_name => "file-$file->{id}" }, 'with what was said of it';
    unlike $file->{path}, qr{/}, 'no path of ours';
    is_deeply read_at_last($exedra, $key, $file->{id}), { status => 'completed' }, 'it is read by itself';
    my $got = get("files/$file->{id}");
    shape_is $got->{json}, $file_shape, 'then a file';
    is_deeply $got->{json}{data}, { status => 'completed', content => $text }, 'with its text, as it was';
    is $got->{json}{hash}, sha256_hex($text), 'and the hash of it';
    is_deeply [@{ $got->{json} }{qw(filename meta created_at)}], [@$file{qw(filename meta created_at)}], 'all else as before';
    is get("files/$file->{id}/")->{body}, $got->{body}, 'the same with a slash';
};

subtest 'uploads of all sorts' => sub {
    my $file = upload($exedra, $key, 'later.txt', 'To be read later.', query => '?process=false');
    ok !exists $file->{status}, 'process=false: no status';
    is_deeply $file->{data}, {}, 'nor anything in data';
    is_deeply get("files/$file->{id}/process/status")->{json}, { status => 'pending' }, 'pending when asked';
    is_deeply get("files/$file->{id}")->{json}{data}, {}, 'it stays so';
    $file = upload($exedra, $key, 'now.txt', 'To be read now.', query => '?process_in_background=false');
    is_deeply [@$file{qw(status data)}], [$true, { status => 'pending' }], 'process_in_background=false: the same answer';
    is_deeply get("files/$file->{id}/process/status")->{json}, { status => 'completed' }, 'but it has been read by then';
    $file = done('../../etc/passwd', 'No path.', type => undef);
    is_deeply [@$file{qw(filename)}, $file->{meta}{content_type}], ['passwd', undef], 'a path is a label; no type is null';
    is done('naïve.txt', 'Ümlaut.')->{filename}, 'naïve.txt', 'a name in UTF-8';
    is send_file($exedra, $key, 'a.txt', 'x', metadata => '')->{status}, 200, 'empty metadata are none';
    is send_file($exedra, $key, 'a.txt', 'x', metadata => 'null')->{status}, 200, 'nor is null';
    for my $bad ('{x', '[1]', '5', '"x"') {
        is_deeply told(send_file($exedra, $key, 'a.txt', 'x', metadata => $bad)), [400, '[ERROR: Invalid metadata format]'], "metadata $bad";
    }
    my $missing = [{ type => 'missing', loc => ['body', 'file'], msg => 'Field required', input => undef }];
    is_deeply told(send_form($exedra, $key, '/api/v1/files', part(metadata => '{}'))), [422, $missing], 'no file in the form';
    is_deeply told(send_form($exedra, $key, '/api/v1/files', part(file => 'words'))), [422, $missing], 'a field instead of one';
    is_deeply told(http($exedra, POST => '/api/v1/files', key => $key)), [422, $missing], 'no form';
    is http($exedra, POST => '/api/v1/files', key => $key, json => {})->{status}, 415, 'JSON is none';
    is send_form($exedra, $key, '/api/v1/files', part(other => 'x', filename => 'a.txt'))->{status}, 400, 'a file that nobody expects';
    is send_file($exedra, $key, 'a.txt', 'x', query => '?process=maybe')->{status}, 422, 'neither true nor false';
    for my $slash ('', '/') {
        is send_form($exedra, $key, "/v1/files$slash", part(file => 'Slash.', filename => 'slash.txt'))->{status}, 200, "/v1/files$slash";
    }
};

subtest 'what cannot be read' => sub {
    my %bad = ('empty.txt' => ['', $EMPTY], 'blank.txt' => [" \n\t ", $EMPTY], 'broken.pdf' => ["%PDF-1.7\nno", qr/./],
        'noise.bin' => [join('', map { chr int rand 256 } 1 .. 4000), qr/./]);
    for my $name (sort keys %bad) {
        my ($bytes, $error) = @{ $bad{$name} };
        my $file = upload($exedra, $key, $name, $bytes, type => 'application/octet-stream');
        my $status = read_at_last($exedra, $key, $file->{id});
        is_deeply [sort keys %$status], [qw(error status)], "$name: failed, with the reason";
        is $status->{status}, 'failed', 'it has';
        ref $error ? like $status->{error}, $error, 'in words' : is $status->{error}, $error, 'in these words';
        is_deeply get("files/$file->{id}")->{json}{data}, $status, 'the file says so too';
        is_deeply told(post("knowledge/" . collection($exedra, $key, "for $name")->{id} . '/file/add', { file_id => $file->{id} })), [400, $UNREAD],
            'it goes into no collection';
    }
    is psql($db, q{SELECT count(*) FROM exedra.document d JOIN exedra.file f ON f.id = d.file_id WHERE f.state = 'failed'}), 0, 'nothing of them is there';
};

subtest 'how far it is, as a stream' => sub {
    my $file = done('watched.txt', 'Watch me.');
    my $stream = http_stream($exedra, GET => "/api/v1/files/$file->{id}/process/status?stream=true", key => $key);
    like $stream->{headers}{'content-type'}, qr{^text/event-stream\b}, 'an event stream';
    is_deeply [map { $_->{json} } $stream->events], [{ status => 'completed' }], 'one frame, no [DONE]';
    $file = upload($exedra, $key, 'stalled.txt', 'Wait.', query => '?process=false');
    $stream = http_stream($exedra, GET => "/api/v1/files/$file->{id}/process/status?stream=true", key => $key);
    my @seen = ($stream->next(5)->{json});
    post('retrieval/process/file', { file_id => $file->{id} });
    push @seen, map { $_->{json} } $stream->events;
    is_deeply [@seen[0, -1]], [{ status => 'pending' }, { status => 'completed' }], 'until it is read';
    $file = upload($exedra, $key, 'gone.txt', 'Wait.', query => '?process=false');
    my $head = http($exedra, HEAD => "/api/v1/files/$file->{id}/process/status?stream=true", key => $key, timeout => 10);
    is_deeply [@{$head}{qw(status body)}], [200, ''], 'HEAD does not wait for it';
    $stream = http_stream($exedra, GET => "/api/v1/files/$file->{id}/process/status?stream=true", key => $key);
    $stream->next(5);
    remove("files/$file->{id}");
    is_deeply [map { $_->{json} } $stream->events]->[-1], { status => 'not_found' }, 'or is gone';
};

subtest 'lists' => sub {
    my ($one, $two) = map { done("list-$_.txt", "Listed $_.") } 1, 2;
    my $all = get('files');
    shape_is $all->{json}, [$file_shape], 'an array of files';
    is get('files/')->{body}, $all->{body}, 'the same with a slash';
    is_deeply [(grep { $_->{id} eq $one->{id} } @{ $all->{json} })[0]{data}{content}], ['Listed 1.'], 'with their texts';
    is_deeply [grep { exists $_->{data}{content} } @{ get('files?content=false')->{json} }], [], 'content=false: without';
    is_deeply ids(get('files/search?filename=list-*.txt')), [$two->{id}, $one->{id}], 'by name';
    is_deeply ids(get('files/search?filename=LIST-?.txt&skip=1&limit=1')), [$one->{id}], 'case aside, page by page';
    is_deeply ids(get("files/search?filename=list-*.txt&limit=$_")), [$two->{id}], "limit=$_ is one" for 0, 1;
    is scalar @{ ids(get("files/search?filename=list-*.txt&limit=$_")) }, 2, "limit=$_" for 1000, 1001, '9' x 30, -1, 'x', '1e0';
    is_deeply told(get('files/search?filename=list-*.txt&skip=' . '9' x 30)), [404, 'No files found matching the pattern.'], 'behind the last';
    my @odd = ('100%.txt', 'a_b.txt', '[a-z].txt', '(a+)+$.txt');
    my %odd = map { $_ => done($_, "Text of $_.")->{id} } @odd;
    for my $case (['100%25.txt', '100%.txt'], ['a_b.txt', 'a_b.txt'], ['a%3Fb.txt', 'a_b.txt'], ['[a-z]*', '[a-z].txt'], ['(a%2B)%2B$.txt', '(a+)+$.txt'], ['%25'], ['_____'],
        ['.*'], ['%5C%25'], ['%5C*'], ['*a' x 300]) {
        my ($pattern, @names) = @$case;
        my $got = get("files/search?filename=$pattern");
        is_deeply $got->{status} == 404 ? [] : ids($got), [map { $odd{$_} } @names], substr("only * and ? mean something: $pattern", 0, 60);
    }
    remove("files/$_") for values %odd;
    is_deeply told(get('files/search?filename=list')), [404, 'No files found matching the pattern.'], 'none';
    is_deeply told(get('files/search')), [422, [{ type => 'missing', loc => ['query', 'filename'], msg => 'Field required', input => undef }]],
        'no name';
};

subtest 'texts and bytes' => sub {
    my $file = done('page.html', '<p>Deep <b>water</b></p>', type => 'text/html');
    like get("files/$file->{id}/data/content")->{json}{content}, qr/Deep water/, 'what was read in it';
    my $got = get("files/$file->{id}/content");
    is $got->{body}, '<p>Deep <b>water</b></p>', 'its bytes';
    is_deeply [map { $got->{headers}{$_} } qw(content-type content-disposition x-content-type-options)],
        ['text/html', "attachment; filename*=UTF-8''page.html", 'nosniff'], 'to be kept, not to be run';
    is_deeply [@{ get("files/$file->{id}/content", headers => { Range => $_ }) }{qw(status body)}], [200, '<p>Deep <b>water</b></p>'], 'ranges are passed over'
        for 'bytes=0-3', 'bytes=9-1', 'bytes=99999999999999999999-', 'bytes=' . join ',', map { "$_-" } 0 .. 999;
    my $long = done('long.txt', 'Long.', type => 'text/plain; charset=' . 'x' x 6000);
    is get("files/$long->{id}/content")->{headers}{'content-type'}, 'application/octet-stream', 'a type too long for a header is none';
    $got = get("files/$file->{id}/content/html");
    is_deeply [$got->{status}, $got->{body}, map { $got->{headers}{$_} } qw(content-disposition content-security-policy)],
        [200, '<p>Deep <b>water</b></p>', undef, "sandbox; default-src 'none'"], 'or to be shown, with nothing in it that runs';
    my $text = done('plain ü.txt', 'Plain.');
    ok !exists get("files/$text->{id}/content")->{headers}{'content-disposition'}, 'plain text is shown';
    is get("files/$text->{id}/content?attachment=true")->{headers}{'content-disposition'}, "attachment; filename*=UTF-8''plain%20%C3%BC.txt",
        'unless it is to be kept';
    is get("files/$text->{id}/content/any.txt")->{headers}{'content-disposition'}, "attachment; filename*=UTF-8''plain%20%C3%BC.txt", 'by any name';

    $got = post("files/$text->{id}/data/content/update", { content => 'Another text.' });
    is_deeply $got->{json}, { content => 'Another text.' }, 'given another text';
    is get("files/$text->{id}")->{json}{data}{content}, 'Another text.', 'which it has from then on';
    is get("files/$text->{id}/content")->{body}, 'Plain.', 'the bytes stay';
    is_deeply told(post("files/$text->{id}/data/content/update", {})), [422, [{ type => 'missing', loc => ['body', 'content'],
        msg => 'Field required', input => undef }]], 'none was given';
};

subtest 'what does not exist' => sub {
    for my $id ($random, 'x', '1', '%27', uc $random, "$random-") {
        for my $path ("files/$id", map { "files/$id/$_" } 'process/status', 'process/status?stream=true', 'data/content', 'content', 'content/html',
            'content/a.txt') {
            is_deeply told(get($path)), [404, $NOT_FOUND], "GET $path";
        }
        is_deeply told(remove("files/$id")), [404, $NOT_FOUND], "DELETE files/$id";
        is_deeply told(post("files/$id/data/content/update", { content => 'x' })), [404, $NOT_FOUND], 'nor can it be changed';
    }
    my $file = done('short.txt', 'Gone soon.');
    is_deeply remove("files/$file->{id}")->{json}, { message => 'File deleted successfully' }, 'deleted';
    is_deeply told(get("files/$file->{id}")), [404, $NOT_FOUND], 'is gone';
    is psql($db, "SELECT count(*) FROM exedra.document WHERE title = 'short.txt'"), 0, 'with its documents';
};

subtest 'collections' => sub {
    my $made = collection($exedra, $key, 'Sea Docs');
    shape_is $made, { %$knowledge_shape, files => 'null' }, 'made';
    is_deeply [@$made{qw(id name description write_access)}], ['sea-docs', 'Sea Docs', 'About Sea Docs', $true], 'as it was asked for';
    is_deeply told(post('knowledge/create', { name => 'x' })), [422, [{ type => 'missing', loc => ['body', 'description'], msg => 'Field required',
        input => undef }]], 'a description is required';
    my $got = get('knowledge/sea-docs');
    shape_is $got->{json}, { %$knowledge_shape, files => [] }, 'one';
    is get('knowledge/sea-docs/')->{body}, $got->{body}, 'the same with a slash';
    for my $list ('knowledge', 'knowledge/', 'knowledge/search?query=sea', 'knowledge/?page=1') {
        my $json = get($list)->{json};
        shape_is $json, { items => [{ %$knowledge_shape, files => 'null', user => 'null' }], total => 'int' }, $list;
        ok scalar(grep { $_ eq 'sea-docs' } @{ ids({ json => $json }) }), 'it is there';
    }
    my $array = get('knowledge/list')->{json};
    shape_is $array, [{ %$knowledge_shape, files => 'null', user => 'null' }], 'all of them, as older programs ask';
    ok scalar(grep { $_ eq 'sea-docs' } map { $_->{id} } @$array), 'it is there';
    for my $word (qw(Search List)) {
        my $other = collection($exedra, $key, $word);
        is $other->{id}, lc($word) . '-1', "$word is a word of routes, and no id";
        is get("knowledge/$other->{id}")->{json}{name}, $word, 'so that it can be asked for';
        remove("knowledge/$other->{id}/delete");
    }
    is_deeply get('knowledge/search?query=nothing+like+it')->{json}, { items => [], total => 0 }, 'none';
    is_deeply get("knowledge/?page=$_")->{json}{items}, [], "page $_ is empty" for 99, '9' x 30;
    $got = post('knowledge/sea-docs/update', { name => 'Deep Sea', description => 'Below' });
    is_deeply [@{ $got->{json} }{qw(id name description files)}], ['sea-docs', 'Deep Sea', 'Below', []], 'changed; the id stays';
    is post('knowledge/sea-docs/access/update', { access_grants => [{ principal_type => 'user', principal_id => '*', permission => 'read' }] })->{body},
        get('knowledge/sea-docs')->{body}, 'grants change nothing';
    is_deeply told(post('knowledge/sea-docs/access/update', {})), [422, [{ type => 'missing', loc => ['body', 'access_grants'],
        msg => 'Field required', input => undef }]], 'but must be there';
    is_deeply told(get('knowledge/none')), [404, $NOT_FOUND], 'one that is not there';
    is_deeply told(get('knowledge/none/export')), [400, $NOT_FOUND], 'elsewhere 400';
    is get('knowledge/sea-docs/export')->{status}, 501, 'no archives';
    is post('knowledge/reindex')->{body}, 'true', 'reindex';
    my %body = ('update' => { name => 'x', description => '' }, 'access/update' => { access_grants => [] }, 'files/batch/add' => [],
        map { $_ => { file_id => $random } } 'file/add', 'file/update', 'file/remove');
    for my $verb (sort(keys %body), 'reset') {
        is_deeply told(post("knowledge/none/$verb", $body{$verb})), [400, $NOT_FOUND], "$verb of one that is not there";
        is_deeply told(post("knowledge/sea-docs/$verb", $body{$verb})), [400, $NOT_FOUND], 'or of a file that is not there' if $verb =~ /^file\//;
    }
    is remove('knowledge/sea-docs/delete')->{body}, 'true', 'deleted';
    is_deeply told(remove('knowledge/sea-docs/delete')), [400, $NOT_FOUND], 'once';
};

subtest 'files of a collection' => sub {
    collection($exedra, $key, 'Box');
    my ($one, $two, $copy) = map { done(@$_) } ['one.txt', 'One fish.'], ['two.txt', 'Two fish.'], ['copy.txt', 'One fish.'];
    my $got = post('knowledge/box/file/add', { file_id => $one->{id} });
    shape_is $got->{json}, { %$knowledge_shape, files => [$file_shape] }, 'put in';
    is_deeply [$got->{json}{files}[0]{id}, $got->{json}{files}[0]{meta}{collection_name}], [$one->{id}, 'box'], 'it is there';
    is_deeply [map { $_->{meta}{collection_name} } get("files/$one->{id}")->{json}, grep({ $_->{id} eq $one->{id} } @{ get('files/')->{json} }), get('knowledge/box/files')->{json}{items}[0]],
        ['box', 'box', 'box'], 'and says so wherever it is told of: who tidies up deletes what says file-';
    is get("files/$two->{id}")->{json}{meta}{collection_name}, "file-$two->{id}", 'one of no collection has its own';
    is_deeply ids(post('knowledge/box/file/add', { file_id => $one->{id} })), [$one->{id}], 'twice is once';
    is_deeply told(post('knowledge/box/file/add', { file_id => $copy->{id} })), [400, $DUPLICATE], 'another file with the same text is not taken';
    is_deeply told(post('knowledge/box/file/add', {})), [422, [{ type => 'missing', loc => ['body', 'file_id'], msg => 'Field required',
        input => undef }]], 'no file';
    is_deeply ids(post('knowledge/box/file/update', { file_id => $one->{id} })), [$one->{id}], 'update';
    $got = post('knowledge/box/files/batch/add', [map { { file_id => $_ } } $two->{id}, $copy->{id}, $random]);
    is_deeply ids($got), [$one->{id}, $two->{id}], 'several: those that can be';

    for my $case (['', 2, [$one, $two]], ['?query=two', 1, [$two]], ['?order_by=name&direction=desc', 2, [$two, $one]], ['?page=2', 2, []]) {
        my ($query, $total, $files) = @$case;
        $got = get("knowledge/box/files$query");
        shape_is $got->{json}, { items => [{ %$file_shape, user => 'null' }], total => 'int' }, "files$query";
        is_deeply ids($got), [map { $_->{id} } @$files], 'these';
        is $got->{json}{total}, $total, 'of so many' if @$files;
    }
    $got = get('knowledge/search/files?query=two.txt');
    shape_is $got->{json}, { items => [{ %$file_shape, user => 'null', collection => { %$knowledge_shape, files => 'null' } }], total => 'int' },
        'files of all collections';
    is_deeply [map { $_->{collection}{id} } @{ $got->{json}{items} }], ['box'], 'each with its own';

    is_deeply ids(post('knowledge/box/file/remove?delete_file=false', { file_id => $one->{id} })), [$two->{id}], 'taken out';
    is get("files/$one->{id}")->{status}, 200, 'delete_file=false: it stays';
    is_deeply ids(post('knowledge/box/file/remove', { file_id => $two->{id} })), [], 'taken out';
    is_deeply told(get("files/$two->{id}")), [404, $NOT_FOUND], 'and deleted, if nothing else is said';
    post('knowledge/box/file/add', { file_id => $one->{id} });
    $got = post('knowledge/box/reset');
    is_deeply [@{ $got->{json} }{qw(id files)}], ['box', undef], 'reset';
    is_deeply get('knowledge/box')->{json}{files}, [], 'nothing is in it';
    is get("files/$one->{id}")->{status}, 200, 'the file stays';
};

# The order of published scripts, and of impatient ones: nobody waits for the reading.
subtest 'a file that is still to be read' => sub {
    my $file = upload($exedra, $key, 'slow.txt', 'Slow fish.', query => '?process=false');
    collection($exedra, $key, $_) for 'Early', 'Earlier';
    my $got = post('knowledge/early/file/add', { file_id => $file->{id} });
    is_deeply [$got->{status}, ids($got)], [200, [$file->{id}]], 'goes into a collection';
    is_deeply ids(post('knowledge/earlier/file/add', { file_id => $file->{id} })), [$file->{id}], 'or two';
    is_deeply read_at_last($exedra, $key, $file->{id}), { status => 'completed' }, 'and is read by itself';
    for my $slug ('early', 'earlier') {
        is_deeply ids(get("knowledge/$slug")), [$file->{id}], "$slug: it is there";
        is_deeply [map { json_value($_->{metadata})->{title} } @{ http($exedra, GET => "/v1/workspace/$slug", key => $key)->{json}{workspace}[0]{documents} }],
            ['slow.txt'], 'with its document, at the moment when it is called read';
    }
    is psql($db, 'SELECT count(*) FROM exedra.workspace_file'), 0, 'nobody waits any more';
    my $copy = upload($exedra, $key, 'slow-copy.txt', 'Slow fish.', query => '?process=false');
    is post('knowledge/early/file/add', { file_id => $copy->{id} })->{status}, 200, 'another one with the same text';
    is_deeply read_at_last($exedra, $key, $copy->{id}), { status => 'completed' }, 'is read';
    is_deeply ids(get('knowledge/early')), [$file->{id}], 'but left out, as if it had been ready';
    like $exedra->log_text, qr/event=document_left_out .*code=file_duplicate/, 'which the log tells';
    is psql($db, 'SELECT count(*) FROM exedra.workspace_file'), 0, 'and nobody waits for it';
};

subtest 'without a pool' => sub {
    my $lone = tenant(my $other = database(), 'lone');
    my $cgi = start_cgi(db => $other, settings => { reading() });
    my $file = upload($cgi, $lone->{key}, 'now.txt', 'Nobody else is there.', query => '?process_in_background=false');
    is_deeply http($cgi, GET => "/api/v1/files/$file->{id}/process/status", key => $lone->{key})->{json}, { status => 'completed' }, 'who waits for a file reads it';
    $file = upload($cgi, $lone->{key}, 'later.txt', 'Nobody else is there either.');
    is_deeply read_at_last($cgi, $lone->{key}, $file->{id}), { status => 'completed' }, 'and what nobody waits for is read by and by';
};

subtest 'one house' => sub {
    my $file = done('shared.txt', 'What one uploads the other uses.');
    collection($exedra, $key, 'Shared');
    post('knowledge/shared/file/add', { file_id => $file->{id} });
    my @items = map { @{ $_->{items} } } @{ http($exedra, GET => '/api/v1/documents', key => $key)->{json}{localFiles}{items} };
    my ($seen) = grep { $_->{title} eq 'shared.txt' } @items;
    is_deeply [@$seen{qw(url cached)}], ['file://shared.txt', $true], "AnythingLLM's list shows it";
    is http($exedra, GET => "/api/v1/document/$seen->{name}", key => $key)->{status}, 200, 'and the document';
    is chat($exedra, $key, 'shared', 'Who uses what?')->{json}{sources}[0]{title}, 'shared.txt', 'its workspace answers from it';

    my $document = document($exedra, $key, 'raw', 'Handed in as a raw text.', 'shared');
    my $got = get('knowledge/shared');
    is_deeply [map { $_->{meta}{name} } @{ $got->{json}{files} }], ['shared.txt', 'raw.txt'], 'what AnythingLLM stores is in the collection';
    my $id = $got->{json}{files}[1]{id};
    is_deeply get("files/$id")->{json}{data}, { status => 'completed', content => 'Handed in as a raw text.' }, 'as a file with a text';
    is get("files/$id/content")->{body}, 'Handed in as a raw text.', 'and with bytes';
    my $sent = Exedra::Form::upload($exedra, $key, 'sent.md', "# Sent\n", target => '/api/v1/document/upload', fields => { addToWorkspaces => 'shared' })->{json}{documents}[0];
    ($seen) = grep { $_->{meta}{name} eq 'sent.md' } @{ get('knowledge/shared')->{json}{files} };
    is get("files/$seen->{id}/content")->{body}, "# Sent\n", 'what AnythingLLM uploads is a file, byte for byte';
    is get("files/$seen->{id}")->{json}{data}{content}, $sent->{pageContent}, 'with the same text';
    remove("files/$id");
    is http($exedra, GET => '/api/v1/document/' . ($document->{location} =~ s{.*/}{}r), key => $key)->{status}, 404, 'deleted here, gone there';
};

subtest 'texts, pages and files into collections by name' => sub {
    my $text = 'Tides come twice a day.';
    my %names = (name => 'tides.txt', content => $text);
    my $got = post('retrieval/process/text', \%names);
    is_deeply $got->{json}, { status => $true, collection_name => sha256_hex($text), content => $text }, 'a text by itself: its hash is its collection';
    is_deeply [map { $_->{data}{content} } @{ get('files/search?filename=tides.txt')->{json} }], [$text], 'it is a file';
    post('retrieval/process/text', \%names);
    is scalar @{ get('files/search?filename=tides.txt')->{json} }, 1, 'the same again takes its place';
    $got = post('retrieval/process/text', { %names, collection_name => 'Tide Tables' });
    is_deeply $got->{json}, { status => $true, collection_name => 'tide-tables', content => $text }, 'a collection that is not there is made';
    post('retrieval/process/text', { name => 'moon.txt', content => 'The moon pulls.', collection_name => $_ }) for 'Tide Tables', 'tide-tables';
    is_deeply [map { $_->{meta}{name} } @{ get('knowledge/tide-tables')->{json}{files} }], ['tides.txt', 'moon.txt'], 'and found again';
    # Of these names nothing is left in a slug, or not all: they are one collection each time.
    for my $name ("\x{6587}\x{66f8}", "\x{6587}\x{66f8}\x{5eab}", 'L' x 300) {
        my @into = map { post('retrieval/process/text', { name => "$_.txt", content => "Gulls cry $_ times.", collection_name => $name })->{json}{collection_name} } 2, 3;
        is $into[1], $into[0], 'found again: ' . substr $name, 0, 9;
        is scalar @{ post('retrieval/query/doc', { collection_name => $name, query => 'gulls' })->{json}{documents}[0] }, 2, 'and searched';
    }
    my $rooms = sub { psql($db, 'SELECT count(*) FROM exedra.workspace') };
    my $made = $rooms->();
    my @raced = in_parallel(8, sub {
        my $got = post('retrieval/process/text', { name => "$_[0].txt", content => "Terns cry $_[0] times.", collection_name => 'Birds ' . int $_[0] / 8 });
        return { into => $got->{json}{collection_name} };
    }, 0 .. 63);
    is_deeply [map { $_->{into} } @raced], [map { 'birds-' . int $_ / 8 } 0 .. 63], 'many at once: into one';
    is $rooms->(), $made + 8, 'that is made once';
    post('retrieval/process/text', { name => 'x', content => "\n ", collection_name => 'Left 1' });
    post('retrieval/process/web', { url => $_, collection_name => 'Left 2' }) for 'nowhere at all', "$site/none";
    post('retrieval/process/web?process=false', { url => "$site/page", collection_name => 'Left 3' });
    post('retrieval/process/file', { file_id => $random, collection_name => 'Left 4' });
    is $rooms->(), $made + 8, 'none for what comes to nothing';
    my $missing = sub { return [422, [{ type => 'missing', loc => ['body', $_[0]], msg => 'Field required', input => undef }]] };
    is_deeply told(post('retrieval/process/text', { name => 'x' })), $missing->('content'), 'no text';
    is_deeply told(post('retrieval/process/text', { content => 'x' })), $missing->('name'), 'no name';
    is_deeply told(post('retrieval/process/text', { name => 'x', content => "\n " })), [400, $EMPTY], 'an empty one';
    is post('retrieval/process/text', { %names, collection_name => 'tide-tables' }, key => $cyd->{key})->{status}, 403,
        'collections are not for everybody to fill';
    is post('retrieval/process/text', \%names, key => $cyd->{key})->{status}, 200, 'but a text of their own is';

    my $url = "$site/page?x=1";
    $got = post('retrieval/process/web', { url => $url });
    my $content = $got->{json}{file}{data}{content};
    like $content, qr/The river flows to the sea\./, 'a page';
    is_deeply $got->{json}, { status => $true, collection_name => substr(sha256_hex($url), 0, 63), filename => $url,
        file => { data => { content => $content }, meta => { name => $url, source => $url } } }, 'in this shape';
    $got = post('retrieval/process/web?overwrite=false', { url => $url, collection_name => 'tide-tables' });
    is $got->{json}{collection_name}, 'tide-tables', 'into a collection';
    is_deeply [map { $_->{meta}{name} } @{ get('knowledge/tide-tables')->{json}{files} }], ['tides.txt', 'moon.txt', $url], 'it is there, and nothing else has gone';
    my $before = fingerprint($db);
    like post('retrieval/process/web?process=false', { url => $url })->{body}, qr/^\{"status":true,"content":"[^"]*The river flows to the sea/, 'process=false: the text';
    is fingerprint($db), $before, 'is kept nowhere';
    for my $bad ("$site/none", 'http://169.254.169.254/', 'http://10.0.0.1/', 'file:///etc/passwd', 'nonsense://x', '') {
        $got = post('retrieval/process/web', { url => $bad });
        is $got->{status}, 400, "'$bad' is refused";
        like $got->{json}{detail}, qr/^\[ERROR: .+\]$/, 'in the form of the contract';
    }
    is fingerprint($db), $before, 'nothing was stored';

    my $file = upload($exedra, $key, 'by-hand.txt', 'Read by hand.', query => '?process=false');
    $got = post('retrieval/process/file', { file_id => $file->{id} });
    is_deeply $got->{json}, { status => $true, collection_name => "file-$file->{id}", filename => 'by-hand.txt', content => 'Read by hand.' }, 'a file is read at once';
    $got = post('retrieval/process/file', { file_id => $file->{id}, content => 'Another text.', collection_name => 'tide-tables' });
    is_deeply [@{ $got->{json} }{qw(collection_name content)}], ['tide-tables', 'Another text.'], 'or given a text, and put into a collection';
    is get("files/$file->{id}/data/content")->{json}{content}, 'Another text.', 'which it has from then on';
    is get('knowledge/tide-tables')->{json}{files}[-1]{id}, $file->{id}, 'and is in';
    my $broken = upload($exedra, $key, 'broken.pdf', "%PDF-1.7\nno", query => '?process=false');
    like told(post('retrieval/process/file', { file_id => $broken->{id} }))->[1], qr/^\[ERROR: .+\]$/, 'one that cannot be read';
    is_deeply told(post('retrieval/process/file', { file_id => $random })), [404, $NOT_FOUND], 'one that is not there';
    is_deeply told(post('retrieval/process/file', {})), $missing->('file_id'), 'none';

    my ($first, $second) = map { done(@$_) } ['first.txt', 'First of several.'], ['second.txt', 'Second of several.'];
    my $third = upload($exedra, $key, 'third.txt', 'Third of several.', query => '?process=false');
    $got = post('retrieval/process/files/batch', { collection_name => 'Several', files => [map({ get("files/$_->{id}")->{json} } $first, $second, $third), { id => $random }, { id => $broken->{id} }] });
    is_deeply $got->{json}{results}, [(map { { file_id => $_->{id}, status => 'completed', error => undef } } $first, $second), { file_id => $third->{id}, status => 'pending', error => undef }],
        'several files at once, read or not';
    is_deeply $got->{json}{errors}, [{ file_id => $random, status => 'failed', error => $NOT_FOUND }, { file_id => $broken->{id}, status => 'failed', error => $UNREAD }], 'what cannot be put in, and why';
    read_at_last($exedra, $key, $third->{id});
    is_deeply ids(get('knowledge/several')), [map { $_->{id} } $first, $second, $third], 'the others are in';
    is_deeply told(post('retrieval/process/files/batch', { files => [] })), $missing->('collection_name'), 'no collection';
    is_deeply told(post('retrieval/process/files/batch', { collection_name => 'x' })), $missing->('files'), 'no files';
    is_deeply told(post('retrieval/process/files/batch', { collection_name => 'x', files => [{}] })), $missing->('files.id'), 'one that is none';
    is post('retrieval/process/files/batch', { collection_name => 'Several', files => [] }, key => $cyd->{key})->{status}, 403, 'not for everybody';
};

subtest 'rights' => sub {
    my $own = upload($exedra, $bea->{key}, 'own.txt', "Bea's own.");
    read_at_last($exedra, $bea->{key}, $own->{id});
    is $own->{user_id}, psql($db, q(SELECT id FROM exedra.account WHERE username = 'bea')), 'an account uploads; the file is its own';
    my $hers = done('hidden.txt', 'Not for Bea.');
    my $open = done('open.txt', 'For those who are let in.');
    collection($exedra, $key, $_) for 'Open Room', 'Shut Room';
    post('knowledge/open-room/file/add', { file_id => $open->{id} });
    post('knowledge/shut-room/file/add', { file_id => $hers->{id} });
    my @as_bea = (key => $bea->{key});
    is_deeply ids(get('files', @as_bea)), [$own->{id}], 'it sees its own files';
    is_deeply ids(get('knowledge', @as_bea)), [], 'and no collection';
    exedractl($db, qw(account grant acme bea open-room));
    is_deeply [sort @{ ids(get('files', @as_bea)) }], [sort $own->{id}, $open->{id}], 'let into one: its files too';
    is_deeply [map { [$_->{id}, $_->{write_access}] } @{ get('knowledge', @as_bea)->{json}{items} }], [['open-room', $false]], 'to be read';
    is get("files/$open->{id}", @as_bea)->{json}{data}{content}, 'For those who are let in.', 'whole';
    for my $path ("files/$hers->{id}", "files/$hers->{id}/content", "files/$hers->{id}/data/content", 'knowledge/shut-room') {
        is get($path, @as_bea)->{body}, get($path =~ s/\Q$hers->{id}/$random/r =~ s/shut-room/no-room/r, @as_bea)->{body}, "$path does not exist for it";
    }
    for my $id ($hers->{id}, $open->{id}) {
        is_deeply told(remove("files/$id", @as_bea)), [404, $NOT_FOUND], 'it deletes no file but its own';
        is_deeply told(post("files/$id/data/content/update", { content => 'x' }, @as_bea)), [404, $NOT_FOUND], 'and changes none';
    }
    is_deeply told(get("files/$own->{id}/content/html")), [404, $NOT_FOUND], 'what it hands in is not shown by a browser';
    is post('knowledge/open-room/file/add', { file_id => $own->{id} }, @as_bea)->{status}, 403, 'it puts nothing into collections';
    is remove('files/all', @as_bea)->{status}, 403, 'nor deletes all';
    is_deeply remove("files/$own->{id}", @as_bea)->{json}, { message => 'File deleted successfully' }, 'but its own';
    my $beta = tenant($db, 'beta');
    is_deeply get('files', key => $beta->{key})->{json}, [], 'another tenant sees nothing';
    is_deeply told(get("files/$open->{id}", key => $beta->{key})), [404, $NOT_FOUND], 'of it';
    is_deeply remove('files/all', key => $beta->{key})->{json}, { message => 'All files deleted successfully' }, 'and deletes all of its own';
    is get("files/$open->{id}")->{status}, 200, 'only';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
