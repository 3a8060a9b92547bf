# A configuration is changed, a worker dies and the pool ends, each under load: two hundred streams open, and a few clients that ask
# all the time.  A reload costs nobody anything; a dead worker its own requests only; an end what comes after it.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Askers;
use Exedra::Crowd;
use Exedra::Hostile qw(asan);
use Exedra::Ledger;
use Exedra::Provider;
use List::Util qw(max);
use Time::HiRes qw(time sleep);

need('nginx');

my $slack = asan() ? 4 : 1;
my $db = database();
my ($old, $new) = map { start_provider() } 1, 2;

# `say:NAME` says what `say` does, and names itself in the answer.
my $exedra = start_exedra(db => $db, settings => { processes => 2, drain => 30, 'llm.url' => $old->{url}, 'llm.model' => 'say:old' });
my $nginx = start_nginx(exedra => $exedra);
# with connections that are kept, as the end of the shipped include says
my $kept = start_nginx(exedra => 'pool', http => "upstream pool { server unix:$exedra->{socket}; keepalive 16; keepalive_timeout 5s; } fastcgi_keep_conn on;");
my @fronts = ($exedra, $nginx, $kept);
my @fronts_named = ('exedra', 'nginx', 'nginx with kept connections');
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $slug = workspace($exedra, $key, 'Hall', chatMode => 'chat', openAiPrompt => 'Be brief.', openAiHistory => 1)->{slug};
my $crowd = Exedra::Crowd->new;

sub workers { my @pids = $exedra->worker_pids; return scalar @pids }

sub n_events { my ($event) = @_; return scalar(() = $exedra->log_text =~ /event=$event\b/g) }

# So many streams, by all three ways in; `$rest` is what the provider is told.
sub open_streams {
    my ($n, $name, $rest) = @_;
    my @clients = map {
        my $way = $_ % 10 == 0 ? 'chat' : $_ % 10 == 5 ? 'completion' : $_ % 2 ? 'stream' : 'chunks';
        my %session = $way =~ /^chat$|stream/ ? (body => { sessionId => "$name$_" }) : ();
        $crowd->turn(0);
        $crowd->ask($fronts[$_ % 3], $way, key => $key, slug => $slug, message => "say $name-$_ $rest", %session);
    } 1 .. $n;
    my %asked;
    $crowd->until(sub { %asked = map { $_->{question} => 1 } map { $_->requests } $old, $new; !grep { !$asked{$_->{question}} } @clients }, 30 * $slack, 'the calls');
    $crowd->until(sub { !grep { $_->{way} =~ /^(?:stream|chunks)$/ && !$_->{text_seen} } @clients }, 30 * $slack, 'first words');
    return @clients;
}

# One request of a client that asks all the time: every other is a question.  `front` is the way it takes.
sub visit {
    my ($client, $i) = @_;
    my $front = ($client + $i) % 3;
    my $got = $i % 2
        ? http($fronts[$front], POST => "/v1/workspace/$slug/chat", key => $key, json => { message => "say visit-$client-$i n=1", sessionId => "v$client" })
        : http($fronts[$front], GET => $i % 4 ? '/v1/workspaces' : '/livez', key => $key);
    return { front => $front, status => $got->{status}, chat => $i % 2, model => $got->{json}{metrics}{model}, retry => $got->{headers}{'retry-after'} };
}

