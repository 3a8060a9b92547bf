# The pool under pressure and under signals: full of streams it still answers, full of everything it says so at once, and
# afterwards all is well; workers that die are replaced; an end or a reload lets streams finish; sockets of every kind.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;
use Cwd ();
use Digest::SHA qw(sha256);
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(time sleep);

need('nginx');

my $THREADS = 16;
my $PLACES = $THREADS / 8 * 7;          # for streams
my $house = house(nginx => 0, settings => { processes => 1 });
my ($db, $key) = @$house{qw(db key)};
my $acme = $house->{acme};

# A model that talks for 20 s, and another at another address.
my $slow = start_model(deltas => [map { "word $_ " } 1 .. 200], pause => 0.1);
my $other = start_model(deltas => [map { "word $_ " } 1 .. 200], pause => 0.1);
my $brief = start_model(deltas => [map { "word $_ " } 1 .. 15], pause => 0.1);

sub model { return ('llm.url' => $_[0]{url}, 'llm.model' => 'm') }

sub ask_stream {
    my ($server, $slug, $message) = @_;
    return http_stream($server, POST => "/v1/workspace/$slug/stream-chat", key => $key,
        json => { message => $message // 'Slowly' });
}

sub state_of {
    my ($message) = @_;
    return psql($db, "SELECT state FROM exedra.chat WHERE prompt = '$message'");
}

sub workers { my @pids = $_[0]->worker_pids; return scalar @pids }

sub median { return (sort { $a <=> $b } @_)[@_ / 2] }

# ---- what takes its time goes first and is looked at last ----

# Threads of a crowd go when it has gone, though a few requests come all the time.
my $crowded = start_exedra(db => $db, settings => { processes => 1, threads => 256 });
my $trickled = start_exedra(db => $db, settings => { processes => 1, threads => 256 });
my %most;
for my $pool ($crowded, $trickled) {
    my @crowd = map { my $c = fcgi_open($pool->{socket}); $c->send(begin_record(1)); $c } 1 .. 100;
    my ($worker) = $pool->worker_pids;
    wait_for { threads($worker) > 100 } 10, '100 threads';
    $most{$pool} = threads($worker);
    $_->close for @crowd;
}
my $dispersed = time;
my $trickle = fork // die;
if (!$trickle) {
    for (1 .. 280) {
        eval { http($trickled, GET => '/livez') };
        sleep 0.05;
    }
    POSIX::_exit(0);
}

# A stream that does not end in time is stopped, and kept as that.
# Its clock is put back by an hour while it drains, where no sanitizer stands in the way.
my $put_back = build_dir() . '/t/torture/fail.so';
die "$put_back is missing: make t/torture/fail.so\n" if !-e $put_back;
my $stubborn = start_exedra(db => $db, env => asan() || $ENV{EXEDRA_TSAN} ? {} : { LD_PRELOAD => Cwd::abs_path($put_back), CLOCK_BACK_S => 3600 },
    settings => { processes => 1, drain => 10, model($slow) });
my $cut = ask_stream($stubborn, 'hall', 'Too long');
$cut->next(10);
kill TERM => $stubborn->{pid};

# ---- places ----

subtest 'places of streams' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 1, threads => $THREADS, 'outbound.allow' => '127.0.0.0/8',
        'secret.file' => tmp_dir() . '/secret', model($slow) });
    my $nginx = start_nginx(exedra => $pool);
    my $made = run([program('exedractl'), '-c', $pool->{conf},
        '-d', $db->conninfo('owner'), qw(provider set acme other), $other->{url}, qw(--model m)]);
    is $made->{status}, 0, 'another provider' or diag $made->{err};
    workspace($pool, $key, 'Annex', chatProvider => 'other');

    my @streams = map { ask_stream($nginx, 'hall') } 1 .. $THREADS / 2;
    is_deeply [map { $_->{status} } @streams], [(200) x ($THREADS / 2)], 'one provider may hold half of the threads';
    ok $_->next(10), 'it runs' for @streams[0, -1];
    my $got = http($nginx, POST => '/v1/workspace/hall/stream-chat', key => $key, json => { message => 'One too many' });
    check_reply('the next of it', $got, 503);
    ok $got->{headers}{'retry-after'}, '… with Retry-After';
    cmp_ok $got->{seconds}, '<', allow_for(0.5), '… at once';

    push @streams, map { ask_stream($nginx, 'annex') } @streams + 1 .. $PLACES;
    is_deeply [map { $_->{status} } @streams], [(200) x $PLACES], "$PLACES streams have a place";
    ok $_->next(10), 'it runs' for $streams[-1];
    my @auth = map { http($nginx, GET => '/v1/auth', key => $key) } 1 .. 21;
    # two threads are left; those at the end of a request wait for nginx to close, which takes its time on a busy machine
    my $refused = grep { $_->{status} != 200 } @auth;
    cmp_ok $refused, '<=', asan() ? 5 : 3, "reads go on, $refused refused";
    my $median = median(map { $_->{seconds} } @auth);
    cmp_ok $median, '<', allow_for(0.05), sprintf 'within 50 ms: %.1f ms', 1000 * $median;
    for (
        ['/v1/workspace/annex/stream-chat', { message => 'Late' }], ['/v1/workspace/annex/chat', { message => 'Late' }],
        ['/v1/workspace/none/chat', { message => 'Late' }],
        ['/v1/chat/completions', { model => 'annex', stream => \1, messages => [{ role => 'user', content => 'Late' }] }],
        ['/v1/chat/completions', { model => 'annex', messages => [{ role => 'user', content => 'Late' }] }],
    ) {
        my ($target, $body) = @$_;
        $got = http($nginx, POST => $target, key => $key, json => $body);
        check_reply("$target then", $got, 503);
        ok $got->{headers}{'retry-after'}, '… with Retry-After';
        cmp_ok $got->{seconds}, '<', allow_for(0.5), '… at once';
    }
    check_reply('and a wrong key', http($nginx, POST => '/v1/workspace/hall/chat', key => 'wrong',
        json => { message => 'Late' }), '403/503');
    is psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt = 'Late'"), 0, 'what had no place is not on record';

    $_->close for @streams;
    my $began = time;
    my $again;
    wait_for { $again = ask_stream($nginx, 'hall', 'Again'); $again->{status} == 200 } 3, 'a place';
    cmp_ok time - $began, '<', 2.5, 'when they have gone there is a place at once';
    ok $again->next(10), '… and a stream in it';
    $again->close;
    wait_for { psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open' AND prompt = 'Slowly'") == 0 } 5,
        'all rows to be closed';
    is psql($db, "SELECT DISTINCT state FROM exedra.chat WHERE prompt = 'Slowly'"), 'stopped', 'what they had is kept';
    ok $_->stop, "$_->{name} ends well" for $nginx, $pool;
};

