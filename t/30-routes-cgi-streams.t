# Answers by CGI, a process a question: they come as the model speaks and whole however slowly they are read; SIGTERM, which a web
# server sends when its client has gone, or a reader that goes itself, ends the process within three seconds (then Apache's SIGKILL
# comes), with what came on record.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Crowd;
use Exedra::Hostile qw(asan);
use Exedra::Ledger qw(words);
use Exedra::Provider;
use Time::HiRes qw(time sleep);

my $slack = asan() ? 4 : 1;
my $db = database();
# `plain` says its words in one piece, without chunks of HTTP.
my $provider = start_provider(models => { plain => sub {
    my ($name, $n) = $_[1]{question} =~ /^say (\S+) n=(\d+)/;
    return Exedra::Provider::open_events(Exedra::Provider::whole(words($name, $n)), ['fin']);
} });
my $cgi = start_cgi(db => $db, settings => { 'llm.url' => $provider->{url}, 'llm.model' => 'say', 'llm.timeout.idle' => 3, 'stream.keepalive' => 1 });
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $slug = workspace($cgi, $key, 'Hall', chatMode => 'chat', openAiPrompt => 'Be brief.', openAiHistory => 1)->{slug};
my $plain = workspace($cgi, $key, 'Plain', chatMode => 'chat', chatModel => 'plain')->{slug};
my $crowd = Exedra::Crowd->new;

# Each question is a conversation of its own.
my $session = 0;
sub set_off {
    my ($way, $message) = @_;
    my %session = $way =~ /^chat$|stream/ ? (body => { sessionId => 's' . ++$session }) : ();
    return $crowd->ask($cgi, $way, key => $key, slug => $slug, message => $message, %session);
}

