# When two things fail at once: PostgreSQL is away for longer than an answer can wait for it, and a worker dies meanwhile; a worker
# that drains is killed.  No client is told that an answer is complete which is not on record, and no row stays open.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Crowd;
use Exedra::Hostile qw(asan);
use Exedra::Ledger;
use Exedra::OpenWebUI;
use Exedra::Provider;
use Time::HiRes qw(time);

my $slack = asan() ? 4 : 1;
my $cluster = Exedra::Postgres->new(fsync => 1);
my $db = database(cluster => $cluster);
my $provider = start_provider();
my %settings = ('llm.url' => $provider->{url}, 'llm.model' => 'say', drain => 10);
my ($exedra, $other) = map { start_exedra(db => $db, settings => \%settings) } 1, 2;
my $acme = tenant($db, 'acme');
my $slug = workspace($exedra, $acme->{key}, 'Hall', chatMode => 'chat', openAiPrompt => 'Be brief.')->{slug};
my $crowd = Exedra::Crowd->new;

sub set_off {
    my ($server, $name, $rest) = @_;
    return map { $crowd->ask($server, $_, key => $acme->{key}, slug => $slug, message => "say $name-$_ $rest") } @WAYS;
}

sub open_rows { return psql($db, "SELECT coalesce(string_agg(prompt, ', ' ORDER BY id), '') FROM exedra.chat WHERE state = 'open'") }