subtest 'every thread busy' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 1, threads => $THREADS });
    my $nginx = start_nginx(exedra => $pool);
    my ($worker) = $pool->worker_pids;
    is http($nginx, GET => '/v1/auth', key => $key)->{status}, 200, 'it answers';
    my $fds = fds($worker);
    my @silent = map { my $c = fcgi_open($pool->{socket}); $c->send(begin_record(1)); $c } 1 .. $THREADS;
    sleep 0.1;
    for (
        ['a read', GET => '/v1/auth'], ['a probe', GET => '/livez'],
        ['a change', POST => '/v1/workspace/new', json => { name => 'x' }], ['a path that is none', GET => '/v1/none'],
        ['a large body', POST => '/v1/workspace/new', body => ' ' x 4_000_000],
        ['a chat', POST => '/v1/workspace/hall/chat', json => { message => 'x' }],
    ) {
        my ($name, $method, $target, %with) = @$_;
        my @got = map { http($nginx, $method => $target, key => $key, %with) } 1 .. 8;
        is_deeply [map { $_->{status} } @got], [(503) x 8], "$name gets 503, every time";
        ok !(grep { !$_->{headers}{'retry-after'} } @got), '… with Retry-After';
        ok !(grep { ref $_->{json} ne 'HASH' || !$_->{json}{error} } @got), '… in JSON';
        my $median = median(map { $_->{seconds} } @got);
        cmp_ok $median, '<', allow_for(0.1), sprintf '… at once: %.1f ms', 1000 * $median;
    }
    # who is just ending makes room for who has just come
    my $served = grep {
        my $late = fcgi_open($pool->{socket});
        $late->send(request_bytes(GET => '/livez', keep => 0));
        sleep 0.004;
        (shift @silent)->close;
        my $status = $late->reply(30)->{status};
        wait_for {
            my $full = http($pool, GET => '/livez')->{status} == 503;
            push @silent, fcgi_open($pool->{socket}) if !$full;
            $full || !$silent[-1]->send(begin_record(1));
        } 5, 'no place';
        $status == 200;
    } 1 .. 8;
    cmp_ok $served, '>=', asan() ? 1 : 4, "a place that becomes free in a moment is waited for, $served of 8 times";
    # more that say nothing do not take more threads than there are
    my @more = map { my $c = fcgi_open($pool->{socket}); $c } 1 .. 200;
    my $got = http($nginx, GET => '/v1/auth', key => $key);
    is $got->{status}, 503, 'behind 200 more that say nothing: 503';
    cmp_ok $got->{seconds}, '<', allow_for(5), "… in $got->{seconds} s";
    # busy ones, as many that say 503, a few of the process's own, and those that are just ending
    my $threads = threads($worker);
    cmp_ok $threads, '<=', 3 * $THREADS, "with $threads threads";
    $_->close for @silent, @more;
    my $auth;
    wait_for { $auth = http($nginx, GET => '/v1/auth', key => $key); $auth->{status} == 200 } 3, 'a place';
    is_deeply [map { http($nginx, GET => '/v1/auth', key => $key)->{status} } 1 .. 20],
    [(200) x 20], 'when they have gone all is well';
    wait_for { fds($worker) <= $fds + 1 } 5, 'descriptors';
    ok $_->stop, "$_->{name} ends well" for $nginx, $pool;
};

