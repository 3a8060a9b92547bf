# 100,000 requests of all kinds leave the pool as the first 1,000 did: memory, descriptors, threads.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;
use Time::HiRes qw(time);

my $house = house(nginx => 0);
my ($exedra, $db, $key) = @$house{qw(exedra db key)};
my $slug = $house->{slug};
my $n = asan() ? 5000 : 100_000;
workspace($exedra, $key, "Room $_") for 1 .. 3;
document($exedra, $key, 'river', 'The river flows past the mill to the sea. ' x 100, $slug);

# Of each hundred; a wrong key is another one each time.
my @plain = map { request_bytes(@$_) } (
    ([GET => '/v1/auth', key => $key]) x 40,
    ([GET => '/v1/workspaces', key => $key]) x 25,
    ([GET => "/v1/workspace/$slug", key => $key]) x 5,
    ([GET => '/v1/none']) x 6,
    ([GET => '/livez']) x 4,
    ([GET => '/v1/auth']) x 4,
    ([POST => "/v1/workspace/$slug/update", key => $key, body => '{"a":1,"a":2}']) x 3,
    ([POST => "/v1/workspace/$slug/update", key => $key, json => { topN => 'four' }]) x 2,
    ([POST => "/v1/workspace/$slug/update", key => $key, json => { topN => 4 }]) x 1,
    ([GET => "/v1/workspace/$slug/chats?limit=1", key => $key]) x 2,
);
my @seldom = map { request_bytes(@$_) } (
    [POST => "/v1/workspace/$slug/chat", key => $key, json => { message => 'Where does the river flow?', sessionId => 'x' }],
    [POST => "/v1/workspace/$slug/stream-chat", key => $key, json => { message => 'And the mill?', sessionId => 'y' }],
    [POST => "/v1/workspace/$slug/update", key => $key, json => { unused => 'x' x 100_000 }],
    [POST => "/v1/workspace/none/chat", key => $key, json => { message => 'x' }],
);
my $expected = join '|', 200, 400, 403, 404, 422;

# Every so many requests one of the seldom ones.
sub mixed {
    my ($i, $every) = @_;
    return $seldom[$i / $every % @seldom] if $i % $every == $every - 1;
    return $plain[$i % 100] // request_bytes(GET => '/v1/auth', key => "sk-exd-wrong-$i");
}

# Memory that is ours alone counts as growth; what is shared with other programs comes and goes with them.
sub state {
    my $own = 0;
    $own += slurp("/proc/$_/smaps_rollup") =~ /^Pss_Anon:\s+(\d+) kB/m ? $1 : die "no Pss_Anon\n" for $exedra->pids;
    return { own => $own, pss => $exedra->pss_total_kb, fds => $house->descriptors };
}

# In the first 1,000 they come thickly and from more clients, so that each connection to the database has met every
# statement, each thread its largest request: what grows from then on grows for ever.
my $got = flood($exedra->{socket}, n => 1000, clients => 16, request => sub { mixed($_[0], 5) });
is_deeply [grep { !/^(?:$expected)$/ } keys %$got], [], 'the first 1,000 are answered';
my $first = state();

my $began = time;
$got = flood($exedra->{socket}, n => $n, clients => 6, request => sub { mixed($_[0], 500) });
my $took = time - $began;
my $last = state();
my $sum = 0;
$sum += $_ for values %$got;
is $sum, $n, sprintf '%d are answered, %.0f a second', $n, $n / $took;
is_deeply [grep { !/^(?:$expected)$/ } keys %$got], [], 'all as they should be: ' . json_text($got);
# a tenth more, or what two dozen threads take that happen to wait just now
cmp_ok $last->{own} - $first->{own}, '<=', asan() ? 2 * $first->{pss} : $first->{pss} > 10_000 ? 0.1 * $first->{pss} : 1000,
    "memory: $first->{pss} kB after 1,000, of it $first->{own} our own; $last->{pss} kB, $last->{own} our own after $n";
is $last->{fds}, $first->{fds}, 'descriptors';
# main thread, leader, two that are spare, and the one for jobs
my @threads;
eval { wait_for { @threads = map { threads($_) } $exedra->worker_pids; !grep { $_ > 5 } @threads } 20, 'rest' };
ok !(grep { $_ > 5 } @threads), "threads, at rest: @threads";
is psql($db, "SELECT count(*) FROM exedra.chat WHERE state <> 'done'"), 0, 'and no chat is left open';

$house->close;
done_testing;