# What a visit that did not go well was like.
sub told { my ($visit) = @_; return "$fronts_named[$visit->{front} // ($visit->{client} + $visit->{i}) % 3]: " . ($visit->{died} // $visit->{status}) . ($visit->{chat} ? ' for a question' : '') }

# What the log has to say of requests that did not go well.
sub trouble { return join "\n", grep { /level=(?:warning|error)/ } split /\n/, $exedra->log_text }

sub bad { return grep { $_->{died} || $_->{status} != 200 } @_ }

# ---- a reload ----

# A reload, and that it holds.
sub reload {
    my (%settings) = @_;
    my $n = n_events('reloaded');
    $exedra->reload(%settings);
    $crowd->until(sub { n_events('reloaded') > $n }, 10 * $slack, 'the reload');
}

subtest 'reloads' => sub {
    my @first = $exedra->worker_pids;
    my $askers = start_askers(3, \&visit);
    my $began = time;
    my @streams = open_streams(200, 'over', 'n=14 pause=0.4 gate=12');
    is scalar(grep { $_->{socket} } @streams), 200, sprintf '200 streams are open after %.1f s', time - $began;
    $crowd->linger(0.5);

    # POSTs on kept connections all the time: one that is lost nginx may not send again
    my $posters = start_askers(4, sub { { status => http($kept, POST => "/v1/workspace/$slug/update", key => $key, json => { topN => 4 })->{status} } },
        pause => 0.005);

    # another provider and another model
    my $first_at = time;
    reload('llm.url' => $new->{url}, 'llm.model' => 'say:new');
    my $second_at = time;
    $crowd->linger(1 + $slack);
    is scalar(grep { my $pid = $_; !grep { $_ == $pid } @first } $exedra->worker_pids), 2, 'new workers serve';
    is workers(), 4, '… while the old ones have streams';
    like $exedra->log_text, qr/event=$_ .*config="\Q$exedra->{conf}\E"/, "$_ names the file" for qw(ready reloaded);

    # twice, the second before the first can be done
    my $third_at = time;
    $exedra->reload('llm.model' => 'say:third');
    reload('llm.model' => 'say:fourth');
    my $fourth_at = time;
    $crowd->linger($slack);
    my @posts = $posters->stop;

    # a configuration that is none
    my $good = slurp($exedra->{conf});
    my @before = $exedra->worker_pids;
    for (["llm.url = http://127.0.0.1:1/v1\nproceses = 3\n", qr/proceses/], ["threads = many\n", qr/threads/]) {
        my ($text, $why) = @$_;
        spew($exedra->{conf}, "$good$text");
        kill HUP => $exedra->{pid};
        # The reload before it may have met half of this file, and have refused that.
        $crowd->until(sub { $exedra->log_text =~ /event=reload_refused .*$why/ }, 10 * $slack, "it to be refused, and the log to say why: $why");
    }
    spew($exedra->{conf}, $good);
    is_deeply [grep { my $pid = $_; !grep { $_ == $pid } @before } $exedra->worker_pids], [], '… no worker is started';
    $crowd->linger(0.7);
    my $end_at = time;

    is scalar(grep { $_->{socket} } @streams), 200, 'all streams have been open all the time';
    $old->open_gate;
    $crowd->finish(60 * $slack);
    my @visits = $askers->stop;
    is_deeply [compare($crowd, $db, $old, \@streams, seen => 1)], [], 'what the streams saw is what is on record';
    is tally(@streams), '200 complete', 'no stream broke';
    my @during = grep { $_->{ended} >= $first_at && $_->{began} <= $end_at } @visits;
    cmp_ok scalar @during, '>', 50, @during . ' requests came meanwhile';
    is_deeply [map { told($_) } bad(@visits)], [], 'none of them was refused, lost or failed';
    # FastCGI has no word for `no more on this connection`: one that nginx sends as a worker closes is lost (the manual says so)
    my @lost = map { $_->{died} // $_->{status} } bad(@posts);
    cmp_ok scalar @lost, '<=', 1, 'nor, but for one at most, any of ' . @posts . ' on kept connections';
    is join(' ', grep { $_ ne 502 } @lost), '', '… which nginx itself tells';
    diag trouble() if bad(@visits, @posts);

    # on a connection that is kept a worker that goes is asked once more, and for as long as requests follow each other closely
    my @chats = grep { $_->{chat} && $_->{front} != 2 } @visits;
    my $models = sub { my ($from, $to) = @_; my %seen = map { $_->{model} => 1 } grep { $_->{began} > $from && $_->{ended} < $to } @chats; return join ' ', sort keys %seen };
    is $models->(0, $first_at), 'say:old', 'the old configuration holds until then';
    is $models->($second_at + $slack, $third_at), 'say:new', 'the new one from then on';
    is $models->($fourth_at + $slack, 9e9), 'say:fourth', 'after two in a row the last one, also after a broken one';
    ok eval { wait_for { workers() == 2 } 10 * $slack, 'x' }, 'the old workers go when their last stream has gone';
    is psql($db, "SELECT count(*) FROM exedra.chat WHERE state <> 'done'"), 0, 'every chat is on record as done';
};

# ---- a worker dies ----

subtest 'a worker is killed' => sub {
    my $askers = start_askers(3, \&visit);
    my @streams = open_streams(100, 'kill', 'n=7 pause=0.3 gate=6');
    my %worker = map { split /\t/ } split /\n/, psql($db, 'SELECT c.prompt, o.worker FROM exedra.open_chat o JOIN exedra.chat c ON (c.tenant_id, c.id) = (o.tenant_id, o.chat_id)');
    my @workers = $exedra->worker_pids;
    kill KILL => $workers[0];
    my $killed_at = time;
    $crowd->until(sub { workers() == 2 && !grep { $_ == $workers[0] } $exedra->worker_pids }, 3 * $slack, 'another worker');
    cmp_ok time - $killed_at, '<', 1.5 * $slack, sprintf 'it is replaced after %.2f s', time - $killed_at;
    my $dead = q{SELECT count(*) FROM exedra.chat WHERE reason = 'worker_died' AND state IN ('failed', 'stopped')};
    $crowd->until(sub { psql($db, $dead) > 0 }, 10 * $slack, 'their rows');
    my $closed_after = time - $killed_at;
    cmp_ok $closed_after, '<', 3 * $slack, sprintf 'its rows are closed after %.1f s', $closed_after;
    $crowd->linger(0.5);
    $new->open_gate;
    $crowd->finish(30 * $slack);
    my @visits = $askers->stop;
    is_deeply [compare($crowd, $db, $new, \@streams, killed => 1)], [], 'what the streams saw is what is on record';
    my @struck = grep { $_->{outcome} ne 'complete' } @streams;
    my %of = map { ($worker{$_->{question}} // 'none') => 1 } @struck;
    is scalar(keys %of), 1, scalar(@struck) . ' streams broke, all of one worker';
    my ($gone) = keys %of;
    is_deeply [sort map { $_->{question} } @struck], [sort grep { $worker{$_} eq $gone && /^say kill/ } keys %worker], '… and all that it had';
    my @bad = bad(@visits);
    cmp_ok scalar @bad, '<=', 3, 'the others lose at most the request that is under way: ' . join ', ', map { told($_) } @bad;
    my $latest = max 0, map { $_->{began} } @bad;
    cmp_ok $latest, '<=', $killed_at + 0.1 * $slack, '… and none later';
    like $exedra->log_text, qr/event=worker_died .*signal=9/, 'the log says so';
};

# ---- the end ----

subtest 'the end' => sub {
    $new->shut_gate;
    my $askers = start_askers(3, \&visit);
    my @streams = open_streams(100, 'end', 'n=7 pause=0.3 gate=6');
    kill TERM => $exedra->{pid};
    my $told_at = time;
    $exedra->wait_log('event=ending');
    $crowd->linger(0.3);
    ok !eval { fcgi_open($exedra->{socket}) }, 'new connections are refused at once';
    for my $i (1, 2) {
        my $got = http($fronts[$i], GET => '/v1/auth', key => $key);
        is $got->{status}, 502, "… $fronts_named[$i] says so";
        ok $got->{json}{error} && $got->{headers}{'retry-after'}, '… in JSON, with Retry-After';
    }
    $crowd->linger(0.5);
    is scalar(grep { $_->{socket} } @streams), 100, 'meanwhile the pool drains';
    $new->open_gate;
    $crowd->finish(30 * $slack);
    my $done_at = time;
    wait_for { !$exedra->alive } 10 * $slack, 'the end of the pool';
    cmp_ok time - $done_at, '<', 2 * $slack, sprintf 'it ends when the last stream has: %.1f s later', time - $done_at;
    is $exedra->end(signal => 'none'), '', '… with 0';
    my @visits = $askers->stop;
    is_deeply [compare($crowd, $db, $new, \@streams, seen => 1)], [], 'what the streams saw is what is on record';
    is tally(@streams), '100 complete', 'no stream broke';
    is_deeply [map { told($_) } bad(grep { $_->{ended} < $told_at } @visits)], [], 'before it, every request is answered';
    my @during = grep { $_->{ended} >= $told_at } @visits;
    my @odd = grep { $_->{status} ? $_->{status} !~ /^(?:200|502)$/ : ($_->{died} // 'closed') !~ /^connect to|^closed/ } @during;
    is_deeply [map { told($_) } @odd], [], 'from then on it is answered or refused (' . @during . ' requests)';
    is psql($db, "SELECT count(*) FROM exedra.chat WHERE state NOT IN ('done') AND reason IS DISTINCT FROM 'worker_died'"), 0, 'every chat is on record as done';
    is psql($db, 'SELECT count(*) FROM exedra.open_chat'), 0, 'and none is open';
};

ok $_->stop, "$_->{name} ends well" for $nginx, $kept;
done_testing;