# ---- the end of a worker ----

subtest 'a worker is killed' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 2, model($slow) });
    wait_for { workers($pool) == 2 } 5, 'both workers';
    my @before = $pool->worker_pids;
    my $began = time;
    kill KILL => $before[0];
    my @during = map { eval { http($pool, GET => '/v1/auth', key => $key, timeout => 3)->{status} } // 'lost' } 1 .. 20;
    cmp_ok scalar(grep { $_ eq 'lost' } @during), '<=', 1, 'the other goes on';
    wait_for { workers($pool) == 2 && !grep { $_ == $before[0] } $pool->worker_pids } 3, 'another worker';
    cmp_ok time - $began, '<', allow_for(1.5), 'it is replaced within ' . sprintf '%.2f s', time - $began;
    my @after = $pool->worker_pids;
    ok scalar(grep { $_ == $before[1] } @after), 'the other is the same';
    is_deeply [map { http($pool, GET => '/v1/auth', key => $key)->{status} } 1 .. 20], [(200) x 20], 'both answer';

    # with streams in all of them: none is open for ever
    my @streams = map { ask_stream($pool, 'hall', "Killed $_") } 1 .. 4;
    $_->next(10) for @streams;
    kill KILL => $pool->worker_pids;
    for my $stream (@streams) {
        my @rest = eval { $stream->events(10) };
        ok !$stream->{whole}, 'a stream breaks off';
        unlike join(' ', map { $_->{data} } @rest), qr/finalizeResponseStream/, '… without an end';
    }
    wait_for { workers($pool) == 2 } 3, 'workers again';
    eval { wait_for { psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt LIKE 'Killed %' AND state = 'open'") == 0 } 5,
        'the rows' };
    like psql($db, "SELECT string_agg(DISTINCT state::text, ' ') FROM exedra.chat WHERE prompt LIKE 'Killed %'"), qr/^(?:failed|stopped|failed stopped)$/, 'and none is open for ever';
    is http($pool, GET => '/v1/auth', key => $key)->{status}, 200, 'all is well';
    ok $pool->stop, 'ends well';
};

subtest 'the master is killed' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 2 });
    my @workers = $pool->worker_pids;
    my $pid = $pool->{pid};
    kill KILL => $pid;
    wait_for { !grep { -e "/proc/$_" && slurp("/proc/$_/stat") !~ /\) Z/ } @workers } 5, 'its workers to go';
    pass 'the workers go too';
    $pool->end;
    my $next = start_exedra(db => $db, listen => $pool->{socket}, settings => { processes => 2 });
    is http($next, GET => '/v1/auth', key => $key)->{status}, 200, 'the next takes its socket over';
    ok $next->stop, 'ends well';
};

