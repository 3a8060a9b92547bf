# Hostile headers and framing, through nginx and past it: no header gives a key, a tenant or a path that the request line
# and Authorization did not give, what is ambiguous is refused, and the log stays one line an event.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;
use IO::Compress::Gzip qw(gzip);
use Time::HiRes qw(time);

need('nginx');

my $house = house();
my ($nginx, $exedra, $db, $key, $slug) = @$house{qw(nginx exedra db key slug)};
my $beta = $house->{beta}{key};
my $MiB = 1 << 20;
my $body = '{"name":"framed"}';

# A request as it stands on the wire: the line, then headers, then a body.
sub request {
    my ($line, $headers, $body) = @_;
    return join '', map { "$_\r\n" } $line, @$headers, '', () unless defined $body;
    return join('', map { "$_\r\n" } $line, @$headers, '') . $body;
}

my @close = ('Host: localhost', 'Connection: close');
my $auth = "Authorization: Bearer $key";

# ---- framing: what nginx or we refuse; nothing is stored ----

my @refused = (
    # name, bytes, statuses ('closed': no reply at all would do too)
    ['no Host',                          request('GET /v1/workspaces HTTP/1.1', [$auth, 'Connection: close']), '400/front'],
    ['two Hosts',                        request('GET /v1/workspaces HTTP/1.1', ['Host: a', @close, $auth]), '400/front'],
    ['a Host with a path, no key',       request('GET /v1/workspaces HTTP/1.1', ['Host: x/v1/models?',
        'Connection: close']), '400/403/front'],
    ['a Host with a space',              request('GET /v1/workspaces HTTP/1.1', ['Host: a b',
        'Connection: close']), '400/403/front'],
    ['an absolute target, no key',       request('GET http://evil.test/v1/workspaces HTTP/1.1', \@close), '400/403'],
    ['an absolute target in /api, no key', request('GET http://evil.test/api/v1/workspaces HTTP/1.1', \@close), '400/403'],
    ['CONNECT',                          request('CONNECT evil.test:443 HTTP/1.1', \@close), '400/405/front'],
    ['TRACE',                            request('TRACE /v1/auth HTTP/1.1', [@close, $auth]), '405/front'],
    ['a length and chunks',              request("POST /v1/workspace/new HTTP/1.1", [@close, $auth, 'Content-Length: 17',
        'Transfer-Encoding: chunked'],
        "11\r\n$body\r\n0\r\n\r\n"), '400/front'],
    ['chunks and a length',              request("POST /v1/workspace/new HTTP/1.1",
        [@close, $auth, 'Transfer-Encoding: chunked', 'Content-Length: 5'],
        "11\r\n$body\r\n0\r\n\r\n"), '400/front'],
    ['two codings',                      request("POST /v1/workspace/new HTTP/1.1",
        [@close, $auth, 'Transfer-Encoding: gzip, chunked'],
        "11\r\n$body\r\n0\r\n\r\n"), '400/501/front'],
    ['a coding that is none',            request("POST /v1/workspace/new HTTP/1.1", [@close, $auth, 'Transfer-Encoding: xchunked'],
        "11\r\n$body\r\n0\r\n\r\n"), '400/501/front'],
    ['identity',                         request("POST /v1/workspace/new HTTP/1.1",
        [@close, $auth, 'Transfer-Encoding: identity'], $body), '400/501/front'],
    ['two lengths',                      request("POST /v1/workspace/new HTTP/1.1", [@close, $auth, 'Content-Length: 17',
        'Content-Length: 18'], $body), '400/front'],
    (map { ["the length $_", request("POST /v1/workspace/new HTTP/1.1",
        [@close, $auth, "Content-Length: $_"], $body), '400/413/front'] }
        '-1', '+17', '0x11', '1e3', '17abc', '17,17', '17 17', '1 7', '18446744073709551633', '9223372036854775808',
            '99999999999999999999999'),
    (map { ["the chunk size $_->[0]", request("POST /v1/workspace/new HTTP/1.1", [@close, $auth, 'Transfer-Encoding: chunked'],
        "$_->[1]\r\n$body\r\n0\r\n\r\n"), '400/413/front'] } ['-1', '-1'], ['0x11', '0x11'], ['g', 'g'],
        ['of 20 digits', 'f' x 20], ['nothing', '']),
    ['a chunk longer than it says',      request("POST /v1/workspace/new HTTP/1.1", [@close, $auth, 'Transfer-Encoding: chunked'],
        "5\r\n$body\r\n0\r\n\r\n"), '400/front'],
    ['a key only in a trailer',          request("POST /v1/workspace/new HTTP/1.1", [@close, 'Transfer-Encoding: chunked',
        'Trailer: Authorization'],
        "11\r\n$body\r\n0\r\n$auth\r\n\r\n"), '403'],
    ['a header of 64 KiB',               request('GET /v1/auth HTTP/1.1', [@close, $auth, 'X-Long: '
        . 'x' x 65536]), '400/431/front'],
    ['10,000 headers',                   request('GET /v1/auth HTTP/1.1',
        [@close, $auth, map { "X-$_: 1" } 1 .. 10_000]), '400/431/front'],
    ['a cookie of 64 KiB',               request('GET /v1/auth HTTP/1.1', [@close, $auth, 'Cookie: a='
        . 'x' x 65536]), '400/431/front'],
    ['5,000 cookies',                    request('GET /v1/auth HTTP/1.1',
        [@close, $auth, map { "Cookie: c$_=1" } 1 .. 5000]), '400/431/front'],
    ['a space before the colon',         request('GET /v1/auth HTTP/1.1',
        [@close, "Authorization : Bearer $key"]), '400/403/front'],
    ['a folded line',                    request('GET /v1/auth HTTP/1.1', [@close, 'Authorization: Bearer',
        " $key"]), '400/403/front'],
    ['a folded line, with a tab',        request('GET /v1/auth HTTP/1.1', [@close, 'Authorization:',
        "\tBearer $key"]), '400/403/front'],
    ['a NUL in a value',                 request('GET /v1/auth HTTP/1.1', [@close, "Authorization: Bearer $key\0"]), '400/front'],
    ['a NUL in front',                   request('GET /v1/auth HTTP/1.1', [@close, "X: \0", $auth]), '400/front'],
    ['a NUL in a name',                  request('GET /v1/auth HTTP/1.1',
        [@close, "Author\0ization: Bearer $key"]), '400/403/front'],
    ['a CR alone',                       request('GET /v1/auth HTTP/1.1',
        [@close, "X: a\rAuthorization: Bearer $key"]), '400/403/front'],
    ['a name with an underscore',        request('GET /v1/auth HTTP/1.1', [@close, "HTTP_AUTHORIZATION: Bearer $key"]), '403'],
    ['a name in underscores',            request('GET /v1/auth HTTP/1.1', [@close, "X_Api_Key: $key"]), '403'],
    ['a header without a colon',         request('GET /v1/auth HTTP/1.1',
        [@close, 'Authorization Bearer', $auth]), '400/200/front'],
    ['HTTP/1.0 without Host, no key',    request('GET /v1/workspaces HTTP/1.0', []), '400/403'],
    ['HTTP/2.0',                         request('GET /v1/workspaces HTTP/2.0', \@close), '505/front'],
    ['HTTP/1.12',                        request('GET /v1/workspaces HTTP/1.12', \@close), '400/403/505/front'],
    ['no version but a space',           "GET /v1/workspaces \r\n\r\n", '400/403/closed/front'],
    ['HTTP/0.9, no key',                 "GET /v1/workspaces\r\n", '400/403/closed/front'],
    ['the preface of HTTP/2',            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", '400/405/505/closed/front'],
    ['TLS',                              "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" . 'x' x 100, '400/closed/front'],
    ['FastCGI',                          begin_record(1) . record(FCGI_PARAMS, 1, ''), '400/closed/front'],
);

subtest 'refused' => sub {
    unchanged $db, 'all of it' => sub {
        for (@refused) {
            my ($name, $bytes, $status) = @$_;
            my $back = raw($nginx, $bytes);
            my ($got) = replies_in($back);
            unlike $back, qr/authenticated|"workspaces":|"workspace":\{/, "$name: no door opens";
            if ($status =~ s{closed/}{} && !$got) {
                pass "$name: closed";
            } else {
                check_reply($name, $got, $status);
            }
        }
    };
    $house->calm('hostile framing');
};

subtest 'with the key it works' => sub {
    # the same shapes, so that the refusals above are what refuses
    check_reply('a plain request', (replies_in(raw($nginx, request('GET /v1/auth HTTP/1.1', [@close, $auth]))))[0], 200);
    check_reply('an absolute target', (replies_in(raw($nginx, request('GET http://evil.test/v1/auth HTTP/1.1',
        [@close, $auth]))))[0], 200);
    check_reply('HTTP/1.0', (replies_in(raw($nginx, request('GET /v1/auth HTTP/1.0', [$auth]))))[0], 200);
    check_reply('chunks', (replies_in(raw($nginx, request("POST /v1/workspace/$slug/update HTTP/1.1",
        [@close, $auth, 'Transfer-Encoding: chunked'],
        "2;x=y\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n"))))[0], 200);
};

subtest 'cut off' => sub {
    unchanged $db, 'half bodies' => sub {
        for (
            ['half a body',         ['Content-Length: 100'], $body . ' ' x 33],
            ['a large half',        ['Content-Length: 8000000'], $body . ' ' x 4_000_000],
            ['a chunk cut',         ['Transfer-Encoding: chunked'], "ff\r\n$body"],
            ['no last chunk',       ['Transfer-Encoding: chunked'], "11\r\n$body\r\n"],
            ['no body',             ['Content-Length: 17'], ''],
        ) {
            my ($name, $headers, $half) = @$_;
            my $client = fcgi_open($nginx->{http});
            $client->send(request('POST /v1/workspace/new HTTP/1.1', [@close, $auth, @$headers], $half));
            $client->close;
            pass $name;
        }
        # past nginx: a body that is shorter or longer than was said
        for (
            # announced, body, status
            [100, $body, 400], [16, $body, 400], [18, $body, 400], [0, $body, 400], ['', $body, '200/400'], [-1, $body, 400],
            ['+17', $body, 400], ['0x11', $body, 400], ['17abc', $body, 400], ['1e1', $body, 400], ['9' x 30, $body, 400],
            ['9223372036854775807', $body, 413], [8 * $MiB, $body, 400], [8 * $MiB + 1, $body, 413], [' 17', $body, 400],
            ['17 ', $body, 400],
        ) {
            my ($length, $sent, $status) = @$_;
            my $got = ask_fcgi($exedra, POST => "/v1/workspace/$slug/update", headers => { Authorization => "Bearer $key" },
                params => { CONTENT_LENGTH => $length }, stdin => '{}' . ' ' x 15);      # as long as $body
            check_reply("CONTENT_LENGTH '$length'", $got, $length eq '' ? 200 : $status);
        }
    };
    my $temp = "$nginx->{dir}/client_body";
    ok eval { wait_for { !glob "$temp/*" } 5, 'nginx to remove them'; 1 }, 'no temporary file is left';
    $house->calm('half bodies');
};

# ---- headers that want to be something else ----

subtest 'not what they say' => sub {
    for (
        # name, method, target, headers, status, pattern
        ['an original URL',           GET => '/ping', { 'X-Original-URL' => '/v1/workspaces',
            'X-Rewrite-URL' => '/v1/workspaces' }, 200, qr/^\{"online":true\}$/],
        ['another method',            GET => "/v1/workspace/$slug", { 'X-HTTP-Method-Override' => 'DELETE',
            'X-HTTP-Method' => 'DELETE', 'X-Method-Override' => 'DELETE' }, 200, qr/"slug":"\Q$slug\E"/],
        ['forwarded',                 GET => '/v1/auth', { 'X-Forwarded-For' => '127.0.0.1',
            'X-Forwarded-Host' => 'evil.test', 'X-Forwarded-Prefix' => '/evil', Forwarded => 'for=127.0.0.1' }, 200, undef],
        ['a tenant',                  GET => '/v1/workspaces', { 'Exedra-Tenant' => 'beta', 'X-Exedra-Tenant' => 'beta',
            'X-Tenant' => 'beta' }, 200, qr/"slug":"\Q$slug\E"/],
        ['a user',                    GET => '/v1/auth', { 'Remote-User' => 'admin', 'X-Remote-User' => 'admin' }, 200, undef],
        ['a setting',                 GET => '/v1/auth', { 'Exedra-Set-Db-Url' => 'host=evil.test',
            'Exedra-Set-Llm-Url' => 'http://evil.test' }, 200, undef],
        ['Connection: Authorization', GET => '/v1/auth', { Connection => 'close, Authorization' }, '200/403', undef],
        ['an upgrade',                GET => '/v1/auth', { Upgrade => 'websocket', 'Sec-WebSocket-Key' => 'x',
            'Sec-WebSocket-Version' => 13 }, '200/400/426', undef],
        ['an upgrade to h2c',         GET => '/v1/auth', { Upgrade => 'h2c',
            'HTTP2-Settings' => 'AAMAAABkAAQAAP__' }, '200/400/426', undef],
        ['a strange expectation',     POST => "/v1/workspace/$slug/update", { Expect => '200-maybe' }, '200/417', undef],
        ['ranges',                    GET => '/v1/workspaces', { Range => 'bytes='
            . join(',', map { "$_-" } 0 .. 999) }, 200, qr/^\{"workspaces"/],
        ['a condition',               GET => '/v1/auth', { 'If-None-Match' => '*',
            'If-Modified-Since' => 'Sat, 01 Jan 2050 00:00:00 GMT' }, 200, qr/authenticated/],
        ['no encoding that fits',     GET => '/v1/auth', { 'Accept-Encoding' => 'identity;q=0, *;q=0' }, 200, undef],
        ['HTML wanted of an error',   GET => '/v1/none', { Accept => 'text/html' }, 404, undef],
        ['HTML wanted of ours',       GET => '/v1/auth', { Accept => 'text/html' }, 200, qr/^\{/],
        ['a long language',           GET => '/v1/auth', { 'Accept-Language' => 'x,' x 2000 }, 200, undef],
        ['an origin of script',       GET => '/v1/auth', { Origin => "javascript:alert(1)//\x7f" }, 200, undef],
        ['bytes that are no text',    GET => '/v1/auth', { 'User-Agent' => "\xff\xfe\x80", Referer => "\xc3" }, 200, undef],
        ['a preflight for anything',  OPTIONS => '/v1/workspaces', { Origin => 'https://evil.test',
            'Access-Control-Request-Method' => "GET\tX",
            'Access-Control-Request-Headers' => "authorization\tX-Evil: 1" }, 204, qr/^$/],
    ) {
        my ($name, $method, $target, $headers, $status, $like) = @$_;
        my $got = http($nginx, $method => $target, key => $key, headers => $headers, ($method eq 'POST' ? (json => {}) : ()));
        check_reply($name, $got, $status, $like ? (like => $like) : ());
        ok !defined $got->{headers}{'access-control-allow-credentials'}, '… without credentials';
        unlike join(' ', %{ $got->{headers} }), qr/evil/i, '… and its headers do not repeat it';
        like $got->{headers}{'x-content-type-options'} // ($got->{status} == 204 ? 'nosniff'
            : ''), qr/^nosniff$/, '… nosniff' if $got->{status} >= 200;
    }
    check_reply('Connection: Authorization of another', http($nginx, GET => '/v1/workspaces', key => $beta,
        headers => { Connection => 'close, Authorization' }),
        '200/403');
    unlike http($nginx, GET => '/v1/workspaces', key => $beta,
        headers => { 'Exedra-Tenant' => 'acme' })->{body}, qr/hall/, 'a tenant is no header';
    $house->calm('odd headers');
};

subtest 'codings' => sub {
    my $update = "/v1/workspace/$slug/update";
    for my $coding ('gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'GZIP', 'identity, gzip', 'compress', 'nonsense') {
        check_reply($coding, http($nginx, POST => $update, key => $key, body => '{}',
            headers => { 'Content-Encoding' => $coding }), 415);
    }
    check_reply($_, http($nginx, POST => $update, key => $key, body => '{}',
        headers => { 'Content-Encoding' => $_ }), 200) for 'identity', 'Identity', '';
    gzip(\(' ' x (16 * $MiB)), \my $member, -Level => 9);
    my $bomb = $member x (7 * $MiB / length $member);
    my $before = $exedra->pss_total_kb;
    check_reply('a bomb of ' . (length($bomb) / length($member) * 16 >> 10)
        . ' GiB in 7 MiB', http($nginx, POST => $update, key => $key, body => $bomb,
        headers => { 'Content-Encoding' => 'gzip', 'Content-Type' => 'application/json' }), 415);
    cmp_ok $exedra->pss_total_kb - $before, '<', allow_for(16 * 1024), 'takes no memory';
    $house->calm('codings');
};

subtest 'request ids' => sub {
    my $lines = () = $exedra->log_text =~ /\n/g;
    my $n = 0;
    my %seen;
    for (
        # name, id, kept?
        ['a plain one',        'abc-DEF_0.9',  1],
        ['64 characters',      'a' x 64,       1],
        ['65 characters',      'a' x 65,       0],
        ['64 KiB',             'a' x 65536,    0],
        ['nothing',            '',             0],
        ['a line end',         "a\r\nlevel=error event=evil", 0],
        ['a line feed',        "a\nevil=1",    0],
        ['an escape',          "\e[2J\e]0;x\a", 0],
        ['quotes',             'a" event=evil x="', 0],
        ['a space',            'a evil=1',     0],
        ['a format',           '%s%n%n%n%p',   0],
        ['no UTF-8',           "\xff\xfe",     0],
        ['a path',             '../../x',      0],
        ['HTML',               '<b>x</b>',     0],
    ) {
        my ($name, $id, $kept) = @$_;
        # past nginx, which would refuse most of it
        my $got = ask_fcgi($exedra, GET => '/v1/none', headers => { 'X-Request-Id' => $id });
        my $answered = $got->{headers}{'x-request-id'} // '';
        $n++;
        check_reply($name, $got, 404);
        if ($kept) { is $answered, $id, '… is kept' } else { like $answered, qr/^[0-9a-f]{16}$/, '… is replaced' }
        ok !$seen{$answered}++, '… it is its own';
        $exedra->wait_log("event=request id=\Q$answered\E ");
    }
    my @more = split /\n/, $exedra->log_text;
    is @more, $lines + $n, 'each made one line of the log';
    is_deeply [grep { !/^time=\S+Z level=\w+ pid=\d+ event=\w+ [ -~]*$/ } @more], [], 'that is plain text';
    unlike $exedra->log_text, qr/evil/, 'and holds nothing that was smuggled';
    like http($nginx, GET => '/ping')->{headers}{'x-request-id'}, qr/^[0-9a-f]{16}$/, 'through nginx there is one too';
};

# ---- one connection, many requests ----

subtest 'pipelined' => sub {
    my @mixed = ([$key, qr/"slug":"hall"/], [$beta, qr/^\{"workspaces":\[\]\}$/], ['sk-exd-wrong', qr/No valid api key/],
    [undef, qr/No valid api key/]);
    my $bytes = join '', map { my $k = $mixed[$_ % 4][0];
        request("GET /v1/workspaces?n=$_ HTTP/1.1", ['Host: localhost', defined $k ? "Authorization: Bearer $k"
            : (), "X-Request-Id: pipe-$_",
            $_ == 99 ? 'Connection: close' : ()]) } 0 .. 99;
    my @got = replies_in(raw($nginx, $bytes, 10));
    is @got, 100, '100 requests, 100 replies';
    is_deeply [grep { $got[$_]{body} !~ $mixed[$_ % 4][1] || $got[$_]{headers}{'x-request-id'} ne "pipe-$_" } 0 .. $#got],
    [], 'each its own, in order';
    # a body that looks like a request stays a body
    my $inner = request('DELETE /v1/workspace/hall HTTP/1.1', ['Host: localhost', $auth, 'Connection: close']);
    @got = replies_in(raw($nginx, request('POST /v1/workspace/new HTTP/1.1', ['Host: localhost', $auth, 'Content-Length: '
        . length $inner], $inner)
        . request('GET /v1/auth HTTP/1.1', [@close, $auth])));
    is_deeply [map { $_->{status} } @got], [400, 200], 'a request inside a body is none';
    @got = replies_in(raw($nginx, request('GET /v1/auth HTTP/1.1', ['Host: localhost', $auth, 'Content-Length: '
        . length $inner], $inner)
        . request('GET /v1/auth HTTP/1.1', [@close, $auth])));
    is_deeply [map { $_->{status} } @got], [200, 200], 'nor inside the body of a GET';
    is http($nginx, GET => "/v1/workspace/$slug", key => $key)->{json}{workspace}[0]{slug}, $slug,
        'and the workspace is still there';
    $house->calm('pipelines');
};

subtest 'many that say nothing' => sub {
    my @silent = map { fcgi_open($nginx->{http}) } 1 .. 200;
    $_->send("POST /v1/workspace/new HTTP/1.1\r\nHost: localhost\r\n$auth\r\nContent-Length: 1000\r\n\r\n{") for @silent[0 .. 99];
    my $got = http($nginx, GET => '/v1/auth', key => $key);
    check_reply('a new client', $got, 200);
    cmp_ok $got->{seconds}, '<', allow_for(1), "is served in $got->{seconds} s";
    $_->close for @silent;
    $house->calm('silence');
};

subtest 'what is refused early is read to its end, or not at all' => sub {
    # nginx passes bodies on while we have answered already: the answer must arrive all the same
    my $large = ' ' x (7 * $MiB);
    for (
        # name, target, key, headers, status
        ['a wrong key',       '/v1/workspace/new',                 'sk-exd-wrong', {},                              403],
        ['no key',            '/v1/workspace/new',                 undef,          {},                              403],
        ['no such path',      '/v1/none',                          $key,           {},                              404],
        ['no such method',    '/v1/auth',                          $key,           {},                              405],
        ['a coding',          "/v1/workspace/$slug/update",        $key,           { 'Content-Encoding' => 'gzip' }, 415],
    ) {
        my ($name, $target, $with, $headers, $status) = @$_;
        my %got;
        $got{http($nginx, POST => $target, key => $with, body => $large, headers => $headers)->{status}}++ for 1 .. 8;
        is_deeply \%got, { $status => 8 }, "$name and 7 MiB";
    }
    $house->calm('large bodies that nobody wants');
};

$house->close;
done_testing;