sub row { return (rows_of($db, 'prompt = $$' . $_[0] . '$$')->{$_[0]} // [])->[0] // { state => 'none', usage => [] } }

# What waitpid says, or undef if the process has not ended by then.
sub ended { my ($client, $seconds) = @_; return end_process($client->{pid}, signal => 'none', seconds => $seconds) }

# A question asked of a process whose output the caller reads, or does not.
sub set_off_unread {
    my ($way, $message, $where) = @_;
    my ($target, $body) = question($way, slug => $where // $slug, message => $message, $way eq 'stream' ? (body => { sessionId => 's' . ++$session }) : ());
    my %request = Exedra::Http::prepare(key => $key, json => $body);
    my ($pid, $out) = Exedra::Process::spawn_reading($cgi->{program}, stdin => $request{body}, env => cgi_variables(POST => $target, %request),
        log => tmp_dir() . '/cgi.log');
    $out->blocking(0);
    return { way => $way, question => $message, pid => $pid, out => $out, bytes => '' };
}

# How many bytes wait in a pipe: FIONREAD.
sub waiting { my ($out) = @_; ioctl $out, 0x541b, my $n = pack 'i', 0 or die "ioctl: $!"; return unpack 'i', $n }

# These stop reading for longer than the provider may be silent, and are looked at later.  1,500 words are 200 kB of
# events: three times what a pipe holds.
my @stops = map { (set_off_unread($_, "say stops-$_ n=1500"), set_off_unread($_, "say plain-$_ n=1500", $plain)) } qw(stream chunks);
wait_for { !grep { waiting($_->{out}) < 50_000 } @stops } 10 * $slack, 'full pipes';
my $stopped = time;

# ---- as the model speaks ----

subtest 'as it comes' => sub {
    my @talks = map { set_off($_, "say talk-$_ n=8 pause=0.25") } @WAYS;
    my @thinks = map { set_off($_, "say think-$_ n=2 first=2.6") } @WAYS;
    my %seen;
    $crowd->until(sub {
        for my $client (grep { $_->{socket} } @talks) {
            my $n = () = $client->{bytes} =~ /talk-\w+-\d /g;
            $seen{$client->{way}}{$n} = 1;
        }
        return !grep { $_->{socket} } @talks, @thinks;
    }, 15 * $slack, 'all answers');
    for my $client (@talks) {
        my $way = $client->{way};
        my $answer = $crowd->answer($client);
        is $answer->{text}, words("talk-$way", 8), "$way: the whole answer";
        ok $answer->{complete} && !$answer->{wrong}, '… complete' or diag $answer->{wrong} // $answer->{raw};
        cmp_ok scalar(keys %{ $seen{$way} }), '>=', 5, '… that came piece by piece' if $way =~ /^(?:stream|chunks)$/;
        is row($client->{question})->{state}, 'done', '… and is on record';
        is ended($client, 5), 0, '… and the process ends well';
    }
    for my $client (@thinks) {
        my $way = $client->{way};
        ok $crowd->answer($client)->{complete}, "$way, the model is silent first: complete";
        cmp_ok $client->{first_at}, '<', $client->{ended_at} - 0.5, '… with a sign of life meanwhile' if $way =~ /^(?:stream|chunks)$/;
        is ended($client, 5), 0, '… and the process ends well';
    }
    is sanitizer_report(slurp(tmp_dir() . '/cgi.log')), undef, 'no report';
};

# ---- readers ----

subtest 'slow readers' => sub {
    my @clients = map { set_off_unread($_, "say slow-$_ n=1500") } qw(stream chunks);
    while (my @open = grep { !$_->{whole} } @clients) {
        for (@open) {
            my $got = sysread $_->{out}, $_->{bytes}, 8192, length $_->{bytes};
            $_->{whole} = 1 if defined $got && !$got;
        }
        sleep 0.01;
    }
    sleep 4.2 - (time - $stopped) if time - $stopped < 4.2;
    for my $client (@stops) {
        $client->{out}->blocking(1);
        1 while sysread $client->{out}, $client->{bytes}, 65536, length $client->{bytes};
    }
    for my $client (@clients, @stops) {
        my ($name) = $client->{question} =~ /^say (\S+)/;
        my $answer = judge($client->{way}, { %{ Exedra::Fcgi::cgi_reply($client->{bytes}) }, whole => 1 });
        ok $answer->{text} eq words($name, 1500), "$name: whole" or diag length $answer->{text}, ' bytes, ', $answer->{error}{message} // 'no error';
        ok $answer->{complete} && !$answer->{wrong}, '… and complete' or diag $answer->{wrong} // substr $client->{bytes}, -300;
        is row($client->{question})->{state}, 'done', '… on record';
        is ended($client, 5), 0, '… and the process ends well';
    }
};

# ---- the end ----

# All at the same time: four ways to ask, what the model does, and how the client goes.
subtest 'the client has gone' => sub {
    my @cases;
    for my $how ('SIGTERM', 'a closed pipe') {
        for my $kind ('talks', 'has stopped talking', 'has not answered') {
            for my $way (@WAYS) {
                my $name = join '-', $how =~ s/\W/-/gr, $way, $kind =~ s/ /-/gr;
                my $question = "say $name " . { talks => 'n=400 pause=0.05', 'has stopped talking' => 'n=9 hang=5', 'has not answered' => 'first=60' }->{$kind};
                push @cases, { how => $how, kind => $kind, name => $name, what => "$how, $way, the model $kind", question => $question, client => set_off($way, $question) };
            }
        }
    }
    $crowd->until(sub { my %asked = map { $_->{question} => 1 } $provider->requests; !grep { !$asked{$_->{question}} } @cases }, 15 * $slack, 'the calls');
    my @show = grep { $_->{client}{way} =~ /^(?:stream|chunks)$/ && $_->{kind} =~ /talk/ } @cases;
    $crowd->until(sub { !grep { !$_->{client}{text_seen} } @show }, 10 * $slack, 'first words');
    $crowd->linger(0.3);
    for my $case (@cases) {
        $case->{gone_at} = time;
        if ($case->{how} eq 'SIGTERM') { kill TERM => $case->{client}{pid} } else { $crowd->leave($case->{client}) }
    }
    for my $case (@cases) {
        my $client = $case->{client};
        my $left = 3 * $slack - (time - $case->{gone_at});
        is ended($client, $left > 0.1 ? $left : 0.1), 0, "$case->{what}: the process ends well within three seconds";
    }
    $crowd->linger(0.1);
    for my $case (@cases) {
        my ($client, $question) = @$case{qw(client question)};
        my $row = row($question);
        is "$row->{state} " . ($row->{reason} // ''), 'stopped client_gone', "$case->{what}: the row is stopped";
        my $n = () = ($row->{answer} // '') =~ / /g;
        is $row->{answer}, $case->{kind} =~ /talk/ ? words($case->{name}, $n) : undef, '… with what had come';
        cmp_ok $n, '>=', 5, '… all of it' if $case->{kind} eq 'has stopped talking';
        my $seen = $crowd->answer($client)->{text};
        is substr($row->{answer} // '', 0, length $seen), $seen, '… all that the client saw' if $seen ne '';
        is scalar @{ $row->{usage} }, 1, '… and is in the ledger once';
        is scalar(grep { $_->{end} eq 'them' } $provider->ends($question)), 1, '… and the call has ended';
    }
    is sanitizer_report(slurp(tmp_dir() . '/cgi.log')), undef, 'no report';
};

# The pipe is full, so the process stands in write(): SIGTERM must be heard there too.
subtest 'SIGTERM while nobody reads' => sub {
    my @clients = map { set_off_unread($_, "say stuck-$_ n=1500") } qw(stream chunks);
    wait_for { !grep { waiting($_->{out}) < 50_000 } @clients } 10 * $slack, 'full pipes';
    sleep 0.2;
    kill TERM => map { $_->{pid} } @clients;
    for my $client (@clients) {
        is ended($client, 3 * $slack), 0, "$client->{way}: the process ends well within three seconds";
        my $row = row($client->{question});
        is $row->{state}, 'stopped', '… the row is stopped';
        my $n = () = ($row->{answer} // '') =~ / /g;
        cmp_ok $n, '>', 100, "… with the $n words that had come";
    }
};

# A reply that nobody wants ends as quietly.
subtest 'nobody wants it' => sub {
    my $large = workspace($cgi, $key, 'Large', openAiPrompt => 'A wide river. ' x 20_000)->{slug};
    for my $bytes (0, 10_000) {
        my ($pid, $out) = Exedra::Process::spawn_reading($cgi->{program}, log => tmp_dir() . '/cgi.log',
            env => cgi_variables(GET => "/v1/workspace/$large", headers => { Authorization => "Bearer $key" }));
        my $got = '';
        while (length $got < $bytes) { sysread($out, $got, $bytes - length $got, length $got) or last }
        is length $got, $bytes, "$bytes bytes are read";
        close $out;
        is end_process($pid, signal => 'none', seconds => 3 * $slack), 0, '… and no more: the process ends well';
    }
};

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
done_testing;
