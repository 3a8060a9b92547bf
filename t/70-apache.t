# Through a real Apache: by mod_proxy_fcgi with the shipped include, keys, targets and bodies arrive unchanged, streams are not held
# back, and a pool that was away is served again at once; as a CGI program, what is refused is told, and a query is no command line.
use lib 't/lib';
use Exedra::Test;
use Cwd ();

need('apache2');

my $db = database();
my $model = start_model(deltas => [map { "word $_ " } 1 .. 6], pause => 0.25);
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'slow' });
my $apache = start_apache(exedra => $exedra, site => "<Location /v1/auth>\nSetEnv EXEDRA_TENANT acme\n</Location>");
my $key = tenant($db, 'acme')->{key};
my $large = ' ' x (9 << 20);

subtest 'requests arrive as they are sent' => sub {
    is http($apache, GET => '/v1/auth', key => $key)->{status}, 200, 'a key opens';
    is http($apache, GET => '/v1/auth', key => tenant($db, 'other')->{key})->{status}, 403, "not another tenant's, where EXEDRA_TENANT says whose";
    is http($apache, GET => "/$_")->{status}, 200, "/$_ needs none" for qw(ping livez readyz health health/db);
    for my $target ('/v1/workspace/a%2Fb', '/v1/workspace/%2e%2e/workspaces', '/v1//workspaces', '/v1/workspace/x%20y', '/v1/none/../auth', '/v1/workspace/%C3%A9?x=%00') {
        my ($through, $straight) = map { http($_, GET => $target, key => $key) } $apache, $exedra;
        is "$through->{status} $through->{body}", "$straight->{status} $straight->{body}", $target;
    }
    my $got = raw($apache, "POST /v1/workspace/new HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $key\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        . join('', map { sprintf "1\r\n%s\r\n", $_ } split //, json_text({ name => 'Hall' })) . "0\r\n\r\n");
    like $got, qr{^HTTP/1\.1 200 .*"slug":"hall"}s, 'a body in chunks';
    $got = http($apache, POST => '/v1/workspace/new', key => $key, body => $large);
    is $got->{status}, 413, 'one that is too large';
    like $got->{json}{message}, qr/larger than 8 MiB/, '… is refused in our words';
    is http($apache, POST => '/v1/workspace/new', key => 'wrong', body => $large)->{status}, 403, '… or its key is';
};

subtest 'a stream is not held back' => sub {
    my $stream = http_stream($apache, POST => '/v1/workspace/hall/stream-chat', key => $key, json => { message => 'Slowly' });
    my @words = grep { ($_->{json}{textResponse} // '') =~ /word/ } $stream->events;
    is @words, 6, 'six deltas are six events';
    my $seconds = $words[-1]{at} - $words[0]{at};
    cmp_ok $seconds, '>', 0.6, "that come one by one: $seconds s from the first to the last, and not all at the end";
};

subtest 'under a prefix' => sub {
    my $team = start_apache(exedra => $exedra, prefix => '/team');
    is http($team, GET => "/team$_", key => $key)->{status}, 200, "/team$_" for qw(/v1/auth /api/v1/auth /livez);
    is http($team, GET => '/v1/auth', key => $key)->{status}, 404, 'without it there is nothing';
};

subtest 'a pool that was away' => sub {
    my $path = tmp_dir() . '/late.sock';
    my $front = start_apache(exedra => $path);
    is http($front, GET => '/livez')->{status}, 503, 'none is there' for 1 .. 3;
    my $late = start_exedra(db => $db, listen => $path);
    is http($front, GET => '/livez')->{status}, 200, 'then there is one' for 1 .. 3;
};

for my $case (['event', 'cgid', 'ScriptSock DIR/cgi.sock'], ['prefork', 'cgi', '']) {
    my ($mpm, $module, $more) = @$case;
    subtest "mod_$module" => sub {
        my $program = Cwd::abs_path(program('exedra'));
        my $dir = tmp_dir() . "/$module";
        mkdir $dir;
        my $cgi = start_cgi(db => $db);
        my $line = join ' ', Cwd::abs_path($program), '-c', Cwd::abs_path($cgi->{program}[2]);
        spew("$dir/exedra.cgi", "#!/bin/sh\nexec $line\n");
        spew("$dir/open.cgi", "#!/bin/sh\nexec $line \"\$@\"\n");
        chmod 0755, "$dir/$_" for qw(exedra.cgi open.cgi);
        # ScriptSock is the whole server's: before the virtual host.
        my $front = start_apache(mpm => $mpm, modules => [$module], main => $more,
            site => "ScriptAlias /cgi-bin/ $dir/\n<Directory $dir>\nRequire all granted\nCGIPassAuth On\n</Directory>");
        my $base = '/cgi-bin/exedra.cgi';
        is http($front, GET => "$base/v1/auth", key => $key)->{status}, 200, 'a key opens';
        is http($front, POST => "$base/v1/workspace/new", key => 'wrong', body => $large)->{status}, 403, 'a wrong one is told before a long body is read';
        is http($front, POST => "$base/v1/workspace/new", key => $key, body => $large)->{status}, 413, '… and so is one that is too long';
        is http($front, GET => "/cgi-bin/open.cgi/v1/auth?now", key => $key)->{status}, 200, 'a query without = is no operand';
        for my $query (qw(-c+/dev/stdin --settings -v %2Dv now+-v)) {
            is http($front, POST => "/cgi-bin/open.cgi/v1/auth?$query", key => $key, body => "processes = many\n")->{status}, 400, "nor an option: $query";
        }
    };
}

ok $_->stop, "$_->{name} ends well" for $apache, $exedra;
done_testing;
