# Through a real nginx with the shipped include: keys, targets and bodies arrive unchanged, event streams are not held
# back, what nginx itself refuses is JSON, and all of it works under a URL prefix.
use lib 't/lib';
use Exedra::Test;

need('nginx');

my $MiB = 1 << 20;
my $db = database();
my $exedra = start_exedra(db => $db);
my $nginx = start_nginx(exedra => $exedra);
my $team = start_nginx(exedra => $exedra, prefix => '/team');
my $acme = tenant($db, 'acme');
my $key = $acme->{key};

# Announces a body of so many bytes and sends none of it: the status that nginx answers at once, or 'read on'.
sub announce {
    my ($method, $target, $bytes, $type) = @_;
    my $client = fcgi_open($nginx->{http});
    $client->send("$method $target HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $key\r\n"
        . "Content-Type: $type\r\nContent-Length: $bytes\r\n\r\n");
    eval { $client->fill(0.3) };
    $client->close;
    return $client->{bytes} =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'read on';
}

subtest 'keys' => sub {
    is http($nginx, GET => '/v1/auth', key => $key)->{status}, 200, 'a key opens';
    is http($nginx, GET => '/api/v1/auth', key => $key)->{status}, 200, 'under /api too';
    my $got = http($nginx, GET => '/v1/auth', key => 'sk-exd-wrong');
    is $got->{status}, 403, 'a wrong one does not';
    is_deeply $got->{json}, { error => 'No valid api key found.' }, 'in the words of the contract';
    is http($nginx, GET => "/$_")->{status}, 200, "/$_ needs none" for qw(ping livez readyz);
    is http($nginx, GET => '/v1/auth', headers => { Proxy => 'http://127.0.0.1:1' }, key => $key)->{status}, 200,
        'a Proxy header does nothing';
};

subtest 'targets arrive as they are sent' => sub {
    my $made = workspace($nginx, $key, 'Nginx');
    my $direct = http($exedra, GET => "/v1/workspace/$made->{slug}", key => $key);
    is http($nginx, GET => "/v1/workspace/$made->{slug}", key => $key)->{body}, $direct->{body}, 'a plain one';
    for my $target ('/v1/workspace/a%2Fb', '/v1/workspace/%2e%2e/workspaces', '/v1//workspaces', '/v1/workspace/x%20y',
        '/v1/auth/', '/v1/none/../auth', '/api/api/v1/auth', '/v1/workspace/%C3%A9?x=%00') {
        my ($through, $straight) = map { http($_, GET => $target, key => $key) } $nginx, $exedra;
        is "$through->{status} $through->{body}", "$straight->{status} $straight->{body}", $target;
    }
};

subtest 'bodies' => sub {
    my $body = json_text({ name => 'In chunks' });
    my $got = raw($nginx, "POST /v1/workspace/new HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $key\r\n"
        . "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        . join('', map { sprintf "1\r\n%s\r\n", $_ } split //, $body) . "0\r\n\r\n");
    like $got, qr{^HTTP/1\.1 200 .*"slug":"in-chunks"}s, 'a chunked one';
    my $long = http($nginx, POST => '/v1/document/raw-text', key => $key,
        body => '{"metadata":{"title":"long"},"textContent":"' . 'A wide river. ' x (9 * $MiB / 14) . '"}');
    is $long->{status}, 200, 'a text of 9 MiB' or diag substr $long->{body}, 0, 200;
};

subtest 'what is too large' => sub {
    my $got = http($nginx, POST => '/v1/workspace/new', key => $key, body => ' ' x (8 * $MiB + 1));
    is $got->{status}, 413, 'a JSON body';
    like $got->{headers}{'content-type'}, qr{^application/json}, 'is refused in JSON';
    like $got->{json}{error}, qr/larger than 8 MiB/, 'that names the limit';
    for my $route (grep { $_->{method} =~ /^(?:POST|PUT|PATCH)$/ } routes()) {
        (my $target = $route->{pattern}) =~ s/\{[^}]*\}/x/g;
        my $limit = ($route->{needs} =~ /upload/ ? 256 : $route->{needs} =~ /large-body/ ? 64 : 8) * $MiB;
        my $type = $route->{needs} =~ /upload/ ? 'multipart/form-data; boundary=x' : 'application/json';
        is announce($route->{method}, $target =~ m{^/v1/} ? $target : "/api$target", $limit, $type), 'read on', "$target takes $limit bytes";
        is announce($route->{method}, "/api$target", $limit + 1, $type), 413, 'and no more';
    }
};