subtest 'SIGTERM' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 2, model($brief) });
    my @streams = map { ask_stream($pool, 'hall', "Drained $_") } 1 .. 4;
    $_->next(10) for @streams;
    my $kept = fcgi_open($pool->{socket});
    $kept->send(request_bytes(GET => '/v1/auth', key => $key));
    is $kept->reply(5)->{status}, 200, 'a connection that is kept';
    kill TERM => $pool->{pid};
    $pool->wait_log('event=ending');
    is eval { $kept->fill(2) }, 0, '… is closed at once';
    for my $n (1 .. 4) {
        my @events = $streams[$n - 1]->events(10);
        is $events[-1]{json}{type}, 'finalizeResponseStream', 'a stream ends as it should';
        is state_of("Drained $n"), 'done', '… and is on record';
    }
    my $began = time;
    is $pool->end, '', 'the pool ends with 0';
    cmp_ok time - $began, '<', allow_for(2), '… as soon as they are done';
    ok !-e $pool->{socket}, 'and its socket is gone';
};

subtest 'SIGHUP' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 2, 'cors.origins' => 'https://one.test', model($brief) });
    my $origin = sub { http($pool, GET => '/livez', headers => { Origin => "https://$_[0].test" })->{headers}{'access-control-allow-origin'} // '' };
    is $origin->('one'), 'https://one.test', 'a setting';
    my @before = $pool->worker_pids;
    my $stream = ask_stream($pool, 'hall', 'Over a reload');
    $stream->next(10);
    $pool->reload('cors.origins' => 'https://two.test', processes => 3);
    $pool->wait_log('event=reloaded');
    wait_for { $origin->('two') eq 'https://two.test' } 5, 'the new setting';
    is_deeply [map { $origin->('two') } 1 .. 10], [('https://two.test') x 10], 'a good configuration holds from then on';
    my @events = $stream->events(10);
    is $events[-1]{json}{type}, 'finalizeResponseStream', 'a stream goes on to its end';
    is state_of('Over a reload'), 'done', '… and is on record';
    wait_for { workers($pool) == 3 } 5, 'the old workers to go';
    my @after = $pool->worker_pids;
    is_deeply [grep { my $pid = $_; grep { $_ == $pid } @before } @after], [], 'by other workers';

    my $good = slurp($pool->{conf});
    for (['an unknown setting', "proceses = 3\n"], ['a bad value', "threads = many\n"], ['a line that is none', "nonsense\n"],
    ['a file that is not there', undef]) {
        my ($name, $text) = @$_;
        if (defined $text) { spew($pool->{conf}, "$good$text") } else { unlink $pool->{conf} }
        my $refused = () = $pool->log_text =~ /event=reload_refused/g;
        kill HUP => $pool->{pid};
        wait_for { my $n = () = $pool->log_text =~ /event=reload_refused/g; $n > $refused } 5, 'it to be refused';
        is $origin->('two'), 'https://two.test', "$name: refused, and the old goes on";
        is_deeply [$pool->worker_pids], \@after, '… with its workers';
    }
    spew($pool->{conf}, $good);

    # under load
    my $load = fork // die;
    if (!$load) {
        for (1 .. 8) {
            kill HUP => $pool->{pid};
            sleep 0.15;
        }
        POSIX::_exit(0);
    }
    my $n = asan() ? 300 : 3000;
    my $got = flood($pool->{socket}, n => $n, clients => 4, keep => 0, request => sub { request_bytes(GET => '/v1/auth',
        key => $key, keep => 0) });
    is_deeply $got, { 200 => $n }, "$n requests over 8 reloads: none is lost";
    waitpid $load, 0;
    ok $pool->stop, 'ends well';
};

