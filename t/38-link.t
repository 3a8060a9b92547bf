# Links as AnythingLLM's contract says (endpoint 17): what a page becomes, redirects, charsets, kinds; and the guard: no address that is
# not public is ever connected to, however it is written or led to, nor does the answer tell what is there.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;
use Exedra::Hostile ();
use Exedra::Samples qw(pdf_pages);
use Compress::Raw::Zlib ();
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

my $TIMEOUT = 2;
my $db = database();

# ---- servers: pages, another one, and one that nobody may reach ----

sub reply {
    my ($socket, $status, $type, $body, @headers) = @_;
    syswrite $socket, join("\r\n", "HTTP/1.1 $status X", defined $type ? "Content-Type: $type" : (), 'Content-Length: ' . length $body, 'Connection: close', @headers)
        . "\r\n\r\n$body";
}

my $html = "<html><head><title>River</title></head><body><h1>The river</h1><p>It flows to the sea.</p></body></html>";
my ($deflate) = Compress::Raw::Zlib::Deflate->new(-WindowBits => Compress::Raw::Zlib::WANT_GZIP(), -AppendOutput => 1);
my $bomb = '';
$deflate->deflate('x ' x (1 << 19), $bomb) for 1 .. 64;        # 64 MiB
$deflate->flush($bomb);
my %page = (
    '/page' => sub { reply($_[0], 200, 'text/html', $html) },
    '/a/b.html' => sub { reply($_[0], 200, 'text/html', $html) },
    '/words.txt' => sub { reply($_[0], 200, 'text/plain', "Plain words.\n") },
    '/paper.pdf' => sub { reply($_[0], 200, 'application/pdf', pdf_pages([[[72, 700, 'A page of paper.']]])) },
    '/lies' => sub { reply($_[0], 200, 'text/html', pdf_pages([[[72, 700, 'A page of paper.']]])) },
    '/untold' => sub { reply($_[0], 200, undef, "Words without a type.\n") },
    '/latin' => sub { reply($_[0], 200, 'text/html; charset=ISO-8859-1', "<p>caf\xe9</p>") },
    '/meta' => sub { reply($_[0], 200, 'text/html', "<html><head><meta charset=\"windows-1252\"></head><body><p>na\xefve \x93x\x94</p></body></html>") },
    '/utf7' => sub { reply($_[0], 200, 'text/html; charset=utf-7', '<p>safe +ADw-script+AD4-</p>') },
    '/gzip' => sub { my $z = ''; my ($d) = Compress::Raw::Zlib::Deflate->new(-WindowBits => Compress::Raw::Zlib::WANT_GZIP(), -AppendOutput => 1);
        $d->deflate($html, $z); $d->flush($z); reply($_[0], 200, 'text/html', $z, 'Content-Encoding: gzip') },
    '/refresh' => sub { reply($_[0], 200, 'text/html', "<meta http-equiv=refresh content=\"0; url=http://127.0.0.2:$_[2]/\"><p>Stay here.</p>",
        "Refresh: 0; url=http://127.0.0.2:$_[2]/", "Alt-Svc: h3=\"127.0.0.2:$_[2]\"") },
    '/empty' => sub { reply($_[0], 200, 'text/html', '') },
    '/no-words' => sub { reply($_[0], 200, 'text/html', '<html><body><script>x</script></body></html>') },
    '/program' => sub { reply($_[0], 200, 'application/octet-stream', "\x7fELF\2\1\1" . "\0" x 500) },
    '/none' => sub { reply($_[0], 404, 'text/html', '<p>BANNER-9 Nothing here.</p>') },
    '/broken' => sub { reply($_[0], 500, 'text/html', '<p>BANNER-9 Broken.</p>') },
    '/asks' => sub { reply($_[0], 401, 'text/html', '<p>Who?</p>', 'WWW-Authenticate: Negotiate', 'WWW-Authenticate: Basic realm="x"') },
    '/nowhere' => sub { reply($_[0], 302, undef, '') },
    '/garbage' => sub { syswrite $_[0], "BANNER-9 no HTTP at all\r\n" },
    '/cut' => sub { syswrite $_[0], "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<p>half"; shutdown $_[0], 2 },
    '/huge' => sub { syswrite $_[0], "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"; 1 while syswrite $_[0], 'word ' x 20_000 },
    '/just' => sub { reply($_[0], 200, 'text/plain', 'x' x (21 << 20)) },
    '/bomb' => sub { reply($_[0], 200, 'text/plain', $bomb, 'Content-Encoding: gzip') },
    '/headers' => sub { syswrite $_[0], "HTTP/1.1 200 OK\r\n"; for (1 .. 100_000) { syswrite($_[0], "X-$_: " . 'x' x 90 . "\r\n") or last } },
    '/silent' => sub { IO::Select->new($_[0])->can_read(10) },        # until the other end has gone
    '/drip' => sub { syswrite $_[0], "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"; for (1 .. 40) { syswrite($_[0], 'x') or last; select undef, undef, undef, 0.25 } },
);
my ($pages, $other, $canary, $port);
sub serve {
    my ($socket, $request) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my ($path, $query) = split /\?/, $request->{target}, 2;
    return $page{$path}->($socket, $request, $port) if $page{$path};
    $query =~ s/%([0-9a-f]{2})/chr hex $1/gei if $query;
    return reply($socket, $1, undef, '', 'Location: ' . ($query // '/to/302')) if $path =~ m{^/to/(\d+)};
    return reply($socket, 302, undef, '', "Location: /chain/" . ($1 - 1)) if $path =~ m{^/chain/(\d+)} && $1 > 0;
    return reply($socket, 200, 'text/html', $html);
}

# Its processes must know the canary's port: it is there first.
$canary = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 0, Listen => 100) or die $!;
$port = $canary->sockport;
($pages, $other) = map { start_model(answer => \&serve) } 1, 2;
my ($at, $elsewhere) = map { $_->{url} =~ s{/v1$}{}r } $pages, $other;
my ($pages_port, $other_port) = map { /:(\d+)$/ } $at, $elsewhere;

# Has anybody connected since the last look?
sub touched {
    my $n = 0;
    while (IO::Select->new($canary)->can_read(0)) { $canary->accept; $n++ }
    return $n;
}

my $open = start_exedra(db => $db, settings => { 'outbound.allow' => '127.0.0.1', 'outbound.ports' => "80 443 $pages_port $other_port $port",
    'link.timeout' => $TIMEOUT, 'link.parallel' => 2, processes => 1 });
my $shut = start_exedra(db => $db, settings => { 'outbound.ports' => "80 443 $port $pages_port", 'link.timeout' => 5 });
my $plain = start_exedra(db => $db, settings => { 'outbound.allow' => '127.0.0.0/8', processes => 1 });
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $key = $acme->{key};
workspace($open, $key, 'Alpha');

sub fetch { my ($server, $link, %more) = @_; return http($server, POST => '/v1/document/upload-link', key => $key, json => { link => $link, %more }) }
sub first { return $_[0]{json}{documents}[0] // {} }

# ---- what a page becomes ----

subtest 'a page' => sub {
    my $got = fetch($open, "$at/a/b.html?x=1#part", addToWorkspaces => 'alpha, none');
    is $got->{status}, 200, 'is fetched' or diag $got->{body};
    shape_is $got->{json}, { success => 'bool', error => 'null', documents => [$shape{stored_document}] }, 'and shown';
    my $document = first($got);
    is_deeply [@$document{qw(title url docAuthor description docSource chunkSource)}], ['127.0.0.1_a_b.html.html', 'file://127.0.0.1_a_b.html.html',
        'no author found', 'No description found.', 'URL link uploaded by the user.', "link://$at/a/b.html?x=1"], 'as the contract says';
    is $document->{location}, "custom-documents/url-127.0.0.1_a_b.html-$document->{id}.json", 'with its address in its name';
    like $document->{pageContent}, qr/The river\s+It flows to the sea\./, 'its text';
    unlike $document->{pageContent}, qr/</, 'without tags';
    my $room = http($open, GET => '/v1/workspace/alpha', key => $key)->{json}{workspace}[0];
    is_deeply [map { $_->{docpath} } @{ $room->{documents} }], [$document->{location}], 'it is in its workspace';
    is first(fetch($open, "$at/"))->{location} =~ s/-[0-9a-f-]{36}\.json//r, 'custom-documents/url-127.0.0.1_', 'the first page of all';
    is first(fetch($open, "$at/"))->{chunkSource}, "link://$at", 'no slash at the end';
    is first(fetch($open, "  $at/page/ \n"))->{chunkSource}, "link://$at/page", 'nor around it';
    # There is no name server here; but this, too, is a host only once its characters have been mapped to ASCII.
    is fetch($open, "http://\x{ff11}\x{ff12}\x{ff17}.0.0.1:$pages_port/page")->{status}, 200, 'a host that is not in ASCII';
    my $before = psql($db, 'SELECT count(*) FROM exedra.document_version');
    isnt first(fetch($open, "$at/a/b.html?x=1"))->{id}, $document->{id}, 'the same again is another';
    is psql($db, 'SELECT count(*) FROM exedra.document_version'), $before, 'that shares the text';
};

subtest 'metadata' => sub {
    my %given = (title => 'A title', docAuthor => 'Anna', description => 'About', docSource => 'tag');
    for my $form (\%given, json_text(\%given)) {
        my $document = first(fetch($open, "$at/page", metadata => $form));
        is_deeply { map { $_ => $document->{$_} } keys %given }, \%given, ref $form ? 'is kept' : 'in a string too';
    }
    is first(fetch($open, "$at/page", metadata => { chunkSource => 'x' }))->{chunkSource}, "link://$at/page", 'but for where it comes from';
};

subtest 'kinds and charsets' => sub {
    my @cases = (['/words.txt', qr/^Plain words\.\s*$/], ['/paper.pdf', qr/A page of paper\./], ['/lies', qr/A page of paper\./], ['/untold', qr/^Words without a type\./],
        ['/latin', qr/^café\s*$/], ['/meta', qr/^naïve “x”\s*$/], ['/gzip', qr/The river/], ['/utf7', qr/^safe/], ['/refresh', qr/^Stay here\.\s*$/]);
    for my $case (@cases) {
        my $got = fetch($open, $at . $case->[0]);
        is $got->{status}, 200, $case->[0] or diag $got->{body};
        like first($got)->{pageContent}, $case->[1], 'is read';
        unlike first($got)->{pageContent}, qr/<script/, 'as text';
    }
    is touched(), 0, 'and nothing that is in it is followed';
};

# ---- redirects and headers ----

subtest 'redirects' => sub {
    for my $status (301, 302, 303, 307, 308) {
        my $got = fetch($open, "$at/to/$status?/page");
        like first($got)->{pageContent}, qr/The river/, "$status is followed" or diag $got->{body};
        is first($got)->{chunkSource}, "link://$at/to/$status?/page", 'the address stays the one that was given';
    }
    is fetch($open, "$at/to/302?$elsewhere/words.txt")->{status}, 200, 'to another server';
    is fetch($open, "$at/chain/5")->{status}, 200, 'five are';
    my @not = (['six', "$at/chain/6"], ['a ring', "$at/to/302?/to/302%3F/to/302"], ['nowhere', "$at/nowhere"], ['a loopback address', "$at/to/302?http://127.0.0.2:$port/"],
        ['one behind another', "$at/to/302?$elsewhere/to/302%3Fhttp://127.0.0.2:$port/"], ['a port', "$at/to/302?http://127.0.0.1:22/"],
        ['credentials', "$at/to/302?http://a:b\@127.0.0.1:$pages_port/page"], ['without a scheme', "$at/to/302?//127.0.0.2:$port/"],
        map { ["to $_", "$at/to/302?$_"] } 'file:///etc/hostname', 'ftp://127.0.0.1/x', 'gopher://127.0.0.1/x', 'dict://127.0.0.1/x', 'scp://127.0.0.1/x',
            'data:text/plain,x', 'javascript:alert(1)');
    my $before = fingerprint($db);
    for my $case (@not) {
        my $got = fetch($open, $case->[1]);
        Exedra::Hostile::check_reply($case->[0], $got, 422);
        is_deeply $got->{json}{documents}, [], 'nothing came';
    }
    is touched(), 0, 'nothing was connected to that must not be';
    is fingerprint($db), $before, 'nothing was stored';
};

subtest 'headers' => sub {
    my $asked = sub { my ($server, $what) = @_; return (grep { $_->{target} =~ /\Q$what\E/ } $server->requests)[-1]{headers} };
    is fetch($open, "$at/page?h1", scraperHeaders => { 'X-One' => 'first', 'User-Agent' => 'reader/1', Cookie => 'a=b' })->{status}, 200, 'are taken';
    is_deeply [@{ $asked->($pages, 'h1') }{qw(x-one user-agent cookie)}], ['first', 'reader/1', 'a=b'], 'and sent';
    is fetch($open, "$at/to/302?/page%3Fh2", scraperHeaders => { 'X-One' => 'first' })->{status}, 200, 'to the same server';
    is $asked->($pages, '/page?h2')->{'x-one'}, 'first', 'again';
    is fetch($open, "$at/to/302?$elsewhere/page%3Fh3", scraperHeaders => { 'X-One' => 'first', Authorization => 'Bearer x', Cookie => 'a=b' })->{status}, 200, 'to another';
    my $seen = $asked->($other, 'h3');
    is_deeply [grep { exists $seen->{$_} } qw(x-one authorization cookie)], [], 'not';
    ok !exists $asked->($pages, '/page?h2')->{authorization}, 'the key for us goes to nobody';
    my $before = fingerprint($db);
    my @bad = (['x'], 'x', 5, { X => '' }, { X => 5 }, { X => undef }, { X => ['a'] }, { '' => 'x' }, { 'A B' => 'x' }, { "X\r\nY" => 'x' }, { 'X:Y' => 'x' },
        { X => "a\r\nHost: b" }, { X => "a\nb" }, { X => "\x7f" }, { X => 'x' x 65536 }, { map { ("X$_" => 'x') } 1 .. 33 }, { Host => 'x' },
        { 'Content-Length' => '5' }, { 'transfer-encoding' => 'chunked' }, { Connection => 'x' }, { 'Proxy-Authorization' => 'x' }, { 'Accept-Encoding' => 'x' });
    for my $headers (@bad) {
        my $got = fetch($open, "$at/page", scraperHeaders => $headers);
        is $got->{status}, 422, 'refused: ' . substr json_text($headers), 0, 60;
        like $got->{json}{error}, qr/^scraperHeaders/, 'by name';
    }
    is fetch($open, "$at/page", scraperHeaders => { map { ("X$_" => 'x') } 1 .. 10_000 })->{status}, 422, 'nor are there 10,000 of them';
    is fetch($open, "$at/page", scraperHeaders => $_)->{status}, 200, 'none at all: ' . json_text($_) for undef, {};
    is fingerprint($db, 'x') ne $before, 1, 'only those were stored';
};

# ---- what is no page ----

subtest 'what cannot be fetched' => sub {
    my ($before, $rss) = (fingerprint($db), Exedra::Hostile::peak_kb($open->pids));
    my $dark = qr/^Nothing could be fetched from this address\.$/;
    my @cases = (['/empty', qr{^No URL content found at \Q$at\E/empty\.$}], ['/no-words', qr{^No URL content found at}], ['/program', qr/./], ['/none', qr/status 404/],
        ['/broken', qr/status 500/], ['/asks', qr/status 401/], ['/garbage', $dark], ['/cut', $dark], ['/huge', qr/larger than 20 MiB/], ['/just', qr/larger than 20 MiB/],
        ['/bomb', qr/larger than 20 MiB/], ['/headers', $dark], ['/silent', qr/in time/], ['/drip', qr/in time/]);
    for my $case (@cases) {
        my $got = fetch($open, $at . $case->[0]);
        Exedra::Hostile::check_reply($case->[0], $got, 422);
        like $got->{json}{error}, $case->[1], 'is told';
        unlike $got->{body}, qr/BANNER-9/, 'in our words';
        cmp_ok $got->{seconds}, '<', $TIMEOUT + 4, 'in time';
    }
    my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport;
    my $refused = fetch(start_exedra(db => $db, settings => { 'outbound.allow' => '127.0.0.1', 'outbound.ports' => $closed, processes => 1 }), "http://127.0.0.1:$closed/");
    is "$refused->{status} $refused->{json}{error}", '422 Nothing could be fetched from this address.', 'a port where nobody is';
    cmp_ok Exedra::Hostile::peak_kb($open->pids) - $rss, '<', 64 << 10, 'in little memory' if !Exedra::Hostile::asan();
    is fingerprint($db), $before, 'nothing was stored';
};

subtest 'what is no address' => sub {
    my $before = fingerprint($db);
    my @bad = ('', ' ', 'x' x 10_000, 'http://', 'http:///', '//', '/', 'http://a b/', "http://a\nb/", "http://127.0.0.1\t/", 'http://[::1', 'http://[x]/', 'http://127.0.0.1:99999/',
        'http://127.0.0.1:-1/', 'http://127.0.0.1:80abc/', 'http://127.0.0.1:0/', 'http://127.0.0.1:22/', 'http://127.0.0.1:5432/', '127.0.0.1:6379',
        (map { "$_://127.0.0.1:$port/_x" } qw(gopher dict ldap tftp smb sftp telnet rtsp mqtt ws file ftp scp imap pop3)), 'mailto:a@b', 'javascript:alert(1)', 'data:text/html,x',
        "http://a:b\@127.0.0.1:$pages_port/", "http://a\@127.0.0.1:$pages_port/", "http://pub.test\@127.0.0.1:$pages_port/", "http://pub.test\\\@127.0.0.1:$pages_port/",
        'http://127.0.0.1%00.pub.test/', 'http://127.0.0.1%2f@pub.test/', 'http:127.0.0.1');
    for my $link (@bad) {
        my $got = fetch($open, $link);
        Exedra::Hostile::check_reply('refused: ' . substr(json_text($link), 0, 60), $got, 422, echo => 1);
        cmp_ok $got->{seconds}, '<', 3, 'at once';
    }
    for my $body ({}, { link => undef }, { link => 5 }, { link => ['x'] }) {
        is http($open, POST => '/v1/document/upload-link', key => $key, json => $body)->{status}, 422, 'refused: ' . json_text($body);
    }
    for my $slugs (5, ['alpha']) {
        my $got = fetch($open, "$at/page", addToWorkspaces => $slugs);
        is $got->{status}, 422, 'addToWorkspaces: ' . json_text($slugs);
    }
    is touched(), 0, 'nothing was connected to';
    is fingerprint($db), $before, 'nothing was stored';
};

# ---- the guard ----

IO::Socket::INET->new(PeerAddr => '127.0.0.2', PeerPort => $port) or die "the canary: $!\n";
is touched(), 1, 'who connects to the canary is seen';

subtest 'addresses that are not public' => sub {
    my $before = fingerprint($db);
    my @addresses = (qw(127.0.0.1 127.1 127.0.1 127.255.255.254 127.0.0.2 0 0.0.0.0 0.1.2.3 2130706433 0x7f000001 0x7f.1 017700000001 0177.0.0.1 %31%32%37.0.0.1 localhost LOCALHOST
        localhost. 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 168.63.129.16 100.100.100.200 192.0.0.192 100.64.0.1 198.18.0.1 192.0.2.1 198.51.100.1 203.0.113.1
        224.0.0.1 240.0.0.1 255.255.255.255 [::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [0:0:0:0:0:0:0:1] [fe80::1] [fe80::1%25lo] [fc00::1] [fd00:ec2::254]
        [ff02::1] [64:ff9b::7f00:1] [2002:7f00:1::] [2001:db8::1]), '①②⑦.0.0.1', '127。0。0。1');
    for my $address (@addresses) {
        my $got = fetch($shut, "http://$address:$port/");
        Exedra::Hostile::check_reply("http://$address", $got, 422);
        like $got->{json}{error}, qr/^(?:Nothing could be fetched from this address|Not a valid URL)\.$/, 'without a reason';
        cmp_ok $got->{seconds}, '<', 4, 'at once';
    }
    is fetch($shut, "http://127.0.0.1#\@pub.test/")->{status}, 422, 'what is behind a # is no host';
    is fetch($shut, "http:///127.0.0.1:$port/")->{status}, 422, 'three slashes';
    is touched(), 0, 'nothing was connected to';
    is fingerprint($db), $before, 'nothing was stored';
    my ($forbidden, $nobody) = map { fetch($_->[0], $_->[1]) } [$shut, "http://127.0.0.1:$port/"], [$plain, 'http://127.0.0.9:80/'];
    is $forbidden->{body}, $nobody->{body}, 'an address that is forbidden and one where nobody is: told alike';
    is fetch($plain, "http://127.0.0.1:$pages_port/page")->{status}, 422, 'a port that is not listed';
};

subtest 'the key comes first' => sub {
    my $n = () = $pages->requests;
    for my $bad (undef, 'wrong', account($acme, 'bea')->{key}) {
        my $got = http($open, POST => '/v1/document/upload-link', key => $bad, json => { link => "$at/page" });
        is $got->{status}, 403, 'a bad one';
    }
    is scalar(() = $pages->requests), $n, 'fetches nothing';
};

# At most so many at a time for a tenant; others, and other routes, do not notice.
subtest 'many at once' => sub {
    my @waiting = map { asked_later($open, "/silent?many$_") } 1, 2;
    wait_for { 2 == grep { $_->{target} =~ m{^/silent\?many} } $pages->requests } 5, 'two to be under way';
    my $got = fetch($open, "$at/page");
    is $got->{status}, 429, 'one more is too many';
    ok $got->{headers}{'retry-after'} > 0, 'for the moment';
    is http($open, POST => '/v1/document/upload-link', key => $beta->{key}, json => { link => "$at/page" })->{status}, 200, "but not for another tenant";
    my $auth = http($open, GET => '/v1/auth', key => $key);
    is $auth->{status}, 200, 'other requests are answered';
    cmp_ok $auth->{seconds}, '<', 1, 'at once';
    is $_->reply(10)->{status}, 422, 'in time they are given up' for @waiting;
    is fetch($open, "$at/page")->{status}, 200, 'and there is a place again';

};

subtest 'a client that goes' => sub {
    my $patient = start_exedra(db => $db, settings => { 'outbound.allow' => '127.0.0.1', 'outbound.ports' => $pages_port, 'link.timeout' => 60, processes => 1 });
    my $gone = asked_later($patient, '/silent?gone');
    wait_for { grep { $_->{target} eq '/silent?gone' } $pages->requests } 5, 'it to be under way';
    $gone->close;
    ok $patient->wait_log(qr/route="\/v1\/document\/upload-link" status=\d+/, 5), 'ends what it asked for';
};

sub asked_later {
    my ($server, $path) = @_;
    my $connection = fcgi_open($server->{socket});
    $connection->send(Exedra::Hostile::request_bytes(POST => '/v1/document/upload-link', key => $key, keep => 0, json => { link => "$at$path" }));
    return $connection;
}

for my $pool ($open, $shut, $plain) {
    my $report = sanitizer_report($pool->log_text);
    ok !$report, 'no report of a sanitizer' or diag $report;
}
done_testing;