subtest 'a stream' => sub {
    my $made = workspace($nginx, $key, 'Rivers');
    my $river = join "\n\n", map { "The river number $_ flows past $_ villages to the sea, and nobody minds." } 1 .. 60;
    document($nginx, $key, 'rivers', $river, $made->{slug});
    my $stream = http_stream($nginx, POST => "/v1/workspace/$made->{slug}/stream-chat", key => $key,
        json => { message => 'Which river flows to the sea?' });
    is $stream->{status}, 200, 'starts';
    like $stream->{headers}{'content-type'}, qr{^text/event-stream}, 'as an event stream';
    my @events = map { $_->{json} } $stream->events;
    ok @events > 2, 'has events';
    ok $stream->{whole}, 'and ends as HTTP wants';
    is $events[-1]{type}, 'finalizeResponseStream', 'with the last event';
    ok @{ $events[-1]{sources} } > 0, 'that has sources';
};

subtest 'a stream is not held back' => sub {
    my $model = start_model(deltas => [map { "word $_ " } 1 .. 6], pause => 0.25);
    my $slow = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'slow' });
    my $front = start_nginx(exedra => $slow);
    my $stream = http_stream($front, POST => '/v1/workspace/nginx/stream-chat', key => $key, json => { message => 'Slowly' });
    my @words = grep { ($_->{json}{textResponse} // '') =~ /word/ } $stream->events;
    is @words, 6, 'six deltas are six events';
    my @gaps = map { $words[$_]{at} - $words[$_ - 1]{at} } 1 .. $#words;
    ok !(grep { $_ < 0.1 } @gaps), 'that come one by one' or diag "seconds between them: @gaps";
    ok $_->stop, "$_->{name} ends well" for $front, $slow;
};

subtest 'under a prefix' => sub {
    is http($team, GET => '/team/v1/auth', key => $key)->{status}, 200, '/team/v1/auth';
    is http($team, GET => '/team/api/v1/auth', key => $key)->{status}, 200, '/team/api/v1/auth';
    is http($team, GET => '/team/livez')->{status}, 200, '/team/livez';
    my $got = http($team, GET => '/v1/auth', key => $key);
    is $got->{status}, 404, 'without it there is nothing';
    unlike $got->{body}, qr/authenticated/, 'of ours';
    my $blank = '{' . ' ' x (8 * $MiB) . '}';
    is http($team, POST => '/team/v1/document/raw-text', key => $key, body => $blank)->{status}, 422, 'a large body for a large route';
    is http($team, POST => '/team/v1/workspace/new', key => $key, body => $blank)->{status}, 413, 'and not for another';
};

subtest 'beside other things in the server' => sub {
    my $shared = start_nginx(exedra => $exedra, server => 'location / { return 200 "the site\n"; }');
    is http($shared, GET => '/v1/auth', key => $key)->{status}, 200, 'ours is ours';
    for my $target (qw(/ /v1 /v2/auth /pings /livez/x /blog/v1/auth /missing)) {
        is http($shared, GET => $target)->{body}, "the site\n", "$target is not";
    }
};

subtest 'the widget' => sub {
    my $dir = tmp_dir() . '/widget';
    mkdir $dir;
    spew("$dir/$_", "/* $_ */") for qw(anythingllm-chat-widget.min.js anythingllm-chat-widget.min.css other.js);
    my $include = slurp('nginx/widget.conf') =~ s{/usr/local/share/exedra/widget/}{$dir/}r;
    my $site = start_nginx(exedra => $exedra, server => $include);
    my $got = http($site, GET => '/embed/anythingllm-chat-widget.min.js');
    is_deeply [@$got{qw(status body)}, $got->{headers}{'content-type'}], [200, '/* anythingllm-chat-widget.min.js */', 'text/javascript; charset=utf-8'], 'its program';
    is http($site, GET => '/embed/anythingllm-chat-widget.min.css')->{headers}{'content-type'}, 'text/css; charset=utf-8', 'its looks';
    is http($site, GET => "/embed/$_")->{status}, 404, "nothing else: $_" for qw(other.js ../widget/other.js anythingllm-chat-widget.min.js/x anythingllm-chat-widget.min.jsx);
    is http($site, GET => '/v1/auth', key => $key)->{status}, 200, 'and Exedra as ever';
    is http($site, GET => '/api/embed/x/y')->{body}, http($exedra, GET => '/api/embed/x/y')->{body}, '... which has what the widget asks';
};

subtest 'Exedra is away' => sub {
    my $lonely = start_nginx(exedra => tmp_dir() . '/nobody.sock');
    my $got = http($lonely, GET => '/v1/auth', key => $key);
    is $got->{status}, 502, 'the gateway says so';
    like $got->{headers}{'content-type'}, qr{^application/json}, 'in JSON';
    ok $got->{json}{error}, 'that says so';
    ok $got->{headers}{'retry-after'}, 'with Retry-After';
};

ok $_->stop, "$_->{name} ends well" for $nginx, $team, $exedra;
done_testing;
