# A chat with a model behind it (contract, sections 4.3, 4.6, 4.7, 5.2; design, sections 2 and 5): what the model is sent, what
# becomes of its pieces, its silence, its failures before and after the first word, and of a client that leaves.  No client
# reads an end before the answer is committed.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

# The model does what the question says.
sub part { my ($client, $event) = @_; syswrite $client, 'data: ' . (ref $event ? json_text($event) : $event) . "\n\n" }
sub delta { my ($client, %delta) = @_; part($client, { choices => [{ index => 0, delta => \%delta, finish_reason => undef }] }) }
sub begin { syswrite $_[0], "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" }
sub finish {
    my ($client, $usage) = @_;
    part($client, { choices => [{ index => 0, delta => {}, finish_reason => 'stop' }] });
    part($client, { choices => [], usage => $usage }) if $usage;
    part($client, '[DONE]');
}

my $go = tmp_dir() . '/go';
my %does = (
    silent => sub { my $c = shift; sleep_for(1.3); begin($c); delta($c, content => 'Hello '); sleep_for(1.3); delta($c,
    content => 'there.'); finish($c) },
    fail   => sub { Exedra::Model::reply_json(shift, { error => { message => 'sk-secret at http://inside' } }, '500 Oops') },
    busy   => sub { syswrite $_[0], "HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}" },
    cut    => sub { my $c = shift; begin($c); delta($c, content => 'Half an '); delta($c, content => 'ans') },
    empty  => sub { my $c = shift; begin($c); finish($c) },
    think  => sub { my $c = shift; begin($c); delta($c, reasoning_content => $_) for 'Hm, ',
    'well.'; delta($c, content => $_) for 'It ', 'is.'; finish($c) },
    hang   => sub { my $c = shift; begin($c); delta($c, content => 'Once upon '); sysread $c, my $byte, 1; spew("$go.gone", '') },
    wait   => sub { my $c = shift; begin($c); delta($c, content => 'All of it.'); wait_for { -e $go } 20, 'the word to go on'; finish($c) },
    plain  => sub { my $c = shift; begin($c); delta($c, content => 'No count.'); finish($c) },
);
sub sleep_for { select undef, undef, undef, $_[0] }

my $model = start_model(answer => sub {
    my ($client, $request) = @_;
    my $question = $request->{json}{messages}[-1]{content};
    my ($word) = (ref $question ? $question->[0]{text} : $question) =~ /^(\w+)/;
    if ($does{$word // ''}) { $does{$word}->($client); shutdown $client, 2 }
    else { Exedra::Model::say_it($client, $request, ['Hello ', 'there.'], 0) }
});
my $db = database();
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'test-model', 'llm.context' => 2048,
    'stream.keepalive' => 1 });
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $bea = account($acme, 'bea');
my $room = workspace($exedra, $key, 'Room "A"', openAiPrompt => '');
psql($db, q(UPDATE exedra.workspace SET prompt = NULL; UPDATE exedra.account SET bio = 'likes fish'));
exedractl($db, qw(account grant acme bea room-a));

sub update { http($exedra, POST => '/v1/workspace/room-a/update', key => $key, json => {@_}) }
sub sent { return ($model->requests)[-1]{json} }
sub reset_all { psql($db, 'UPDATE exedra.chat SET include = false') }
sub outcome { return stored($db, "state, include, reason, answer") }
sub ledger {
    return psql($db, 'SELECT provider, model, prompt_tokens, completion_tokens, estimated FROM exedra.usage WHERE chat_id = '
        . stored($db, 'id'));
}

