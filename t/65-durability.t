# Nothing is ever lost: a worker is killed, PostgreSQL stops at once and starts again, the provider resets, the client goes away,
# nginx is reloaded, each at a hundred random moments of streams that run at the same time.  What every client saw is held
# against what is on record.  EXEDRA_SEED repeats a run's moments.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(@WAYS);
use Exedra::Crowd;
use Exedra::Hostile qw(asan);
use Exedra::Ledger;
use Exedra::Provider;
use Time::HiRes qw(time);

need('nginx');

my $seed = $ENV{EXEDRA_SEED} // 20_261_120;
srand $seed;
note "EXEDRA_SEED=$seed";

my $slack = asan() ? 4 : 1;
my $cluster = Exedra::Postgres->new(fsync => 1);
my $db = database(cluster => $cluster);
my $provider = start_provider();
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $provider->{url}, 'llm.model' => 'say', 'llm.timeout.idle' => 5, drain => 10 });
my $nginx = start_nginx(exedra => $exedra);
my $acme = tenant($db, 'acme');
my $slug = workspace($exedra, $acme->{key}, 'Hall', chatMode => 'chat', openAiPrompt => 'Be brief.', openAiHistory => 1)->{slug};
my $crowd = Exedra::Crowd->new;

# Sets off a question; `$rest` is what the provider is told.  Each conversation is its own, so that histories stay short.
my $i = 0;
sub set_off {
    my ($name, $rest, $server) = @_;
    my $way = $WAYS[$i++ % 4];
    my %session = $way =~ /^chat$|stream/ ? (body => { sessionId => "s$i" }) : ();
    return $crowd->ask($server // ($i % 3 ? $nginx : $exedra), $way, key => $acme->{key}, slug => $slug, message => "say $name-$i $rest", %session);
}

sub open_rows { return psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'") }

# When all have ended: every row is closed within 3 s, and everything fits together.
sub all_is_well {
    my ($what, $clients, %with) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $crowd->finish(30 * $slack);
    my $ended = time;
    eval { wait_for { open_rows() == 0 } 3 * $slack, 'x' };
    is open_rows(), 0, sprintf '%s: no row is open %.1f s later', $what, time - $ended;
    my @wrong = compare($crowd, $db, $provider, $clients, %with);
    ok !@wrong, "$what: what was seen is what is on record (" . tally(@$clients) . ')' or diag join "\n", @wrong > 12 ? (@wrong[0 .. 11], '... and ' . (@wrong - 12) . ' more') : @wrong;
}

sub most { my ($most) = sort { $b <=> $a } @_; return $most }

# What a worker holds when it has had its load and is at rest.
my $calm_fds;
subtest 'undisturbed' => sub {
    my @clients = map { set_off('calm', 'n=10 pause=0.03') } 1 .. 100;
    all_is_well('a hundred streams', \@clients, seen => 1);
    is tally(@clients), '100 complete', 'all are complete';
    $calm_fds = most(map { fds($_) } $exedra->worker_pids);
};

subtest 'the provider resets' => sub {
    my @clients = map {
        my $n = 5 + int rand 15;
        set_off('reset', "n=$n pause=0.02 " . (qw(reset fin))[int rand 2] . '=' . (1 + int rand($n - 1)) . ' half=' . int rand 2);
    } 1 .. 100;
    all_is_well('a hundred', \@clients, seen => 1);
    like tally(@clients), qr/^50 refused, 50 told$/, 'all are told of it';
};

subtest 'the client goes' => sub {
    my @clients = map { set_off('gone', 'n=30 pause=0.03') } 1 .. 100;
    my @left = map { [$_, time + rand 0.8] } @clients;
    while (@left = grep { $_->[0]{socket} } @left) {
        $crowd->leave($_->[0], reset => rand() < 0.5) for grep { $_->[1] <= time } @left;
        $crowd->turn(0.005);
    }
    all_is_well('a hundred', \@clients, seen => 1);
    is tally(@clients), '100 left', 'all have left in the middle';
    my $late = grep { my $client = $_; my ($end) = grep { $_->{end} eq 'them' } $provider->ends($client->{question}); $provider->asked($client->{question}) && !($end && $end->{at} - $client->{left_at} < $slack) }
        @clients[map { int rand 100 } 1 .. 10];
    is $late, 0, 'the provider was left within a second (ten looked at)';
};

subtest 'nginx is reloaded' => sub {
    my @clients;
    for my $round (1 .. 10) {
        push @clients, map { set_off('reload', 'n=15 pause=0.04', $nginx) } 1 .. 10;
        $crowd->linger(0.02 + rand 0.15);
        kill HUP => $nginx->{pid};
        $crowd->linger(rand 0.1);
    }
    all_is_well('a hundred', \@clients, seen => 1);
    is tally(@clients), '100 complete', 'all are complete';
};

subtest 'a worker is killed' => sub {
    my (@clients, $killed);
    for my $round (1 .. 10) {
        my @now = map { $crowd->linger(rand 0.02); set_off('kill', 'n=30 pause=0.04') } 1 .. 27;
        $crowd->linger(rand 0.5);
        my @workers = $exedra->worker_pids;
        kill KILL => $workers[rand @workers];
        my $at = time;
        eval { wait_for { (my @all = $exedra->worker_pids) == 2 } 3, 'x' };
        push @clients, @now;
        $killed++;
        # the dead one's rows are closed while others go on: none of them is open that has no client any more
        $crowd->linger(0.1) while time < $at + 3 * $slack && grep({ $_->{socket} } @now);
    }
    all_is_well("$killed times", \@clients, killed => 1);
    my $struck = grep { $_->{outcome} ne 'complete' } @clients;
    cmp_ok $struck, '>=', 80, "$struck streams were struck";
    like $exedra->log_text, qr/event=chats_ended/, 'their rows were closed by a new worker';
};

subtest 'PostgreSQL stops and starts' => sub {
    my @clients;
    for my $how (qw(QUIT KILL QUIT INT QUIT)) {
        my @now = map { $crowd->linger(rand 0.02); set_off("pg$how", 'n=15 pause=0.04') } 1 .. 20;
        $crowd->linger(rand 0.4);
        $cluster->stop($how);
        push @now, set_off("down$how", 'n=5');
        $crowd->linger(rand 0.3);
        $cluster->start;
        push @now, set_off("up$how", 'n=5') for 1 .. 4;
        push @clients, @now;
        $crowd->finish(30 * $slack);
    }
    all_is_well('five times', \@clients, seen => 1);
    my @told = grep { $_->{outcome} !~ /^(?:complete|refused)$/ } @clients;
    is scalar @told, 0, 'an answer that has begun is brought to its end' or diag join "\n", (map { "$_->{way} $_->{question}: $_->{outcome}" } @told),
        grep { /event=(?:request|chat_lost|database_\w+) .*(?:code=|statement=)/ && !/code=database_unavailable/ } split /\n/, $exedra->log_text;
    my %status;
    $status{$crowd->answer($_)->{status}}++ for @clients;
    is_deeply [grep { $_ != 200 && $_ != 503 } keys %status], [], 'what cannot be begun is told with 503: ' . join ', ', map { "$status{$_} times $_" } sort keys %status;
    is tally(grep { $_->{question} =~ /^say up/ } @clients), '20 complete', 'all is well as soon as it is back';
};

# ---- what is left of it ----

subtest 'nothing leaks' => sub {
    my @workers = $exedra->worker_pids;
    is scalar @workers, 2, 'two workers';
    my $threads;
    eval { wait_for { ($threads = most(map { threads($_) } @workers)) <= 5 } 14, 'x' };
    cmp_ok $threads, '<=', 5, "threads: $threads";
    my $fds = most(map { fds($_) } @workers);
    cmp_ok $fds, '<=', $calm_fds, "descriptors: $fds, $calm_fds after the load without trouble";
    my $connections = psql($db, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'exedra'");
    cmp_ok $connections, '<=', 8, "connections to the database: $connections";
    is psql($db, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'exedra' AND state <> 'idle'"), 0, '… all idle';
    my @clients = map { set_off('after', 'n=3') } 1 .. 8;
    all_is_well('eight more', \@clients, seen => 1);
    is tally(@clients), '8 complete', 'all complete';
    is psql($db, 'SELECT count(*) FROM exedra.usage u WHERE NOT EXISTS (SELECT FROM exedra.chat c WHERE c.id = u.chat_id)'), 0, 'the ledger has no strangers';
};

# Everything dies at once, PostgreSQL too; a new pool finds what was acknowledged, and closes the rest.
subtest 'all are killed' => sub {
    my @done = map { set_off('ack', 'n=2') } 1 .. 20;
    $crowd->finish(10 * $slack);
    my @clients = map { set_off('all', 'n=100 pause=0.05') } 1 .. 20;
    $crowd->until(sub { !grep { $_->{way} =~ /stream|chunks/ && !$_->{text_seen} } @clients }, 10 * $slack, 'words');
    $crowd->linger(2.5);                # so long that what came is on record
    my @pids = ($exedra->{pid}, $exedra->worker_pids);
    kill KILL => @pids;
    $cluster->stop('KILL');
    $crowd->finish(10);
    end_process(delete $exedra->{pid}, signal => 'KILL');
    $cluster->start;
    my $again = start_exedra(db => $db, listen => $exedra->{socket}, settings => $exedra->{settings});
    all_is_well('what was acknowledged, what was not', [@done, @clients], killed => 1);
    diag $again->log_text if open_rows() != 0;
    is psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt LIKE 'say all%' AND state = 'stopped' AND reason = 'worker_died' AND length(answer) > 100"), 20,
        'what had come two seconds before the end is there';
    is tally(@done), '20 complete', 'all of the first';
    is tally(grep { $_->{way} =~ /stream|chunks/ } @clients), '10 cut', 'the others are cut';
    ok $again->stop, 'the new pool ends well';
};

ok $nginx->stop, 'nginx ends well';
done_testing;