# ---- sockets ----

# Starts exedra with these arguments and waits for its end: what run() gives.
sub refused {
    my ($settings, @args) = @_;
    my $conf = write_settings(tmp_dir() . '/refused.conf', { 'db.url' => $db->conninfo('runtime'), %$settings });
    return eval { run([program('exedra'), '-c', $conf, @args], timeout => 2, env => { REQUEST_METHOD => undef, GATEWAY_INTERFACE => undef }) } // { status => 'it runs', err => '' };
}

subtest 'sockets' => sub {
    my $first = start_exedra(db => $db);
    my $second = refused({ listen => $first->{socket} });
    is $second->{status}, 1, 'a second pool on the same socket refuses';
    like $second->{err}, qr/serves .* already/, '… and says so';
    is http($first, GET => '/v1/auth', key => $key)->{status}, 200, 'the first goes on';
    ok -S $first->{socket}, '… on its socket';
    ok $first->stop, 'ends well';

    IO::Socket::UNIX->new(Local => $first->{socket}, Listen => 1)->close;
    ok -S $first->{socket}, 'a socket that nobody serves';
    my $next = start_exedra(db => $db, listen => $first->{socket});
    is http($next, GET => '/livez')->{status}, 200, '… is taken over';
    is_deeply [grep { slurp("/proc/$_/comm") ne "exedra\n" } $next->pids], [], 'all its processes are called exedra';
    is sprintf('%o', (stat $first->{socket})[2] & 0777), '660', '… for its group only';
    ok $next->stop, 'ends well';

    # Somebody has taken the socket away, and another pool has one there.
    my $old = start_exedra(db => $db, listen => $first->{socket});
    unlink $first->{socket};
    my $new = start_exedra(db => $db, listen => $first->{socket});
    ok $old->stop, 'the pool that ends first';
    ok -S $first->{socket}, "… leaves the other's socket alone";
    is http($new, GET => '/livez')->{status}, 200, '… which serves';
    ok $new->stop, 'ends well';
    ok !-e $first->{socket}, '… and takes its own away';

    # Started with standard input and error closed: nothing else may have their places.
    my $mute = write_settings(tmp_dir() . '/mute.conf', { %{ $first->{settings} } });
    my $pid = spawn(['/bin/sh', '-c', 'exec "$0" "$@" <&- 2>&-', program('exedra'), '-c', $mute], log => tmp_dir() . '/mute.log');
    wait_for { -S $first->{socket} } 10, 'its socket';
    is_deeply [map { readlink "/proc/$pid/fd/$_" } 0, 2], [('/dev/null') x 2], 'descriptors that were closed are /dev/null';
    is end_process($pid), 0, 'ends well';

    spew($first->{socket}, 'a file');
    is refused({ listen => $first->{socket} })->{status}, 1, 'a file in its place is not';
    is slurp($first->{socket}), 'a file', '… nor removed';
    unlink $first->{socket};
    mkdir $first->{socket};
    is refused({ listen => $first->{socket} })->{status}, 1, 'nor a directory';
    rmdir $first->{socket};
    symlink '/etc/passwd', $first->{socket};
    is refused({ listen => $first->{socket} })->{status}, 1, 'nor a link';
    unlink $first->{socket};
    is refused({ listen => tmp_dir() . '/' . 'x' x 200 })->{status}, 1, 'nor a path that is too long';
    is refused({ listen => tmp_dir() . '/none/sock' })->{status}, 1, 'nor one that leads nowhere';

    my $tcp = start_exedra(db => $db, listen => 'tcp');
    is http($tcp, GET => '/v1/auth', key => $key)->{status}, 200, '127.0.0.1 is served';
    is refused({ listen => $tcp->{socket} })->{status}, 1, '… once';
    ok $tcp->stop, 'ends well';
    my $port = free_port();
    my $said = start_exedra(db => $db, settings => { listen => undef }, listen => "127.0.0.1:$port", args => ['--listen',
        "127.0.0.1:$port"]);
    is http($said, GET => '/livez')->{status}, 200, 'also when the command line says so';
    ok $said->stop, 'ends well';
    for my $address ('0.0.0.0', '[::]', '0', '192.0.2.1', '[2001:db8::1]', '[::ffff:0.0.0.0]', '255.255.255.255', '224.0.0.1',
        'localhost.evil.test', '', '*', '128.0.0.1', '[::127.0.0.1]') {
        my $got = refused({}, '--listen', "$address:$port");
        is $got->{status}, 1, "'$address' is refused";
        like $got->{err}, qr/loopback|neither a path nor|listen/, '… in words';
    }
    is refused({}, '--listen', "127.0.0.1:$_")->{status}, 1, "the port '$_' is refused" for '', '-1', '65536', 'http', '80x', '1e3';
};

