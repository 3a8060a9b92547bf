# Uploads as AnythingLLM's contract says (endpoints 15 and 16, sections 2.3 and 3.3): what a file becomes, where it lies, what comes
# with it; the same file again; and forms and files that strangers send.  What is refused leaves nothing behind.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;
use Exedra::Form;
use Encode ();
use Exedra::Hostile ();
use Exedra::OpenWebUI ();
use Exedra::Samples qw(xlsx docx docx_paragraphs pdf_pages pdf_locked zip_archive zip_bomb);

my $db = database();
my $exedra = start_exedra(db => $db);
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $key = $acme->{key};
workspace($exedra, $key, $_) for qw(Alpha Beta);

sub get { return http($exedra, GET => "/v1/$_[0]", key => $key) }
sub name_of { return $_[0]{location} =~ s{.*/}{}r }
sub sent { return upload($exedra, $key, @_) }
sub book { my $n = 0; return xlsx([map { ('Sheet ' . ++$n => qq{<row r="1"><c r="A1" t="inlineStr"><is><t>$_</t></is></c></row>}) } @_]) }
sub docpaths { return [map { $_->{docpath} } @{ get("workspace/$_[0]")->{json}{workspace}[0]{documents} }] }

# The bytes that the database holds of the file that was stored last.
sub bytes_of_last {
    return pack 'H*', psql($db, "SELECT encode(string_agg(bytes, '' ORDER BY no), 'hex') FROM exedra.file_part
        WHERE file_id = (SELECT max(id) FROM exedra.file)");
}

# Everything but what is only there for a while.
sub files { return psql($db, 'SELECT count(*) FROM exedra.file') . ' ' . psql($db, 'SELECT count(*) FROM exedra.document_version') }

subtest 'a file' => sub {
    my $got = sent('whale.txt', "The blue  whale \"x\"\nis large.\n", type => 'text/plain');
    is $got->{status}, 200, 'is stored';
    shape_is $got->{json}, { success => 'bool', error => 'null', documents => [$shape{stored_document}] }, 'and shown';
    is plain($got->{body}), '{"success":true,"error":null,"documents":[{"id":"<uuid>","url":"file://whale.txt","title":"whale.txt",'
        . '"docAuthor":"Unknown","description":"Unknown","docSource":"a text file uploaded by the user.","chunkSource":"",'
        . '"published":"<published>","wordCount":6,"pageContent":"The blue  whale \"x\"\nis large.\n","token_count_estimate":8,'
        . '"location":"custom-documents/whale.txt-<uuid>.json","isDirectUpload":false}]}', 'to the byte';
    my $document = document_of($got);
    like $document->{location}, qr/-\Q$document->{id}\E\.json$/, 'the id is in the location';
    is get('document/' . name_of($document))->{json}{document}{id}, $document->{id}, 'it is found by its name';
    is bytes_of_last(), "The blue  whale \"x\"\nis large.\n", 'its bytes are kept';
};

subtest 'names' => sub {
    my @names = (['My File (1).md', 'My-File-(1).md'], ['résumé.txt', 'resume.txt'], ['A & B.txt', 'A-and-B.txt'], ['日本.txt', '.txt'],
        ['a+b~c!d@e:f.txt', 'a+b~c!d@ef.txt'], ['noext', 'noext'], ['UPPER.TXT', 'UPPER.TXT']);
    for my $case (@names) {
        my ($name, $stem) = @$case;
        my $document = document_of(sent($name, "A text about names.\n"));
        is $document->{location}, "custom-documents/$stem-$document->{id}.json", $name;
        is_deeply [@$document{qw(title url)}], [$name, "file://$name"], 'is its title as it is';
    }
    my $long = document_of(sent('é' x 300 . '.txt', 'A text.'));
    is $long->{title}, 'é' x 127, 'a long one is cut to 255 bytes at a character';
    cmp_ok length name_of($long), '<=', 255, 'and so is what is made of it';
};

# Whatever it is called, it becomes one segment of a label, and nothing else happens.
subtest 'names that are no names' => sub {
    my @names = ('../../etc/passwd', '..\\\\..\\\\x.txt', 'C:\\\\x.txt', '/etc/passwd', '--help.pdf', '-ox.pdf', '@x', '$(id).txt', '`id`.txt',
        ';rm -rf.txt', "\x{ff0f}\x{2215}\x{29f8}\x{ff0e}\x{ff0e}.txt", '%2e%2e%2fx.txt', '...', ' ', "'; DROP TABLE x; --.txt",
        '<script>.txt', "\x{202e}txt.exe", 'CON', 'nul.txt', '.htaccess', 'a' x 900 . '.txt', "\x{1f40b}" x 240);
    for my $name (@names) {
        my $got = sent($name, "A plain text.\n");
        is $got->{status}, 200, json_text($name) or diag $got->{body};
        my $document = document_of($got);
        like $document->{location}, qr{^custom-documents/[^/\\"<>\s]{1,250}\.json$}, 'has a location';
        unlike $document->{title}, qr{[/\\\x00-\x1f]}, 'and a title without a path';
        cmp_ok length(Encode::encode('UTF-8', $document->{title})), '<=', 255, 'that is short';
    }
    my %disposition = ('filename*' => q(form-data; name="file"; filename*=UTF-8''..%2f..%2fx.txt),
        'both' => q(form-data; name="file"; filename="a.txt"; filename*=UTF-8''..%5cb.txt));
    my %title = ('filename*' => 'x.txt', both => 'b.txt');
    for my $what (sort keys %disposition) {
        my $got = upload_form($exedra, form(part(file => 'A text.', disposition => $disposition{$what})), key => $key);
        is document_of($got)->{title}, $title{$what}, "$what is read";
    }
};

subtest 'into a folder' => sub {
    my $got = sent('whale.txt', "In a folder.\n", target => '/v1/document/upload/my%20folder');
    my $document = document_of($got);
    is $document->{location}, "my folder/whale.txt-$document->{id}.json", 'a new one';
    is $document->{name}, name_of($document), 'the name is told';
    like $got->{body}, qr/"isDirectUpload":false,"name":"[^"]+"\}\]\}$/, 'at the end';
    my $listed = get('documents/folder/my%20folder')->{json}{documents};
    is_deeply [map { $_->{id} } @$listed], [$document->{id}], 'it is listed there';
    $got = sent('whale.txt', "In a folder.\n", target => '/v1/document/upload/custom-documents/');
    like document_of($got)->{location}, qr{^custom-documents/}, 'the one that is there anyway';
    ok !exists document_of($got)->{name}, 'is no move';

    my $before = files();
    for my $folder ('..%2fx', '%2e%2e', 'a%00b', 'a%2Fb', 'a%5cb', '%20', '...', 'x' x 256, '%0a', '%ff', '.') {
        my $refused = sent('whale.txt', "In a folder.\n", target => "/v1/document/upload/$folder");
        like $refused->{status}, qr/^40[04]$/, "no folder $folder" or diag $refused->{body};
    }
    is files(), $before, 'nothing was stored';
    my $theirs = upload($exedra, $beta->{key}, 'whale.txt', "Beta's.\n", target => '/v1/document/upload/my%20folder');
    is $theirs->{status}, 200, 'another tenant has a folder of that name';
    is_deeply [map { $_->{id} } @{ get('documents/folder/my%20folder')->{json}{documents} }], [$document->{id}], 'of its own';
};

subtest 'metadata' => sub {
    my %given = (title => 'A title', docAuthor => 'Anna', description => 'About "x"', docSource => 'tag:é', chunkSource => 'link://x');
    my $document = document_of(sent('m.txt', 'Words.', fields => { metadata => json_text({ %given, id => 'x', wordCount => 99 }) }));
    is_deeply { map { $_ => $document->{$_} } keys %given }, \%given, 'is kept';
    is $document->{wordCount}, 1, 'what is no metadata is passed over';
    $document = document_of(sent('m.txt', 'Words.', fields => { metadata => json_text({ title => '', docAuthor => undef }) }));
    is_deeply [@$document{qw(title docAuthor)}], ['m.txt', 'Unknown'], 'what is empty is not given';
    is document_of(sent('m.txt', 'Words.', fields => { metadata => $_ }))->{title}, 'm.txt', "'$_' is none" for '', 'null', '{}';
    my $before = files();
    my @bad = (['{title:x}', 'no JSON'], ['[1]', 'an array'], ['"x"', 'a string'], ['{"depth":' x 100 . '1' . '}' x 100, 'deep'],
        [json_text({ title => 'x' x (2 << 20) }), 'long'], [json_text({ title => 5 }), 'a title that is none'],
        ["{\"title\":\"\xff\"}", 'no UTF-8'], ["{}\0", 'a NUL']);
    for my $case (@bad) {
        my $got = sent('m.txt', 'Words.', fields => { metadata => $case->[0] });
        is $got->{status}, 422, "$case->[1] is refused";
        like $got->{json}{error}, qr/^(?:metadata|title)\b/, 'by name';
    }
    is files(), $before, 'nothing was stored';
};

subtest 'addToWorkspaces' => sub {
    my $document = document_of(sent('shared.txt', 'Shared.', fields => { addToWorkspaces => ' ALPHA ,, beta,none,alpha' }));
    is_deeply docpaths($_), [$document->{location}], "it is in $_, once" for qw(alpha beta);
    my $got = sent('sheets.xlsx', book('a', 'b'), fields => { addToWorkspaces => 'alpha' });
    is_deeply [sort @{ docpaths('alpha') }], [sort $document->{location}, map { $_->{location} } @{ $got->{json}{documents} }],
        'all documents of a file are' or diag $got->{body};
    my $before = files();
    $got = upload_form($exedra, form((part(addToWorkspaces => 'alpha')) x 2, part(file => 'x', filename => 'x.txt')), key => $key);
    is "$got->{status} $got->{body}", '422 {"success":false,"error":"addToWorkspaces must be a string of comma-separated workspace slugs.'
        . ' Got object"}', 'twice is refused';
    is files(), $before, 'nothing was stored';
};

subtest 'kinds' => sub {
    my @kinds = (
        ['page.html', '<html><head><title>Page</title></head><body><script>x()</script><p>Text &amp; more</p></body></html>', qr/^Text & more\s*$/,
            'a text file uploaded by the user.'],
        ['table.csv', "a,b\n1,2\n", qr/1,2/, 'a text file uploaded by the user.'],
        ['paper.docx', docx(docx_paragraphs('A paragraph.')), qr/^A paragraph\.\s*$/, 'docx file uploaded by the user.'],
        ['paper.PDF', pdf_pages([[[72, 700, 'A page.']]]), qr/A page\./, 'pdf file uploaded by the user.'],
        ['no-extension', 'Only text.', qr/^Only text\.$/, 'a text file uploaded by the user.'],
        ['liar.pdf', "Plain text with a false name.\n", qr/^Plain text/, 'a text file uploaded by the user.'],
        ['latin.txt', "caf\xe9", qr/^café$/, 'a text file uploaded by the user.'],
    );
    for my $case (@kinds) {
        my ($name, $bytes, $text, $source) = @$case;
        my $got = sent($name, $bytes);
        is $got->{status}, 200, $name or diag $got->{body};
        like document_of($got)->{pageContent}, $text, 'is read';
        is document_of($got)->{docSource}, $source, 'for what it is';
    }
    my $mails = join '', map { "From x\@y Mon Jan  1 00:00:00 2024\nFrom: Anna <anna\@x.org>\nSubject: Mail $_\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\nText $_.\n\n" } 1, 2;
    my $got = sent('box.mbox', $mails);
    is_deeply [map { $_->{title} } @{ $got->{json}{documents} }], ['Mail-1.mbox', 'Mail-2.mbox'], 'a document for each mail' or diag $got->{body};
    is_deeply [map { $_->{pageContent} =~ /(Text \d)/ } @{ $got->{json}{documents} }], ['Text 1', 'Text 2'], 'with its text';
    $got = sent('book.xlsx', book('a', 'b'));
    my @documents = @{ $got->{json}{documents} };
    is scalar(@documents), 2, 'a document for each sheet';
    my ($folder) = $documents[0]{location} =~ m{^(book\.xlsx-[0-9a-f]{4})/sheet-} or diag $got->{body};
    is_deeply [map { $_->{location} =~ m{^\Q$folder\E/sheet-} ? 1 : 0 } @documents], [1, 1], 'in a folder of its own';
    like $documents[1]{title}, qr/^book\.xlsx - Sheet:/, 'called by both names';
};

subtest 'the same again' => sub {
    my $versions = sub { psql($db, 'SELECT count(*) FROM exedra.document_version') };
    my @bytes = (['twin.txt', "The same words.\n"], ['twin.xlsx', book('one', 'two')]);
    for my $case (@bytes) {
        my ($name, $bytes) = @$case;
        my $first = sent($name, $bytes);
        my $before = $versions->();
        my $second = sent($name, $bytes);
        my @ids = map { map { $_->{id} } @{ $_->{json}{documents} } } $first, $second;
        is scalar(keys %{ { map { $_ => 1 } @ids } }), scalar(@ids), "$name: other documents";
        is plain($second->{body} =~ s/xlsx-[0-9a-f]{4}/<own>/gr), plain($first->{body} =~ s/xlsx-[0-9a-f]{4}/<own>/gr), 'but for their ids the same';
        is $versions->(), $before, 'which share their texts';
        my $folder = document_of($second)->{location} =~ s{/.*}{}r;
        my $other = sent($name, $bytes, target => '/v1/document/upload/elsewhere');
        like document_of($other)->{location}, qr{^elsewhere/}, 'in another folder';
        is $versions->(), $before, 'too';
        sent($name, $bytes, fields => { metadata => '{"title":"Another"}' });
        cmp_ok $versions->(), '>', $before, 'under another title it is another text';
        $before = $versions->();
        my $titled = sent($name, $bytes, fields => { metadata => '{"title":"Another"}' });
        is document_of($titled)->{title}, 'Another', 'which keeps it';
        is $versions->(), $before, 'and is shared in its turn';
        cmp_ok http($exedra, DELETE => '/v1/system/remove-documents', key => $key, json => { names => [document_of($first)->{location}] })->{status},
            '==', 200, 'one of them goes';
        is get('document/' . name_of(document_of($second)))->{status}, 200, 'the other stays';
    }
    # What is not all there any more is read anew.
    my $sheets = sent('torn.xlsx', book('left', 'right'));
    http($exedra, DELETE => '/v1/system/remove-documents', key => $key, json => { names => [document_of($sheets)->{location}] });
    is scalar @{ sent('torn.xlsx', book('left', 'right'))->{json}{documents} }, 2, 'a file of which a part was deleted';
    psql($db, "UPDATE exedra.document SET changed_at = now() + interval '1 s' WHERE title = 'twin.txt'");
    my $before = $versions->();
    is document_of(sent('twin.txt', "The same words.\n"))->{pageContent}, "The same words.\n", 'one that was given another text';
    is $versions->(), $before + 1, 'are read';
    $before = $versions->();
    is document_of(upload($exedra, $beta->{key}, 'twin.txt', "The same words.\n"))->{title}, 'twin.txt', 'another tenant';
    is $versions->(), $before + 1, 'shares nothing';
};

# [what, status, error, body of the form, more for http()].
my $good = part(file => "A text.\n", filename => 'a.txt');
my @bad = (
    ['no form at all', 415, qr/multipart/, '{"a":1}', headers => { 'Content-Type' => 'application/json' }],
    ['no content type', 415, qr/multipart/, form($good), headers => { 'Content-Type' => undef }],
    ['a form without a boundary', 400, qr/./, form($good), headers => { 'Content-Type' => 'multipart/form-data' }],
    ['a boundary of 71', 400, qr/./, form($good), headers => { 'Content-Type' => 'multipart/form-data; boundary=' . 'x' x 71 }],
    ['a boundary of a million', '400/415/431', qr/./, form($good), headers => { 'Content-Type' => 'multipart/form-data; boundary=x' . '-' x 1_000_000 }],
    ['another boundary', 400, qr/boundary/, form($good), headers => { 'Content-Type' => 'multipart/form-data; boundary=other' }],
    ['nothing', 400, qr/./, ''],
    ['no end', 400, qr/boundary/, form($good) =~ s/--\r\n\z//r],
    ['no end, cut in the file', 400, qr/boundary/, substr form($good), 0, 100],
    ['only the end', 400, qr/no file/, "--$BOUNDARY--\r\n"],
    ['no file', 400, qr/no file/, form(part(metadata => '{}'))],
    ['a file without a name', 400, qr/no file/, form(part(file => 'x', filename => ''))],
    ['a name that is a path', 400, qr/no file/, form(part(file => 'x', filename => '../..'))],
    ['a field for a file', 400, qr/no file/, form(part(file => 'x'))],
    ['two files', 400, qr/^Invalid file upload\. Unexpected field$/, form($good, $good)],
    (map { ["the field $_->[0]", 400, $_->[1], form(part($_->[2], 'x', filename => 'a.txt'))] } ['file[]', qr/Unexpected field/, 'file[]'],
        ['FILE', qr/Unexpected field/, 'FILE'], ['of 10,000 letters', qr/./, 'x' x 10_000]),
    ['a part without a disposition', 400, qr/Content-Disposition/, form("Content-Type: text/plain\r\n\r\nx")],
    ['a part without a name', 400, qr/name/, form(part(x => 'x', disposition => 'form-data; filename="a.txt"'))],
    ['a header of a megabyte', 400, qr/header/, form(part(file => 'x', filename => 'a.txt', headers => ['X-Long: ' . 'x' x (1 << 20)]))],
    ['a name twice', 400, qr/two names/, form(part(file => 'x', disposition => 'form-data; name="file"; filename="a.txt"; filename="b.txt"'))],
    ['a NUL in the name', 400, qr/./, form(part(file => 'x', filename => "a.txt\0.sh"))],
    ['a name of 4,096', 400, qr/./, form(part(file => 'x', filename => 'x' x 4096))],
    ['a boundary in the file', 400, qr/boundary/, form(part(file => "x\r\n--$BOUNDARY x", filename => 'a.txt'))],
    (map { ["bytes in $_", 400, qr/encoding/, form(part(file => 'eA==', filename => 'a.txt', headers => ["Content-Transfer-Encoding: $_"]))] }
        qw(base64 quoted-printable)),
    ['10,000 parts', 400, qr/parts/, form((part(x => 'x')) x 10_000, $good)],
    ['a coded body', 415, qr/Content-Encoding/, form($good), headers => { 'Content-Encoding' => 'gzip' }],
    ['a body shorter than announced', 400, qr/./, form($good), params => { CONTENT_LENGTH => 5000 }],
    ['a body longer than announced', 400, qr/./, form($good), params => { CONTENT_LENGTH => 100 }],
    ['more than there may be, announced', 413, qr/larger than 256 MiB/, '', params => { CONTENT_LENGTH => (256 << 20) + 1 }],
);
subtest 'forms that are refused' => sub {
    my $before = fingerprint($db);
    for my $case (@bad) {
        my ($what, $status, $error, $body, %with) = @$case;
        my $got = upload_form($exedra, $body, key => $key, %with);
        is join(' ', sort keys %{ $got->{json} // {} }), 'error success', "$what: in the form of the contract";
        Exedra::Hostile::check_reply($what, $got, $status);
        like $got->{json}{error}, $error, 'is told';
    }
    is fingerprint($db), $before, 'nothing was stored';
};

subtest 'files that are refused' => sub {
    my $before = fingerprint($db);
    my @files = (['empty.txt', '', qr/^No text content found in empty\.txt\.$/], ['blank.txt', " \n\t\n", qr/^No text content found in blank\.txt\.$/],
        ['broken.pdf', "%PDF-1.4\nnothing of a kind", qr/./], ['locked.pdf', pdf_locked([[[72, 700, 'A page.']]], 'secret'), qr/./], ['program.pdf', "\x7fELF\2\1\1" . "\0" x 200, qr/./],
        ['program.exe', "MZ" . join('', map { chr $_ % 256 } 1 .. 4000), qr/^File extension \.exe not supported/],
        ['archive.zip', zip_archive('a.txt' => 'A text.'), qr/./], ['cut.docx', substr(docx(docx_paragraphs('A paragraph.' x 100)), 0, 700), qr/./]);
    for my $case (@files) {
        my ($name, $bytes, $error) = @$case;
        my $got = sent($name, $bytes);
        Exedra::Hostile::check_reply($name, $got, 422);
        is_deeply [@{ $got->{json} }{qw(success documents)}], [JSON::PP::false(), []], 'in the form of the contract';
        like $got->{json}{error}, $error, 'is told';
    }
    is fingerprint($db), $before, 'nothing was stored';
};

subtest 'forms that are odd, and good' => sub {
    for my $content ("x\r\n--", "x\r", "x\r\n", "\r\n\r\nx\n", "x--$BOUNDARY--", "x\r\n--" . substr($BOUNDARY, 0, -1) . 'x') {
        my $got = upload_form($exedra, form(part(file => "$content", filename => 'a.txt')), key => $key);
        is $got->{status}, 200, 'content ' . json_text($content) or diag $got->{body};
        is bytes_of_last(), $content, 'to the byte';
    }
    my $boundary = 'x' x 70;
    my $got = upload_form($exedra, form($good) =~ s/\Q$BOUNDARY\E/$boundary/gr, key => $key,
        headers => { 'Content-Type' => "multipart/form-data; boundary=\"$boundary\"" });
    is $got->{status}, 200, 'a boundary of 70';
    like upload_form($exedra, 'x' x (1 << 20) . "\r\n" . form($good) . 'y' x (1 << 20), key => $key)->{status}, qr/^(?:200|400)$/, 'a megabyte around it';
    is upload_form($exedra, form($good), key => $key, params => { CONTENT_LENGTH => undef })->{status}, 200, 'no length announced';
    is document_of(upload_form($exedra, form($good, part(metadata => '{"title":"Behind"}')), key => $key))->{title}, 'Behind', 'fields behind the file';
    is upload_form($exedra, form(part(other => 'x' x (1 << 20)), $good), key => $key)->{status}, 200, 'a long field that nobody wants';
    is upload_form($exedra, form(part(other => '', filename => ''), $good), key => $key)->{status}, 200, 'a file field left empty';
};

# One that goes in the middle leaves nothing, neither rows nor descriptors.
subtest 'a client that goes' => sub {
    # Connections to the database come as they are needed and stay.
    my $open = sub {
        my $n = -psql($db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'exedra'");
        $n += fds($_) for $exedra->pids;
        return $n;
    };
    my ($before, $fds) = (fingerprint($db), $open->());
    for (1 .. 5) {
        my $connection = fcgi_open($exedra->{socket});
        $connection->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(POST => '/v1/document/upload', headers => {
            Authorization => "Bearer $key", 'Content-Type' => "multipart/form-data; boundary=$BOUNDARY", 'Content-Length' => 1 << 20 }))), record(FCGI_PARAMS, 1, ''),
            record(FCGI_STDIN, 1, substr form(part(file => 'x' x 200_000, filename => 'a.txt')), 0, 60_000));
        $connection->close;
    }
    wait_for { $open->() <= $fds } 10, 'descriptors';
    is fingerprint($db), $before, 'nothing was stored';
};

subtest 'too much, unannounced' => sub {
    plan skip_all => 'under a sanitizer' if Exedra::Hostile::asan();
    my $before = fingerprint($db);
    my $connection = fcgi_open($exedra->{socket});
    $connection->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(POST => '/v1/document/upload', headers => {
        Authorization => "Bearer $key", 'Content-Type' => "multipart/form-data; boundary=$BOUNDARY" }))), record(FCGI_PARAMS, 1, ''),
        record(FCGI_STDIN, 1, "--$BOUNDARY\r\n" . part(file => '', filename => 'a.txt')));
    my $piece = record(FCGI_STDIN, 1, 'x' x 65528) x 16;
    for (1 .. 260) { $connection->send($piece) or last }
    my $got = $connection->reply(20);
    is $got->{status}, 413, 'is refused';
    like $got->{body}, qr/larger than 256 MiB/, 'with the limit named';
    $connection->close;
    is fingerprint($db), $before, 'nothing was stored';
};

