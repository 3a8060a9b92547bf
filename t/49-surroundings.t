# What is around the program fails: a database that takes no changes, refuses, or has lost what keeps tenants apart; no place for
# temporary files, no descriptors, a worker that stands still, a provider whose certificate nobody vouches for.  The answer is
# clear, nobody sees what is not theirs, the workers stay, and all is well once the fault is gone.
use lib 't/lib';
use Exedra::Test;
use Exedra::Form ();
use Exedra::Hostile;
use Time::HiRes qw(time sleep);

my $house = house(db => database(roles => 'two'), nginx => 0);
my ($exedra, $db, $key) = @$house{qw(exedra db key)};
my $cluster = $db->{cluster};
my $runtime = $db->{role}{runtime};
workspace($exedra, $house->{beta}{key}, 'Canary of beta');

sub get { my ($path, %with) = @_; return http($with{of} // $exedra, GET => $path, key => $key) }
sub post { my ($path, $json, %with) = @_; return http($with{of} // $exedra, POST => $path, key => $key, json => $json) }
sub cut { $cluster->sql('postgres', "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '$db->{name}' AND application_name = 'exedra'") }

subtest 'a change that the database refuses' => sub {
    psql($db, "CREATE SEQUENCE public.tries; CREATE FUNCTION public.trip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER trip BEFORE UPDATE ON exedra.workspace FOR EACH ROW EXECUTE FUNCTION public.trip()");
    for (
        # what, its code, how often, what is answered
        ['a transaction that came too late', '40001', 1, 200],
        ['one that is late for ever',        '40001', 99, 503, qr/Too many changed this at once/],
        ['a deadlock',                       '40P01', 1, 200],
        ['a deadlock each time',             '40P01', 99, 503, qr/Too many changed this at once/],
        ['a disk that is full',              '53100', 99, 503, qr/run out of room/],
        ['too many connections',             '53300', 99, 503, qr/run out of room/],
        ['a statement that was cancelled',   '57014', 99, 503, qr/took too long/],
        ['a server that shuts down',         '57P01', 99, 503, qr/cannot be reached/],
        ['one that starts up',               '57P03', 99, 503, qr/cannot be reached/],
        ['a page that is broken',            'XX001', 99, 500, qr/could not do this/],
    ) {
        my ($what, $code, $times, $status, $like) = @$_;
        psql($db, "ALTER SEQUENCE public.tries RESTART; CREATE OR REPLACE FUNCTION public.trip() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$ BEGIN
            IF nextval('public.tries') <= $times THEN RAISE EXCEPTION 'canary in /var/lib/postgresql' USING ERRCODE = '$code'; END IF; RETURN NEW; END \$\$");
        my $got = post('/v1/workspace/hall/update', { openAiHistory => 7 });
        check_reply($what, $got, $status, $like ? (like => $like) : ());
        unlike $got->{body}, qr/canary/, '… in our words';
        ok $got->{headers}{'retry-after'}, '… to be tried again' if $status == 503;
    }
    psql($db, 'DROP TRIGGER trip ON exedra.workspace');
    is post('/v1/workspace/hall/update', { openAiHistory => 7 })->{status}, 200, 'then it takes it';
    $house->calm('refusals');
};

# A standby, or a primary that has been shut for changes.
subtest 'a database that takes no changes' => sub {
    $cluster->sql('postgres', "ALTER DATABASE $db->{name} SET default_transaction_read_only = on");
    cut();
    check_reply('what is read', get('/v1/workspaces'), 200, like => qr/"slug":"hall"/);
    for my $case (['/v1/workspace/new', { name => 'x' }], ['/v1/workspace/hall/chat', { message => 'x' }],
        ['/v1/document/raw-text', { textContent => 'x', metadata => { title => 'x' } }], ['/api/v1/auths/signin', { email => 'x', password => 'y' }]) {
        my $got = http($exedra, POST => $case->[0], key => $key, json => $case->[1], params => { EXEDRA_TENANT => 'acme' });
        check_reply($case->[0], $got, 503, like => qr/takes no changes at the moment/);
        ok $got->{headers}{'retry-after'}, '… and when to come back';
    }
    $cluster->sql('postgres', "ALTER DATABASE $db->{name} RESET default_transaction_read_only");
    cut();
    is post('/v1/workspace/hall/update', { openAiHistory => 8 })->{status}, 200, 'then it takes them';
    $house->settle;                     # a connection that was cut stays until somebody takes it
    $house->calm('a standby');
};

subtest 'what keeps tenants apart is gone' => sub {
    for my $harm (['DISABLE ROW LEVEL SECURITY', 'ENABLE ROW LEVEL SECURITY'], ['NO FORCE ROW LEVEL SECURITY', 'FORCE ROW LEVEL SECURITY']) {
        my ($off, $on) = @$harm;
        psql($db, "ALTER TABLE exedra.workspace $off");
        unlike get('/v1/workspaces')->{body}, qr/Canary/, "$off: no row of another tenant";
        cut();
        check_reply('… with a new connection, none at all', get('/v1/workspaces'), 503);
        check_reply('… it is not ready', get('/readyz'), 503);
        ok $exedra->wait_log(qr/event=database_rls\b.*tables="workspace"/, 5), '… and says why';
        psql($db, "ALTER TABLE exedra.workspace $on");
        wait_for { get('/readyz')->{status} == 200 } 10, 'it to be ready';
        check_reply('… mended, it goes on', get('/v1/workspaces'), 200, like => qr/"slug":"hall"/);
    }
    psql($db, "REVOKE SELECT ON exedra.workspace FROM $runtime");
    check_reply('a right that was taken away', get('/v1/workspaces'), 503, like => qr/not set up for this program/);
    psql($db, "GRANT SELECT ON exedra.workspace TO $runtime");
    check_reply('… and given back', get('/v1/workspaces'), 200);
    $house->settle;
    $house->calm('the harm');
};

subtest 'no place for temporary files' => sub {
    my $poor = start_exedra(db => $db, settings => { processes => 1 }, env => { TMPDIR => '/nowhere' });
    unchanged $db, 'uploads' => sub {
        check_reply('an upload', Exedra::Form::upload($poor, $key, 'a.txt', 'Words.'), 503, like => qr/no place for a temporary file/);
        check_reply('a file', Exedra::Form::upload($poor, $key, 'a.txt', 'Words.', target => '/api/v1/files/'), 503);
        check_reply('a link', post('/v1/document/upload-link', { link => 'http://192.0.2.1/' }, of => $poor), 503);
    };
    check_reply('all else', get('/v1/auth', of => $poor), 200);
    ok $poor->stop, 'it ends well';
};

subtest 'no descriptors' => sub {
    plan skip_all => 'prlimit is missing' if !program('prlimit');
    my @workers = $exedra->worker_pids;
    my $limit = sub { run([program('prlimit'), '--pid', $_, "--nofile=$_[1]:"])->{status} == 0 or die "prlimit\n" for $_[0] };
    my ($most) = map { slurp("/proc/$_/limits") =~ /^Max open files\s+(\d+)/m } @workers;
    $limit->($_, fds($_) + 2) for @workers;
    my @waiting = map { my $client = fcgi_open($exedra->{socket}); $client->send(request_bytes(GET => '/v1/auth', key => $key, keep => 0)); $client } 1 .. 30;
    my $before = cpu_s($exedra->pids);
    sleep 0.5;
    cmp_ok cpu_s($exedra->pids) - $before, '<', allow_for(0.2), 'nobody runs in circles for them';
    $limit->($_, $most) for @workers;
    my %statuses;
    $statuses{ eval { $_->reply(20)->{status} } // 'none' }++ for @waiting;
    is_deeply [grep { !/^(?:200|503)$/ } keys %statuses], [], 'whoever waited is answered: ' . json_text(\%statuses);
    $_->close for @waiting;
    check_reply('then all goes on', get('/v1/auth'), 200);
    $house->calm('that');
};

# Wherever the descriptors of an upload end, the log says that it was they: where, depends on how many are left.
subtest 'no descriptors for a file' => sub {
    plan skip_all => 'prlimit is missing' if !program('prlimit');
    my $poor = start_exedra(db => $db, settings => { processes => 1 });
    my $send = sub { my ($name, @with) = @_; Exedra::Form::upload($poor, $key, $name, "Words of $name.", @with) };
    check_reply('an upload', $send->('a.txt'), 200);
    my ($pid) = $poor->worker_pids;
    my ($used, %places) = 0;
    $used = fds($pid) while sleep(0.2) && fds($pid) != $used;
    for my $left (reverse 2 .. 8) {
        run([program('prlimit'), '--pid', $pid, '--nofile=' . ($used + $left) . ':'])->{status} == 0 or die "prlimit\n";
        my $got = eval { $send->("with-$left.txt", timeout => 2) } // {};
        $places{$1}++ if ($got->{status} // 0) == 503 && $got->{body} =~ /There is no place for (.*?) at the moment/;
    }
    run([program('prlimit'), '--pid', $pid, '--nofile=1024:']);
    ok %places, 'some have no place: ' . json_text(\%places);
    my $log = $poor->log_text;
    my @mute = grep { $log !~ /event=temp id=$_ error="Too many open files"/ } $log =~ /event=request id=(\w+) .*code=disk$/mg;
    is_deeply \@mute, [], '… and the log says why';
    ok $poor->stop, 'it ends well';
};

subtest 'a worker that stands still' => sub {
    my ($still) = $exedra->worker_pids;
    kill STOP => $still;
    my @statuses = map { (eval { http($exedra, GET => '/v1/auth', key => $key, timeout => 2) } // { status => 'none' })->{status} } 1 .. 20;
    kill CONT => $still;
    # The kernel may have woken it for a connection, which waits until there is another one.
    cmp_ok scalar(grep { $_ eq 200 } @statuses), '>=', 19, 'the other serves';
    is_deeply [grep { !/^(?:200|none)$/ } @statuses], [], 'nobody is told anything else';
    $house->calm('the pause');
};

subtest 'a certificate that nobody vouches for' => sub {
    my $openssl = program('openssl') // plan skip_all => 'openssl is missing';
    my ($dir, $port) = (tmp_dir(), free_port());
    my $made = run([$openssl, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 -keyout), "$dir/tls.key", '-out', "$dir/tls.crt"]);
    is $made->{status}, 0, 'one is made';
    pipe(my $stdin, my $open) or die "pipe: $!";
    my $pid = spawn([$openssl, 's_server', '-accept', "127.0.0.1:$port", '-cert', "$dir/tls.crt", '-key', "$dir/tls.key", '-quiet'], stdin => $stdin, log => "$dir/tls.log");
    wait_for { eval { fcgi_open("127.0.0.1:$port")->close; 1 } } 10, 'the server';
    my $secure = start_exedra(db => $db, settings => { 'llm.url' => "https://127.0.0.1:$port/v1", 'llm.key' => 'sk-of-the-provider', 'llm.model' => 'm', processes => 1 });
    check_reply('a chat', post('/v1/workspace/hall/chat', { message => 'A secret question' }, of => $secure), 500, like => qr/"type":"abort".*cannot be reached/);
    check_reply('a completion', post('/v1/chat/completions', { model => 'm', messages => [{ role => 'user', content => 'A secret question' }] }, of => $secure), 502);
    unlike slurp("$dir/tls.log"), qr/secret|sk-of|POST/, 'neither key nor question has been sent';
    ok $secure->stop, 'it ends well';
    end_process($pid);
};

$house->close;
done_testing;