subtest 'a socket on descriptor 0' => sub {
    my $path = tmp_dir() . '/given';
    my $log = tmp_dir() . '/given.log';
    my $conf = write_settings(tmp_dir() . '/given.conf', { 'db.url' => $db->conninfo('runtime'), processes => 2, model($brief) });
    for (
        ['of a path', sub { IO::Socket::UNIX->new(Local => $path, Listen => 128) or die "$path: $!" }, $path],
        ['of an address', sub { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_[0], Listen => 128, ReuseAddr => 1) or die "listen: $!" }, 'port'],
    ) {
        my ($name, $open, $address) = @$_;
        my $port = free_port();
        $address = "127.0.0.1:$port" if $address eq 'port';
        my $listening = $open->($port);
        # as a web server starts it: with variables of its own about
        my $pid = spawn([program('exedra'), '-c', $conf], stdin => $listening, log => $log, env => { REQUEST_METHOD => 'GET', GATEWAY_INTERFACE => 'CGI/1.1' });
        close $listening;
        my $server = { socket => $address };
        is http($server, GET => '/v1/auth', key => $key)->{status}, 200, "a socket $name is served";
        my $stream = ask_stream($server, 'hall', "Given $name");
        $stream->next(10);
        is scalar(my @pids = child_pids($pid)), 2, '… by workers';
        kill TERM => $pid;
        my @events = $stream->events(10);
        is $events[-1]{json}{type}, 'finalizeResponseStream', '… a stream ends as it should';
        is end_process($pid), 0, '… and so does the pool';
        ok -S $path, '… the socket is not ours to remove' if $address eq $path;
    }
    is sanitizer_report(slurp($log)), undef, 'no report';
};

# ---- what took its time ----

subtest 'a stream that does not end in time' => sub {
    my @events = $cut->events(25);
    $stubborn->wait_log('event=ended', 10);
    my ($from, $to) = map { $stubborn->log_text =~ /T(\d+):(\d+):(\S+)Z .*event=$_\b/ ? $1 * 3600 + $2 * 60 + $3
        : die $_ } qw(ending ended);
    my $took = ($to - $from + 86_400) % 86_400;
    cmp_ok $took, '>=', 9, 'it has its time';
    cmp_ok $took, '<', 10 + allow_for(4), "and no more: $took s";
    is $stubborn->end, '', 'the pool ends with 0';
    unlike join(' ', map { $_->{data} } @events), qr/word 200/, 'not at its end';
    is state_of('Too long'), 'stopped', 'and is kept as stopped';
    like psql($db, "SELECT answer FROM exedra.chat WHERE prompt = 'Too long'"), qr/^word 1 .*word 80 /, 'with what came';
};