# Each is read or refused, in time, by a program that may die of it; none of the workers does.
subtest 'files that mean harm' => sub {
    my $workers = join ' ', $exedra->worker_pids;
    chomp(my $host = slurp('/etc/hostname'));
    my $entity = sub { docx(docx_paragraphs('A paragraph.') =~ s/A paragraph\./&e;/r, doctype => "<!DOCTYPE d [$_[0]]>") };
    my $laughs = '<!ENTITY a0 "ha">' . join '', map { my $n = $_ - 1; qq(<!ENTITY a$_ ") . "&a$n;" x 10 . '">' } 1 .. 9;
    my $bomb = zip_bomb(200, '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>', '</w:t></w:r></w:p></w:body></w:document>');
    my @files = (
        ['xxe.docx', $entity->('<!ENTITY e SYSTEM "file:///etc/hostname">')], ['laughs.docx', $entity->("$laughs<!ENTITY e \"&a9;\">")],
        ['bomb.docx', docx('', members => { 'word/document.xml' => $bomb })], ['deep.html', '<div>' x 100_000 . 'Deep.'],
        ['deep.docx', docx('<w:p>' x 100_000 . '</w:p>' x 100_000)], ['attributes.html', '<p ' . join(' ', map { "a$_=x" } 1 .. 10_000) . '>Many.</p>'],
        ['base.html', '<base href="file:///"><iframe src="file:///etc/hostname"></iframe><link rel=import href="/etc/hostname"><p>Seen.</p>'],
        ['loop.pdf', "%PDF-1.4\nxref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 1/Root 1 0 R/Prev 9>>\nstartxref\n9\n%%EOF\n"],
        ['bytes.txt', join('', map { chr $_ } 0 .. 255) x 1000], ['wide.csv', join(',', 1 .. 100_000) . "\n"], ['quote.csv', 'a,"' . 'x' x 1_000_000],
        ['utf16.txt', "\xff\xfe" . "W\0o\0r\0d\0\n\0"], ['surrogate.txt', "Words \xed\xa0\x80 here\n"], ['line.txt', 'x' x 5_000_000],
        ['box.mbox', join '', map { "From a\@b Mon Jan  1 00:00:00 2024\nContent-Type: message/rfc822\n\n" } 1 .. 5000], ['audio.mp3', "ID3\3" . "\0" x 2000],
    );
    for my $case (@files) {
        my $got = sent(@$case, timeout => 60);
        Exedra::Hostile::check_reply($case->[0], $got, '200/422');
        cmp_ok $got->{seconds}, '<', 30, 'in time';
        unlike $got->{body}, qr/"pageContent":"[^"]*\Q$host\E/, 'no other file is read' if length $host > 3;
        ok utf8::decode(my $text = $got->{body}), 'what comes is UTF-8';
    }
    is join(' ', $exedra->worker_pids), $workers, 'by the same workers';
};

subtest 'the program that reads files' => sub {
    my $before = fingerprint($db);
    my $dies = spew(tmp_dir() . '/dies', "#!/bin/sh\nkill -9 \$\$\n");
    chmod 0755, $dies;
    # What it says where TMPDIR is full.
    my $full = spew(tmp_dir() . '/full', qq(#!/bin/sh\necho '{"code":"output_gone","message":"Nobody reads the text any more."}' >&2\nexit 1\n));
    chmod 0755, $full;
    for my $case (['/nowhere/exedra-extract', 'is not there', 503, qr/event=extract .*error="No such file/], ['/bin/false', 'fails', 503, qr/event=extract .*status=1 /],
        ['/bin/true', 'says nothing', 503, qr/event=extract .*problem=/], [$dies, 'dies', 422, qr/event=extract .*signal=9 /],
        [$full, 'has no room', 503, qr/event=temp .*\n.* code=disk\n/]) {
        my $lame = start_exedra(db => $db, settings => { processes => 1, 'extract.program' => $case->[0] });
        my $got = upload($lame, $key, 'fresh.txt', "Fresh words.\n");
        Exedra::Hostile::check_reply("it $case->[1]", $got, $case->[2]);
        like $lame->log_text, $case->[3], '… and the log says so';
        ok $lame->stop, 'and the pool goes on';
    }
    is fingerprint($db), $before, 'nothing was stored';
};

# Who waits for a file need not be the one to hand it in again.
subtest 'files wait for the program that reads them' => sub {
    my $own = database();
    my $key = tenant($own, 'acme')->{key};
    my $lame = start_exedra(db => $own, settings => { processes => 1, 'extract.program' => '/nowhere/exedra-extract' });
    my $id = Exedra::OpenWebUI::upload($lame, $key, 'later.txt', "Later words.\n")->{id};
    my $try = sub {
        wait_for { psql($own, "SELECT count(*) FROM exedra.job WHERE state = 'waiting' AND reason IS NOT NULL AND due_at > now()") == 1 } 15, 'a try';
        return psql($own, 'SELECT tries, round(extract(epoch FROM due_at - changed_at)) FROM exedra.job');
    };
    is $try->(), "0\t5", 'it cannot be started: no try is counted, the next comes soon';
    psql($own, "UPDATE exedra.job SET tries = 4, due_at = now(), created_at = created_at - interval '60 s'");
    like $try->(), qr/^4\t3[0-9]$/, '… nor is the last one, and the pause is longer';
    psql($own, "UPDATE exedra.job SET due_at = now(), created_at = created_at - interval '1 day'");
    is $try->(), "4\t300", '… up to five minutes';
    ok $lame->stop, 'ends well';
    my $well = start_exedra(db => $own, settings => { processes => 1 });
    psql($own, 'UPDATE exedra.job SET due_at = now()');
    is Exedra::OpenWebUI::read_at_last($well, $key, $id)->{status}, 'completed', 'when it is there the file is read';
    ok $well->stop, 'ends well';
};

# Files are read one at a time here, each once the gate is open; who has come so far stands in a list.
subtest 'tenants take turns at the program that reads files' => sub {
    my $own = database();
    my ($large, $small) = map { tenant($own, $_)->{key} } qw(large small);
    my ($list, $gate) = map { tmp_dir() . "/$_" } qw(begun gate);
    my $slow = spew(tmp_dir() . '/slow', qq{#!/bin/sh\nfor a; do case \$a in --name=*) echo "\${a#--name=}" >>$list;; esac; done\nwhile [ ! -e $gate ]; do sleep 0.05; done\nexec }
        . build_dir() . qq{/exedra-extract "\$@"\n});
    chmod 0755, $slow;
    spew($list, '');
    my $pool = start_exedra(db => $own, settings => { processes => 1, 'extract.program' => $slow });
    my $send = sub {
        my ($key, $name) = @_;
        my $body = form(part(file => "The words of $name.\n", filename => $name));
        my $sent = fcgi_open($pool->{socket});
        $sent->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(POST => '/v1/document/upload', headers => { Authorization => "Bearer $key",
            'Content-Type' => "multipart/form-data; boundary=$BOUNDARY", 'Content-Length' => length $body }))), record(FCGI_PARAMS, 1, ''),
            record(FCGI_STDIN, 1, $body), record(FCGI_STDIN, 1, ''));
        return $sent;
    };
    my $busy = sub { my ($n) = @_; wait_for { http($pool, GET => '/metrics', key => $small)->{body} =~ /^exedra_threads_busy (\d+)/m && $1 == $n + 1 } 30, "$n that wait" };
    my @sent = $send->($large, 'large-1.txt');
    wait_for { -s $list } 30, 'the first';
    push @sent, map { $send->($large, "large-$_.txt") } 2 .. 6;
    $busy->(6);
    my $left = $send->($large, 'left.txt');
    $busy->(7);
    $left->close;
    push @sent, $send->($small, 'small.txt');
    $busy->(7);                                         # who has gone waits no more
    select undef, undef, undef, 0.3;                    # from the count to the line
    spew($gate, '');
    for my $sent (@sent) { 1 while ($sent->next_record // { type => FCGI_END })->{type} != FCGI_END }
    my @begun = split /\n/, slurp($list);
    is scalar(@begun), 7, 'all were read, and nothing for who had gone' or diag "@begun";
    my ($place) = grep { $begun[$_] eq 'small.txt' } 0 .. $#begun;
    cmp_ok $place // 99, '<=', 2, 'who comes with one file does not wait for another\'s six' or diag "@begun";

    unlink $gate;
    spew($list, '');
    my $last = $send->($large, 'last.txt');
    wait_for { -s $list } 30, 'one that is being read';
    Exedra::OpenWebUI::upload($pool, $small, 'job.txt', "Job's words.\n");
    wait_for { psql($own, "SELECT count(*) FROM exedra.job WHERE state = 'running'") == 1 } 30, 'a job behind it';
    kill TERM => $pool->{pid};
    ok eval { wait_for { $pool->log_text =~ /event=job_failed .*code=server_ending/ } 10, 'the job to give up' }, 'a job does not wait for its turn when the pool ends';
    is psql($own, 'SELECT state, tries FROM exedra.job'), "waiting\t0", '… and has not tried in vain';
    spew($gate, '');
    ok $pool->stop, 'which ends well';
};

my $report = sanitizer_report($exedra->log_text);
ok !$report, 'no report of a sanitizer' or diag $report;
ok $exedra->stop, 'exedra ends well';
done_testing;
