# An answer that nobody waits for, or may wait for any more, ends: when the client leaves, when its key, account, tenant or
# workspace is shut or gone, when the process has to go.  The call to the model ends with it, others go on, and what had come
# stays on record as stopped.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Crowd;
use Exedra::Hostile qw(asan);
use Exedra::Ledger qw(words);
use Exedra::Provider;
use Time::HiRes qw(time sleep);

need('nginx');

my $provider = start_provider();
my $db = database();
my %settings = ('llm.url' => $provider->{url}, 'llm.model' => 'say', drain => 10, 'stream.keepalive' => 1);
my ($exedra, $ending) = map { start_exedra(db => $db, settings => \%settings) } 1, 2;
my $nginx = start_nginx(exedra => $exedra);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $slug = workspace($exedra, $key, 'Hall', chatMode => 'chat', openAiPrompt => 'Be brief.')->{slug};
my $busy = workspace($exedra, $key, 'Busy', chatMode => 'chat', chatModel => 'later:503 2')->{slug};
my $crowd = Exedra::Crowd->new;
my $slack = asan() ? 5 : 1;             # what a second is here
my @workers = $exedra->worker_pids;

# When the provider saw its caller leave a question; undef while it has not.
sub left_at {
    my ($question) = @_;
    my ($end) = grep { $_->{end} eq 'them' } $provider->ends($question);
    return $end ? $end->{at} : undef;
}