subtest 'threads that nobody needs' => sub {
    sleep 12.5 - (time - $dispersed) if time - $dispersed < 12.5;
    for (['a pool that has been left alone', $crowded], ['a pool that has a little to do', $trickled]) {
        my ($name, $pool) = @$_;
        my ($worker) = $pool->worker_pids;
        my $threads;
        eval { wait_for { ($threads = threads($worker)) <= 10 } 3, 'them to go' };
        cmp_ok $threads, '<=', 10, "$name: $threads threads, were $most{$pool}";
        is http($pool, GET => '/v1/auth', key => $key)->{status}, 200, '… and it answers';
    }
    waitpid $trickle, 0;
    ok $_->stop, 'ends well' for $crowded, $trickled;
};

# An upload lasts as long as its client likes.
subtest 'slow uploads' => sub {
    my $slow = start_exedra(db => $db, settings => { processes => 1, threads => $THREADS });
    my $send = sub { my $sent = fcgi_open($slow->{socket}); $sent->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(POST => '/api/v1/files/',
        headers => { Authorization => "Bearer $key", 'Content-Type' => 'multipart/form-data; boundary=b', 'Content-Length' => 100_000 }))), record(FCGI_PARAMS, 1, ''),
        record(FCGI_STDIN, 1, "--b\r\n")); $sent };
    my @sent = map { $send->() } 1 .. $PLACES;
    wait_for { http($slow, GET => '/metrics', key => $key)->{body} =~ /^exedra_streams_open (\d+)/m && $1 == $PLACES } 20, 'all places to be taken';
    # Two threads are left; one may still be putting away what it has just answered.
    for my $path ('/ping', '/v1/auth') { ok eval { wait_for { http($slow, GET => $path, key => $key)->{status} == 200 } 5, 'it' }, "$path is answered meanwhile" }
    my $got = eval { $send->()->reply(5) };
    is $got && $got->{status}, 503, 'one more is told to come again';
    $_->close for @sent;
    wait_for { http($slow, GET => '/metrics', key => $key)->{body} =~ /^exedra_streams_open 0$/m } 20, 'the places to be free again';
    ok $slow->stop, 'ends well';
};

# Of one connection: twelve requests of one tenant wait for it, then one of another.
subtest 'callers take turns at the database' => sub {
    my $own = database();
    my ($large, $small) = map { tenant($own, $_) } qw(large small);
    # Keys are told apart by a byte of their hash.
    $small->{key} = key($small) while substr(sha256($large->{key}), 0, 1) eq substr(sha256($small->{key}), 0, 1);
    my $one = start_exedra(db => $own, settings => { processes => 1, 'db.pool' => 1, 'metrics.loopback' => 'on' });
    my $ask = sub { my $asked = fcgi_open($one->{socket}); $asked->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(GET => '/v1/workspaces',
        headers => { Authorization => "Bearer $_[0]{key}" }))), record(FCGI_PARAMS, 1, ''), record(FCGI_STDIN, 1, '')); $asked };
    my $waiting = sub { my ($n) = @_; wait_for { http($one, GET => '/metrics')->{body} =~ /^exedra_db_waiting (\d+)/m && $1 >= $n } 20, "$n that wait" };
    my $said = tmp_dir() . '/locked';
    open my $lock, '|-', 'psql', '-qAt', '-o', $said, '-d', $own->conninfo('super') or die;
    syswrite $lock, "BEGIN; LOCK exedra.workspace IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n";
    wait_for { -e $said && slurp($said) =~ /held/ } 10, 'the lock';
    my @asked = map { $ask->($large) } 1 .. 13;
    $waiting->(12);
    push @asked, $ask->($small);
    $waiting->(13);
    sleep 0.3;                          # upkeep waits too, now and then, and counts
    syswrite $lock, "COMMIT;\n";
    close $lock;
    is_deeply [map { $_->reply(20)->{status} } @asked], [(200) x 14], 'all have their answer';
    my @order = $one->log_text =~ m{event=request .*route="/v1/workspaces" .*tenant=(\d+)}g;
    my ($place) = grep { $order[$_] == psql($own, "SELECT id FROM exedra.tenant WHERE name = 'small'") } 0 .. $#order;
    cmp_ok $place // 99, '<=', 3, 'who comes with one request does not wait for another\'s twelve' or diag "@order";
    ok $one->stop, 'ends well';
};

$house->close;
done_testing;
