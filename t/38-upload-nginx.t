# Uploads through nginx: they go through as they come, so that a bad key is told before the file is sent and nginx keeps no copy of it;
# and 50 at once, which do not hold up chats.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Form;
use Exedra::Hostile ();
use Exedra::Askers;
use Time::HiRes qw(time sleep);

need('nginx');

my $db = database();
my $model = start_model(deltas => [map { "word $_ " } 1 .. 60], pause => 0.05);
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'm' });
my $nginx = start_nginx(exedra => $exedra);
my $key = tenant($db, 'acme')->{key};
workspace($exedra, $key, 'Hall');

my $head = sub {
    my ($target, $with_key, @more) = @_;
    return "POST $target HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $with_key\r\n"
        . join('', map { "$_\r\n" } "Content-Type: multipart/form-data; boundary=$BOUNDARY", @more) . "\r\n";
};

my $river = 'A river. ' x 300_000 . "Its end.\n";
subtest 'as they come' => sub {
    my $got = upload($nginx, $key, 'river.txt', $river, target => '/api/v1/document/upload');
    is $got->{status}, 200, 'a file' or diag substr $got->{body}, 0, 300;
    ok json_value($got->{body})->{documents}[0]{pageContent} eq $river, 'comes back whole';
    my $form = form(part(file => 'A text.', filename => 'a.txt'));
    my $reply = raw($nginx, $head->('/v1/document/upload', $key, 'Connection: close', 'Transfer-Encoding: chunked')
        . join('', map { sprintf "%x\r\n%s\r\n", length, $_ } $form =~ /(.{1,20})/gs) . "0\r\n\r\n");
    like $reply, qr{^HTTP/1\.1 200 .*"title":"a\.txt"}s, 'in chunks, of no announced length';
    $reply = raw($nginx, $head->('/v1/document/upload/shelf', $key, 'Connection: close', 'Expect: 100-continue', 'Content-Length: ' . length $form) . $form);
    like $reply, qr{^HTTP/1\.1 100 .*HTTP/1\.1 200 .*"location":"shelf/}s, 'when asked first whether to go on';

    for my $case (['a wrong key', 'wrong', 403, qr/No valid api key/], ['a right one, but no form', $key, 415, qr/multipart/, 'Content-Type: text/plain']) {
        my ($what, $with_key, $status, $words, $type) = @$case;
        my $client = fcgi_open($nginx->{http});
        my $bytes = $head->('/v1/document/upload', $with_key, 'Content-Length: 200000000');
        $bytes =~ s/Content-Type: .*?\r\n/$type\r\n/ if $type;
        $client->send($bytes . "--$BOUNDARY\r\n");
        my $began = time;
        eval { $client->fill(5) };
        like $client->{bytes}, qr{^HTTP/1\.1 $status .*$words}s, "$what: is told";
        cmp_ok time - $began, '<', 3, 'before the file is sent';
        $client->close;
    }
    for (1 .. 20) {
        my $got = upload($nginx, 'wrong', 'large.txt', 'x' x 3_000_000);
        is $got->{status}, 403, 'a wrong key with a large file' or last;
    }

    my $client = fcgi_open($nginx->{http});
    $client->send($head->('/v1/document/upload', $key, 'Content-Length: 100000000') . "--$BOUNDARY\r\n" . part(file => 'x' x 20_000_000, filename => 'a.txt'));
    my @kept = map { glob "$_/*" } grep { -d } "$nginx->{dir}/client_body";
    is_deeply \@kept, [], 'nginx keeps no copy';
    $client->close;
    is psql($db, "SELECT count(*) FROM exedra.file WHERE state <> 'done'"), 0, 'of what broke off nothing is left';
};

subtest 'too large' => sub {
    my $reply = raw($nginx, $head->('/v1/document/upload', $key, 'Content-Length: ' . ((256 << 20) + 1)), 2);
    like $reply, qr{^HTTP/1\.1 413 .*\r\nContent-Type: application/json\b.*\{"success":false,"error":"The body is larger than 256 MiB\."}s, 'is refused in JSON, with the limit named';
};

# Milliseconds between two words of a chat, for a model that says one each 50 ms.
sub gaps_of_chat {
    my ($client, $i) = @_;
    my $stream = http_stream($nginx, POST => '/v1/workspace/hall/stream-chat', key => $key, json => { message => "Slowly $client $i", mode => 'chat' });
    my ($last, @gaps);
    while (my $event = $stream->next(30)) {
        next if ($event->{json}{textResponse} // '') eq '';
        push @gaps, 1000 * ($event->{at} - $last) if defined $last;
        $last = $event->{at};
    }
    $stream->close;
    return { gaps => \@gaps };
}

subtest 'fifty at once' => sub {
    my $n = 50;
    my $words = join ' ', map { "word$_ of the river" } 1 .. 5_000;           # about 100 kB
    my $chats = start_askers(4, \&gaps_of_chat);
    sleep 0.5;
    my $began = time;
    my @status = in_parallel($n, sub {
        upload($nginx, $key, "file$_[0].txt", "$_[0] $words", timeout => 120, fields => { addToWorkspaces => 'hall' })->{status};
    }, 1 .. $n);
    my $ended = time;
    my @results = grep { $_->{ended} > $began && $_->{began} < $ended } $chats->stop;
    is_deeply \@status, [(200) x $n], 'all are stored';
    is psql($db, 'SELECT count(*) FROM exedra.workspace_document'), $n, 'and in their workspace';
    is_deeply [grep { $_->{died} || @{ $_->{gaps} } != 59 } @results], [], 'meanwhile chats are whole';
    my @gaps = sort { $a <=> $b } map { @{ $_->{gaps} } } @results;
    my ($median, $p99) = map { $gaps[$_ * $#gaps] } 0.5, 0.99;
    diag sprintf '%d uploads in %.1f s; %d gaps: median %.0f ms, p99 %.0f ms', $n, $ended - $began, scalar @gaps, $median, $p99 if $ENV{EXEDRA_VERBOSE};
    cmp_ok $p99, '<', Exedra::Hostile::allow_for(500), 'and go on word by word';
};

ok $_->stop, "$_->{name} ends well" for $nginx, $exedra;
done_testing;