sub row { return (rows_of($db, 'prompt = $$' . $_[0] . '$$')->{$_[0]} // [])->[0] // {} }

# The words that make up this text are the first of `say NAME`, all whole.
sub first_words_ok {
    my ($text, $name, $what) = @_;
    my $n = () = $text =~ / /g;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $text, words($name, $n), $what;
}

# A stream that outlives its process: ended when the time to drain is over.  It takes ten seconds, so the rest of this file
# runs meanwhile.
my @doomed = map { $crowd->ask($ending, $_, key => $key, slug => $slug, message => "say doomed-$_ n=400 pause=0.05") } @WAYS;
my $hush = $crowd->ask($ending, 'chunks', key => $key, slug => $slug, message => 'say doomed-hush first=60');
my $short = $crowd->ask($ending, 'stream', key => $key, slug => $slug, message => 'say in-time n=40 pause=0.05');
$crowd->until(sub { @{[$provider->requests]} == 6 }, 10, 'six calls');
my $told_at = time;
kill TERM => $ending->{pid};

# ---- the client leaves ----

subtest 'the client leaves' => sub {
    my @cases;
    for my $server ($exedra, $nginx) {
        for my $way (@WAYS) {
            for my $kind ('talks', 'is silent', 'has not answered') {
                my $name = join '-', $server->{name}, $way, $kind =~ s/ /-/gr;
                my $silent = $kind ne 'talks';
                my $question = "say $name " . ($silent ? 'first=60' : 'n=400 pause=0.05');
                my $client = $crowd->ask($server, $way, key => $key, slug => $slug, message => $question);
                push @cases, { name => $name, what => "$server->{name}, $way, the model $kind", client => $client, question => $question, silent => $silent,
                    wait => $kind eq 'is silent' && $way =~ /^(?:stream|chunks)$/ ? 'first_at' : undef };
            }
        }
    }
    # `is silent` waits for the first sign of life: the head has gone out then; `has not answered` leaves before it
    $crowd->until(sub { !grep { !$provider->asked($_->{question}) } @cases }, 10, 'the calls');
    $_->{client}{left_at} // $crowd->leave($_->{client}, reset => rand() < 0.5) for grep { $_->{what} =~ /has not/ } @cases;
    $crowd->until(sub { !grep { $_->{wait} && !$_->{client}{first_at} } @cases }, 10, 'signs of life');
    $crowd->until(sub { !grep { !$_->{silent} && $_->{client}{way} =~ /^(?:stream|chunks)$/ && !$_->{client}{text_seen} } @cases }, 10, 'first words');
    $crowd->linger(0.3);
    my $i = 0;
    $_->{client}{left_at} // $crowd->leave($_->{client}, reset => $i++ % 2) for @cases;
    for my $case (@cases) {
        my ($client, $question) = @$case{qw(client question)};
        my $left = eval { $crowd->until(sub { left_at($question) }, 5 * $slack, 'x') };
        ok $left && $left - $client->{left_at} < $slack, $case->{what} . sprintf ': the call ends after %.2f s', ($left // 0) - $client->{left_at};
        my $row = eval { wait_for { my $row = row($question); $row->{state} ne 'open' && $row } 3 * $slack, 'x' } // row($question);
        is "$row->{state} " . ($row->{reason} // ''), 'stopped client_gone', '… the row is stopped';
        if ($case->{silent}) {
            is $row->{answer}, undef, '… without a word';
        } else {
            first_words_ok($row->{answer}, $case->{name}, '… with what had come');
            my $seen = $crowd->answer($client)->{text};
            is substr($row->{answer}, 0, length $seen), $seen, '… all that the client saw';
        }
        is scalar @{ $row->{usage} }, 1, '… and is in the ledger once';
    }
};

subtest 'between two tries' => sub {
    my @clients = map { $crowd->ask($exedra, $_, key => $key, slug => $busy, message => "retry $_") } @WAYS;
    $crowd->until(sub { !grep { !$provider->asked("retry $_") } @WAYS }, 5, 'the first tries');
    $crowd->linger(0.2);
    $crowd->leave($_) for @clients;
    $crowd->until(sub { !grep { row("retry $_")->{state} ne 'stopped' } @WAYS }, $slack, 'the end of all');
    pass 'a client that leaves is noticed';
    $crowd->linger(2.2);
    is_deeply [map { $provider->asked("retry $_") } @WAYS], [1, 1, 1, 1], 'nobody is asked again';
};

subtest 'an abort by FastCGI' => sub {
    my $client = $crowd->ask($exedra, 'chunks', key => $key, slug => $slug, message => 'say aborted n=400 pause=0.05');
    $crowd->until(sub { $client->{text_seen} }, 5, 'the first word');
    my $at = time;
    syswrite $client->{socket}, record(FCGI_ABORT, 1, '');
    my $left = $crowd->until(sub { left_at('say aborted n=400 pause=0.05') }, 5 * $slack, 'the end of the call');
    cmp_ok $left - $at, '<', $slack, 'ends the call';
    $crowd->until(sub { row('say aborted n=400 pause=0.05')->{state} eq 'stopped' }, 2 * $slack, 'the row');
    pass 'the row is stopped';
    $crowd->leave($client);
};

# ---- from outside ----

# Streams of a key in both dialects, one of them silent; then what is done to it.  `row` is 0 where the rows go too.
subtest 'shut from outside' => sub {
    my %cases = (
        'key suspended' => { key => key($acme, label => 'k1'), do => sub { exedractl($db, qw(key suspend acme), key_id('k1')) } },
        'key deleted' => { key => key($acme, label => 'k2'), do => sub { exedractl($db, qw(key delete acme), key_id('k2')) } },
        'key expired' => { key => key($acme, label => 'k3'), do => sub { psql($db, "UPDATE exedra.credential SET expires_at = now() WHERE label = 'k3'") } },
        'account suspended' => { key => account($acme, 'sus', role => 'admin')->{key}, do => sub { exedractl($db, qw(account suspend acme sus)) } },
        'account deleted' => { key => account($acme, 'del', role => 'admin')->{key}, do => sub { exedractl($db, qw(account delete acme del)) }, gone => 1 },
        'workspace deleted' => { key => $key, slug => workspace($exedra, $key, 'Doomed', chatMode => 'chat')->{slug},
            do => sub { http($exedra, DELETE => '/v1/workspace/doomed', key => $key) }, gone => 1 },
        'thread deleted' => { key => $key, thread => http($exedra, POST => "/v1/workspace/$slug/thread/new", key => $key, json => { slug => 'doomed' })->{json}{thread}{slug},
            do => sub { http($exedra, DELETE => "/v1/workspace/$slug/thread/doomed", key => $key) }, gone => 1 },
        (map { my $how = $_; my $tenant = tenant($db, "t-$how"); ("tenant: $how" => { key => $tenant->{key}, slug => workspace($exedra, $tenant->{key}, 'Own', chatMode => 'chat')->{slug},
            do => sub { exedractl($db, 'tenant', $how, "t-$how") }, gone => $how eq 'delete' }) } qw(suspend delete)),
    );
    my $control = $crowd->ask($exedra, 'stream', key => $key, slug => $slug, message => 'say control n=60 pause=0.05');
    for my $what (sort keys %cases) {
        my $case = $cases{$what};
        my $name = $what =~ s/\W+/-/gr;
        for my $way (@WAYS) {
            next if $case->{thread} && $way =~ /^(?:completion|chunks)$/;
            for my $kind ('n=400 pause=0.05', 'first=60') {
                next if $kind eq 'first=60' && $way =~ /^(?:chat|completion)$/;
                my $question = "say $name-$way $kind";
                push @{ $case->{clients} }, $crowd->ask($exedra, $way, key => $case->{key}, slug => $case->{slug} // $slug, thread => $case->{thread}, message => $question);
            }
        }
    }
    my @all = map { @{ $_->{clients} } } values %cases;
    $crowd->until(sub { my %asked = map { $_->{question} => 1 } $provider->requests; !grep { !$asked{$_->{question}} } @all }, 10, 'the calls');
    $crowd->linger(0.5);
    for my $what (sort keys %cases) {
        $cases{$what}{do}->();
        $cases{$what}{at} = time;
    }
    eval { $crowd->until(sub { !grep { $_->{socket} } @all }, 3 * $slack, 'the end of all') };
    for my $what (sort keys %cases) {
        my $case = $cases{$what};
        for my $client (@{ $case->{clients} }) {
            my ($way, $question) = @$client{qw(way question)};
            my ($name) = $question =~ /^say (\S+)/;
            my $answer = $crowd->answer($client);
            ok $client->{ended_at} && $client->{ended_at} - $case->{at} < 1.5 * $slack, "$what, $question" . sprintf ': ends after %.2f s', ($client->{ended_at} // 1e9) - $case->{at};
            ok !$answer->{complete} && !$answer->{wrong}, '… and does not look complete' or diag $answer->{wrong} // 'complete', ' ', substr $answer->{raw}, -300;
            my $deleted = $what =~ /^(?:workspace|thread) deleted/;
            like $answer->{error}{message} // '', $deleted ? qr/ended or deleted/ : qr/may not|ended or deleted/, '… but says why';
            is $answer->{status}, 410, '… with its status' if $deleted && $way =~ /^(?:chat|completion)$/;
            my $left = eval { $crowd->until(sub { left_at($question) }, $slack, 'x') };
            ok $left, '… the call ends';
            my $row = row($question);
            if ($case->{gone}) {
                is_deeply $row, {}, '… the row has gone with it';
            } elsif ($question =~ /first/) {
                is "$row->{state} $row->{reason}", 'failed chat_stopped', '… the row has failed';
            } else {
                is "$row->{state} $row->{reason}", 'stopped chat_stopped', '… the row is stopped';
                first_words_ok($row->{answer}, $name, '… with what had come');
                is substr($row->{answer}, 0, length $answer->{text}), $answer->{text}, '… all that the client saw';
            }
        }
    }
    $crowd->until(sub { !$control->{socket} }, 10, 'the control');
    my $answer = $crowd->answer($control);
    is $answer->{text}, words('control', 60), 'another stream goes on to its end';
    ok $answer->{complete}, '… and is complete';
};

sub key_id { return psql($db, "SELECT id FROM exedra.credential WHERE label = '$_[0]'") }

# ---- CGI ----

# A web server ends a CGI program with SIGTERM when the client has gone (design, section 3).
subtest 'a CGI program' => sub {
    my $cgi = start_cgi(db => $db, settings => \%settings);
    my $body = json_text({ message => 'say cgi n=400 pause=0.05' });
    spew(tmp_dir() . '/body', $body);
    open my $stdin, '<', tmp_dir() . '/body' or die;
    my $pid = spawn($cgi->{program}, stdin => $stdin, log => tmp_dir() . '/cgi.out', env => cgi_variables(POST => "/v1/workspace/$slug/stream-chat",
        headers => { Authorization => "Bearer $key", 'Content-Type' => 'application/json' }, body => $body));
    wait_for { slurp(tmp_dir() . '/cgi.out') =~ /cgi-3 / } 10, 'words';
    kill TERM => $pid;
    my $left = eval { wait_for { left_at('say cgi n=400 pause=0.05') } 3 * $slack, 'x' };
    ok $left, 'SIGTERM ends the call';
    is eval { wait_for { my $row = row('say cgi n=400 pause=0.05'); $row->{state} ne 'open' && $row->{state} } 3, 'x' } // 'open', 'stopped', 'and the row is stopped';
    end_process($pid, signal => 'KILL');
};

# ---- the process ends ----

# SIGTERM may find workers that have only just been forked.
subtest 'told to end as it starts' => sub {
    my @slow;
    for my $round (1 .. 40) {
        my $pool = start_exedra(db => $db, unready => 1, settings => { %settings, processes => 8 });
        sleep rand 0.03;
        kill TERM => $pool->{pid};
        my $ended = eval { wait_for { !$pool->alive } 5 * $slack, 'its end' };
        $pool->end(signal => 'KILL');
        push(@slow, $round), last if !$ended;
    }
    # One that has not yet blocked the signal would lose it, and the pool would never end.
    is_deeply \@slow, [], 'it ends at once, forty times';
};

subtest 'the time to drain is over' => sub {
    $crowd->finish(15 * $slack);
    my $answer = $crowd->answer($short);
    is $answer->{text}, words('in-time', 40), 'what ends in time ends well';
    ok $answer->{complete}, '… and complete';
    for my $client (@doomed, $hush) {
        my ($way, $question) = @$client{qw(way question)};
        my $after = (left_at($question) // 1e9) - $told_at;
        ok $after > 9.5 && $after < 10 + 2.5 * $slack, sprintf '%s: the call ends after %.1f s', $question, $after;
        $answer = $crowd->answer($client);
        ok !$answer->{complete} && !$answer->{wrong}, '… and does not look complete' or diag $answer->{wrong} // 'complete';
        ok length($answer->{error}{message} // ''), '… but says so';
        unlike $answer->{error}{message} // '', qr/key/, '… and not that the key is to blame';
        is $answer->{status}, $way =~ /^(?:stream|chunks)$/ ? 200 : 503, '… with its status';
        my $row = row($question);
        if ($client == $hush) {
            is $row->{state}, 'failed', '… the row has failed';
        } else {
            is $row->{state}, 'stopped', '… the row is stopped';
            first_words_ok($row->{answer}, "doomed-$way", '… with what had come');
            is substr($row->{answer}, 0, length $answer->{text}), $answer->{text}, '… all that the client saw';
            cmp_ok length($row->{answer}), '>', length words("doomed-$way", 120), '… to the last';
        }
    }
    ok $ending->stop(signal => 'none', seconds => 5 * $slack), 'the process has ended well';
};

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
is join(' ', $exedra->worker_pids), join(' ', @workers), 'the workers are the same';
ok $_->stop, "$_->{name} ends well" for $nginx, $exedra;
done_testing;