sub row { return (rows_of($db)->{$_[0]} // [])->[0] // {} }

sub asked { return !grep { my $question = $_->{question}; !$provider->asked($question) } @_ }

# A reload starts new workers; the old ones have streams to bring to an end, and die before that.
subtest 'a worker that drains is killed' => sub {
    my @clients = map { set_off($other, "drain$_", 'n=60 pause=0.05') } 1 .. 3;
    $crowd->until(sub { asked(@clients) }, 10, 'the calls');
    my @old = $other->worker_pids;
    $other->reload;
    $other->wait_log('event=reloaded', 10);
    $crowd->linger(0.3);
    kill KILL => @old;
    my $at = time;
    $crowd->finish(10);
    eval { wait_for { open_rows() eq '' } 3 * $slack, 'x' };
    is open_rows(), '', sprintf 'no row is open %.1f s later', time - $at;
    is_deeply [grep { !/still open/ } compare($crowd, $db, $provider, \@clients)], [], 'what was seen is what is on record';
    is tally(@clients), '12 cut', 'all were cut';
    (my @now) = $other->worker_pids;
    is scalar @now, 2, 'two workers serve';
    is ask($other, 'chat', key => $acme->{key}, slug => $slug, message => 'say drained n=2')->{text}, words('drained', 2), 'and answer';
};

subtest 'PostgreSQL is away for long' => sub {
    # those that end while it is away; those that go on; those whose worker dies meanwhile
    my @ends = set_off($exedra, 'ends', 'n=10 pause=0.3');
    my @goes = set_off($exedra, 'goes', 'n=150 pause=0.1');
    my @silent = set_off($exedra, 'silent', 'n=2 first=3');
    my @dies = map { set_off($other, "dies$_", 'n=60 pause=0.05') } 1, 2;
    $crowd->until(sub { asked(@ends, @goes, @silent, @dies) }, 10, 'the calls');
    $crowd->linger(0.2);
    $cluster->stop('QUIT');
    my $away = time;
    $crowd->linger(0.3);
    my @workers = $other->worker_pids;
    kill KILL => @workers;
    my $began = time;
    my $new = ask($exedra, 'completion', key => $acme->{key}, slug => $slug, message => 'say new n=1');
    is $new->{status}, 503, 'a new question is refused';
    ok $new->{headers}{'retry-after'}, '… for now';
    is http($exedra, GET => '/livez')->{status}, 200, 'the process lives';
    is http($exedra, GET => '/readyz')->{status}, 503, '… but is not ready';
    $crowd->until(sub { !grep { $_->{socket} } @ends, @silent }, 20 * $slack, 'the end of those that could not be stored');
    my $gave_up = time - $away;
    cmp_ok $gave_up, '<', 13 + 5 * $slack, sprintf 'they wait for it, and give up after %.1f s', $gave_up;
    for my $client (@ends, @silent) {
        my $answer = $crowd->answer($client);
        ok !$answer->{complete}, "$client->{question}: nothing that looks complete";
        ok length($answer->{error}{message} // ''), '… but an error' or diag substr $answer->{raw}, -300;
        ok !defined $answer->{id}, '… and no id of a chat' if $client->{way} eq 'stream';
        is $answer->{status}, $client->{way} =~ /^(?:chat|completion)$/ ? 503 : 200, '… with its status';
    }
    my %said;
    $said{$_}++ for $exedra->log_text =~ /pid=(\d+) event=database_connect/g;
    ok %said, 'the log says that it is away';
    is join(' ', grep { $_ > $gave_up + 2 } values %said), '', '… once a second from each worker, however many try';
    $cluster->start;
    my $back = time;
    eval { wait_for { row($dies[0]{question})->{state} ne 'open' } 3 * $slack, 'x' };
    is join(', ', grep { row($_)->{state} eq 'open' } map { $_->{question} } @dies), '', 'the rows of the dead are closed';
    eval { wait_for { !grep { row($_->{question})->{state} eq 'open' } @ends, @silent } 3 * $slack, 'x' };
    is join(', ', grep { row($_)->{state} eq 'open' } map { $_->{question} } @ends, @silent), '', 'so are those that could not be stored';
    $crowd->finish(30 * $slack);
    my @wrong = compare($crowd, $db, $provider, [@ends, @silent, @dies, @goes], killed => 1);
    is_deeply [grep { !/still open/ } @wrong], [], 'what was seen is what is on record';
    is tally(@goes), '4 complete', 'an answer that outlives it is complete';
    is_deeply [grep { $_->{state} ne 'done' } map { row($_->{question}) } @goes], [], '… and on record';
    is ask($_, 'stream', key => $acme->{key}, slug => $slug, message => "say again$_->{pid} n=2")->{complete}, 1, 'all is well again' for $exedra, $other;
};

# One connection may be had and no second one: everything goes by it.
subtest 'PostgreSQL has no more connections' => sub {
    my $own = database(cluster => $cluster);
    my $single = start_exedra(db => $own, settings => { processes => 1 });
    my $key = tenant($own, 'acme')->{key};
    is http($single, GET => '/v1/auth', key => $key)->{status}, 200, 'the first one is had';
    psql($own, "ALTER ROLE $own->{role}{runtime} CONNECTION LIMIT 1");
    my @got = in_parallel(12, sub { { status => http($single, GET => '/v1/workspaces', key => $key)->{status} } }, 1 .. 120);
    is_deeply [grep { $_->{status} != 200 } @got], [], '120 requests, twelve at a time, are answered by it';
    my $refused = () = $single->log_text =~ /event=database_connect/g;
    cmp_ok $refused, '<=', 24, "more are not tried for each request: $refused times";
    psql($own, "ALTER ROLE $own->{role}{runtime} CONNECTION LIMIT -1");
    ok $single->stop, 'it ends well';
};

# What is read piece by piece while it leaves: where the database fails in the middle, the answer has no end, and so no client takes
# the beginning for all.  The client stops reading for a moment, so that the rest is still to be read.
subtest 'a long answer breaks off' => sub {
    my $own = database(cluster => $cluster);
    my $single = start_exedra(db => $own, settings => { reading(), processes => 1 });
    my $key = tenant($own, 'acme')->{key};
    workspace($single, $key, 'Hall');
    psql($own, q{INSERT INTO exedra.chat (tenant_id, workspace_id, origin, mode, prompt, answer, state)
        SELECT 1, 1, 'api', 'chat', 'Q' || n, repeat('A', 20000), 'done'::exedra.chat_state FROM generate_series(1, 1000) n});
    my $file = upload($single, $key, 'long.txt', join '', map { "line $_ of a text that goes on and on\n" } 1 .. 100_000);
    read_at_last($single, $key, $file->{id});
    my $ask = sub {
        my ($path, $then) = @_;
        my $client = fcgi_open($single->{socket});
        $client->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(GET => $path, headers => { Authorization => "Bearer $key" }))),
            record(FCGI_PARAMS, 1, ''), record(FCGI_STDIN, 1, ''));
        $client->next_record;
        $then->();
        return $client->reply;
    };
    for ((map { ["/v1/system/export-chats?type=$_", 'chat'] } qw(json jsonl jsonAlpaca csv)), ["/api/v1/files/$file->{id}/data/content", 'document_text'],
        ["/api/v1/files/$file->{id}/content", 'file_part']) {
        my ($path, $table) = @$_;
        my $whole = $ask->($path, sub { });
        is $whole->{ended}, 1, "$path: it comes to its end";
        my $cut = $ask->($path, sub { psql($own, "REVOKE SELECT ON exedra.$table FROM $own->{role}{runtime}") });
        psql($own, "GRANT SELECT ON exedra.$table TO $own->{role}{runtime}");
        cmp_ok length $cut->{body}, '<', length($whole->{body}) / 2, '… or breaks off';
        is $cut->{ended}, 0, '… and does not look as if it had';
    }
    my $other = upload($single, $key, 'other.txt', join '', map { "line $_ of another text that goes on and on\n" } 1 .. 100_000);
    read_at_last($single, $key, $other->{id});
    my $replaced = $ask->("/api/v1/files/$other->{id}/data/content", sub {
        is http($single, POST => "/api/v1/files/$other->{id}/data/content/update", key => $key, json => { content => 'A short text. ' x 200_000 })->{status}, 200, 'a text is replaced while it is read';
    });
    is $replaced->{ended}, 0, '… and does not go on as the other one';
    unlike $replaced->{body}, qr/A short text/, '… not by a word';
    my $unread = upload($single, $key, 'later.txt', 'To be read later.', query => '?process=false');
    my $watched = $ask->("/api/v1/files/$unread->{id}/process/status?stream=true", sub { psql($own, "REVOKE SELECT ON exedra.file FROM $own->{role}{runtime}") });
    is $watched->{ended}, 0, 'so does what tells how far a file is';
    unlike $watched->{body}, qr/not_found/, '… which may well be there';
    ok $single->stop, 'it ends well';
};

ok $_->stop, 'exedra ends well' for $exedra, $other;
done_testing;