subtest 'what the model is sent' => sub {
    my $got = chat($exedra, $key, 'room-a', 'First?');
    my $sent = sent();
    is_deeply [@$sent{qw(model stream)}, $sent->{messages}],
        ['test-model', JSON::PP::true(), [{ role => 'user', content => 'First?' }]], 'the question, for the configured model';
    ok !exists $sent->{temperature}, 'no temperature where none is set';
    for my $temperature (0.3, 0, 1.5) {
        update(openAiTemp => $temperature);
        chat($exedra, $key, 'room-a', 'Again?');
        cmp_ok sent()->{temperature}, '==', $temperature, "temperature $temperature";
    }
    update(openAiTemp => undef, chatModel => 'special');
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } (chat($exedra, $key, 'room-a', 'Now?'),
        @{ sent()->{messages} })[1 .. 9]], ['First?', ('Again?') x 3, 'Now?'],
        'after the history, the oldest first';
    is sent()->{model}, 'special', "the workspace's model";
    update(chatModel => undef);
    reset_all();

    update(openAiPrompt => 'W={workspace.name} I={workspace.id} U={user.name}|{user.id}|{user.bio} '
        . '{date} {time} {time_24} {datetime} {datetime_24} {other} {');
    my $year = (gmtime)[5] + 1900;
    my $bea_id = psql($db, 'SELECT id FROM exedra.account');
    for my $who ([$key, '||'], [$bea->{key}, "bea|$bea_id|likes fish"]) {
        chat($exedra, $who->[0], 'room-a', 'Hello?');
        my $system = sent()->{messages}[0];
        is $system->{role}, 'system', 'the system prompt comes first';
        like $system->{content}, qr/^W=Room "A" I=$room->{id} U=\Q$who->[1]\E \w+ \d+, $year \S.* \{other\} \{$/,
            'with its variables filled in';
        unlike $system->{content}, qr/\{(?:date|time)/, 'all of them';
    }
    my @images = map { { name => "$_.png", mime => 'image/png', contentString => "data:image/png;base64,$_/+=" } } 'aaaa', 'bbbb';
    chat($exedra, $key, 'room-a', { message => 'Seen?', attachments => \@images, reset => \1 });
    is_deeply sent()->{messages}[-1]{content}, [{ type => 'text', text => 'Seen?' },
        map { { type => 'image_url', image_url => { url => $_->{contentString} } } } @images], 'images as they came';
    chat($exedra, $key, 'room-a', 'And then?');
    is_deeply sent()->{messages}[-3]{content}, [{ type => 'text', text => 'Seen?' },
        map { { type => 'image_url', image_url => { url => $_->{contentString} } } } @images], 'in the history too';
    reset_all();
    my $asked = scalar(() = $model->requests);
    $got = chat($exedra, $key, 'room-a', 'x' x 9000);
    is "$got->{status} $got->{json}{type}", '400 abort', 'a question longer than the window';
    is scalar(() = $model->requests), $asked, 'is not sent';
};

subtest 'what was found' => sub {
    document($exedra, $key, "whale$_", "The whale number $_ dives deep.", 'room-a') for 1 .. 2;
    my $got = chat($exedra, $key, 'room-a', 'How deep does the whale dive?')->{json};
    is scalar @{ $got->{sources} }, 2, 'two passages';
    my $context = join '', map { "[CONTEXT $_]:\n$got->{sources}[$_]{text}\n[END CONTEXT $_]\n\n" } 0, 1;
    is substr(sent()->{messages}[0]{content}, -length "\nContext:\n$context"), "\nContext:\n$context",
        'stand behind the prompt, as they are cited';
    like sent()->{messages}[0]{content}, qr/^W=Room.*\nContext:\n\[CONTEXT\ 0\]:\n.*The\ whale\ number\ \d\ dives\ deep\.\n\[END\ CONTEXT\ 0\]\n\n
        \[CONTEXT\ 1\]:\n.*\n\[END\ CONTEXT\ 1\]\n\n\z/sx, 'in blocks';
    chat($exedra, $key, 'room-a', { message => 'How deep does the whale number 2 dive?', mode => 'query' });
    is scalar(grep { $_->{role} eq 'user' } @{ sent()->{messages} }), 2, 'query mode sends the history too';
    chat($exedra, $key, 'room-a', 'Really?');
    like sent()->{messages}[0]{content}, qr/whale number/, 'what an earlier answer was based on stands behind the next question';
    my $asked = scalar(() = $model->requests);
    reset_all();
    is chat($exedra, $key, 'room-a', { message => 'Quantum?', mode => 'query' })->{json}{chatId}, undef, 'nothing found: a refusal';
    is scalar(() = $model->requests), $asked, 'without asking the model';
};

subtest 'an answer' => sub {
    my $got = stream($exedra, $key, 'room-a', 'Hello?');
    my $event = sub { '{"uuid":"<uuid>","sources":[],"type":"textResponseChunk","textResponse":' . json_text($_[0]) . ',"close":'
        . ($_[1] ? 'true' : 'false') . ',"error":false}' };
    is_deeply [map { plain($_->{data}) } @{ $got->{raw} }[0 .. 2]], [$event->('Hello '), $event->('there.'), $event->('', 1)],
        'piece by piece';
    my $last = $got->{events}[3];
    is_deeply [sort keys %$last], [qw(chatId close error metrics sources type uuid)], 'and its end';
    is_deeply [@{ $last->{metrics} }{qw(prompt_tokens completion_tokens total_tokens model provider)}],
        [7, 2, 9, 'test-model', 'generic-openai'], "the provider's count";
    is ledger(), "generic-openai\ttest-model\t7\t2\tf", 'is what the ledger has';
    is outcome(), "done\tt\t\tHello there.", 'the answer is stored';
    is chat($exedra, $key, 'room-a', 'Hello?')->{json}{textResponse}, 'Hello there.', 'at once';
    my $metrics = chat($exedra, $key, 'room-a', 'plain')->{json}{metrics};
    cmp_ok $metrics->{completion_tokens}, '==', 3, 'without a count it is estimated, four bytes a token';
    is ledger(), "generic-openai\ttest-model\t$metrics->{prompt_tokens}\t3\tt", 'and the ledger says so';
    is text_of(@{ stream($exedra, $key, 'room-a', 'think')->{events} }), '<think>Hm, well.</think>It is.', 'reasoning is marked';
    is stored($db, 'answer'), '<think>Hm, well.</think>It is.', 'and stored so';
};

subtest 'silence' => sub {
    my $got = stream($exedra, $key, 'room-a', 'silent');
    my @events = @{ $got->{events} };
    is_deeply [map { $_->{textResponse} } grep { $_->{type} eq 'textResponseChunk' } @events], ['', 'Hello ', '', 'there.', ''],
        'signs of life are empty pieces';
    is_deeply [map { $_->{close} ? 1 : 0 } @events], [0, 0, 0, 0, 1, 1], 'that close nothing';
    is plain(json_text($events[0])), plain(json_text({ %{ $events[1] }, textResponse => '' })), 'like all others';
    cmp_ok $got->{raw}[0]{at}, '>', 0.9, 'the first after a second';
    is $got->{comments}, 0, 'no comments';
    is outcome(), "done\tt\t\tHello there.", 'and nothing of it is stored';
};

subtest 'failures before the first word' => sub {
    for my $how ('chat', 'stream-chat') {
        for my $case (['fail', 500, undef, 'upstream_error'], ['busy', 429, 7, 'upstream_busy']) {
            my ($question, $status, $retry, $reason) = @$case;
            my $usage = psql($db, 'SELECT count(*) FROM exedra.usage');
            my $got = http($exedra, POST => "/v1/workspace/room-a/$how", key => $key, json => { message => $question });
            is "$got->{status} " . ($got->{headers}{'retry-after'} // ''), "$status " . ($retry // ''), "$how: $question";
            shape_is $got->{json}, { id => 'uuid', type => qr/^abort$/, textResponse => 'null', sources => ['null'],
                close => 'bool', error => 'string' }, 'an abort';
            unlike $got->{body}, qr/secret|inside|127\.0\.0\.1/, 'without the words of the provider';
            is outcome(), "failed\tf\t$reason\t", 'on record as failed';
            is psql($db, 'SELECT count(*) FROM exedra.usage'), $usage, 'for nothing';
        }
        my $lonely = start_exedra(db => $db, settings => { 'llm.url' => 'http://127.0.0.1:' . free_port() . '/v1' });
        my $got = http($lonely, POST => "/v1/workspace/room-a/$how", key => $key, json => { message => 'Anybody?' });
        is "$got->{status} $got->{json}{type}", '500 abort', "$how: nobody is there";
        is stored($db, 'state'), 'failed', 'on record too';
        ok $lonely->stop, 'exedra ends well';
    }
    my $got = chat($exedra, $key, 'room-a', 'empty');
    is plain($got->{body} =~ s/"metrics":\{.*?\}/"metrics":{}/r),
        '{"id":"<uuid>","type":"abort","textResponse":null,"sources":[],"close":true,'
        . '"error":"No text completion could be completed with this input.","metrics":{}}', 'an empty answer';
    is $got->{status}, 200, 'is 200';
    is_deeply [map { plain($_->{data}) } @{ stream($exedra, $key, 'room-a', 'empty')->{raw} }],
        ['{"uuid":"<uuid>","sources":[],"type":"textResponseChunk","textResponse":"","close":true,"error":false}',
        '{"uuid":"<uuid>","type":"finalizeResponseStream","close":true,"error":false}'], 'as a stream: two events without a number';
    unlike http($exedra, GET => '/v1/workspace/room-a/chats', key => $key)->{body}, qr/"content":"empty"/, 'and no history';
};

subtest 'a failure in the middle' => sub {
    my $got = stream($exedra, $key, 'room-a', 'cut');
    my @events = @{ $got->{events} };
    is $got->{status}, 200, 'the status has gone';
    is text_of(@events), 'Half an ans', 'what came is passed on';
    my ($abort, $last) = @events[-2, -1];
    is_deeply $abort, { uuid => $events[0]{uuid}, type => 'abort', textResponse => undef, sources => [], close => JSON::PP::true(),
        error => $abort->{error} }, 'then an abort';
    like $abort->{error}, qr/\w/, 'that says something';
    is_deeply [@$last{qw(uuid type chatId)}], [$events[0]{uuid}, 'finalizeResponseStream', stored($db, 'id')],
        'and the end, with the number of what is kept';
    is_deeply [grep { $_->{type} eq 'textResponseChunk' && $_->{close} } @events], [], 'but no close of the text';
    is outcome(), "stopped\tt\tupstream_cut\tHalf an ans", 'which is what came';
    is ledger() =~ s/\t\d+\t/\tN\t/r, "generic-openai\ttest-model\tN\t3\tt", 'and is paid for';
    $got = chat($exedra, $key, 'room-a', 'cut');
    is "$got->{status} $got->{json}{type}", '500 abort', 'at once: 500';
    is outcome(), "stopped\tt\tupstream_cut\tHalf an ans", 'what came is kept the same';
};

subtest 'a client that leaves' => sub {
    my $leaving = http_stream($exedra, POST => '/v1/workspace/room-a/stream-chat', key => $key, json => { message => 'hang' });
    is $leaving->next->{json}{textResponse}, 'Once upon ', 'reads a word';
    is stored($db, 'state, prompt, answer'), "open\thang\t", 'while its question is on record';
    $leaving->close;
    wait_for { stored($db, 'state') ne 'open' } 5, 'the chat to end';
    is outcome(), "stopped\tt\tclient_gone\tOnce upon ", 'what came is kept';
    wait_for { -e "$go.gone" } 5, 'the provider to be left alone';
    pass 'and the provider is let go';
};

subtest 'no end before the commit' => sub {
    my $stream = http_stream($exedra, POST => '/v1/workspace/room-a/stream-chat', key => $key, json => { message => 'wait' });
    is $stream->next->{json}{textResponse}, 'All of it.', 'the whole text has come';
    my $id = stored($db, 'id');
    pipe my $read, my $lock or die "pipe: $!";
    $lock->autoflush;
    my $log = tmp_dir() . '/lock';
    my $holder = spawn([Exedra::Postgres::psql_command($db->conninfo('super'))], stdin => $read, log => $log);
    print $lock "BEGIN;\nSELECT 'held' FROM exedra.chat WHERE id = $id FOR UPDATE;\n";
    wait_for { slurp($log) =~ /held/ } 10, 'the lock';
    spew($go, '');
    is eval { $stream->next(0.5) }, undef, 'while it cannot be stored, nothing closes';
    is stored($db, 'state'), 'open', 'for nothing is';
    print $lock "COMMIT;\n";
    is_deeply [map { $_->{json}{close} ? 1 : 0 } $stream->events], [1, 1], 'then it does';
    is outcome(), "done\tt\t\tAll of it.", 'and is stored';
    close $lock;
    end_process($holder);
};

ok $exedra->stop, 'exedra ends well';
done_testing;
