# Histories (contract, sections 2.8, 4.3, 4.4, endpoint 32; design, section 5): what `chats` shows, in which order and how
# much of it; who sees whose; that a conversation is one of workspace, thread, session and account, both for what a model is
# shown and for what a reset takes away.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
workspace($exedra, $key, $_) for 'Shown', 'Many', 'States', 'Shared', 'Reset', 'Model';
document($exedra, $key, 'danube', 'The Danube flows to the Black Sea.', $_) for qw(shown shared reset);
my %account = map { $_->[0] => account($acme, @$_) } ['max', role => 'manager'], ['bea'], ['ben'];
for my $slug (qw(shared reset model)) {
    exedractl($db, qw(account grant acme), $_, $slug) for qw(bea ben);
}

sub chats {
    my ($slug, $query, $as) = @_;
    return http($exedra, GET => "/v1/workspace/$slug/chats" . ($query ? "?$query" : ''), key => $as // $key);
}

# The questions that a history shows, in its order.
sub asked {
    return [map { $_->{content} } grep { $_->{role} eq 'user' } @{ chats(@_)->{json}{history} }];
}

# Puts chats into a workspace as they may be found there: [prompt, answer, state, include, session, thread's slug].
sub insert {
    my ($slug, @rows) = @_;
    my $no = 0;
    my $values = join ', ', map { my $row = $_; '('
        . join(', ', ++$no, map { defined $row->[$_] ? "'$row->[$_]'" : 'NULL' } 0 .. 5) . ')' } @rows;
    psql($db, "INSERT INTO exedra.chat (tenant_id, workspace_id, origin, mode, prompt, answer, state, include, api_session_id, thread_id, conversation)
        SELECT w.tenant_id, w.id, 'api', 'chat', v.prompt, v.answer, v.state::exedra.chat_state, v.include::boolean, v.session, t.id,
               exedra.conversation(t.id, v.session)
        FROM exedra.workspace w, (VALUES $values) v (no, prompt, answer, state, include, session, thread)
        LEFT JOIN exedra.thread t ON t.slug = v.thread WHERE w.slug = '$slug' ORDER BY v.no");
}

sub make_thread {
    my ($slug, $thread) = @_;
    psql($db, "INSERT INTO exedra.thread (tenant_id, workspace_id, slug) SELECT tenant_id, id, '$thread' FROM exedra.workspace WHERE slug = '$slug'");
}

subtest 'shown' => sub {
    my $picture = { name => 'a.png', mime => 'image/png', contentString => 'data:image/png;base64,iVBORw0KGgo=' };
    my $first = chat($exedra, $key, 'shown', { message => 'Where does the "Danube" flow?', attachments => [$picture] })->{json};
    my $second = chat($exedra, $key, 'shown', { message => 'Danube?', mode => 'query' })->{json};
    my $got = chats('shown');
    is $got->{status}, 200, 'a history';
    shape_is $_->[0], $shape{$_->[1]}, $_->[2] for [$got->{json}{history}[0], 'history_user', 'begins with the question'],
        [$got->{json}{history}[1], 'history_assistant', 'then the answer'];
    my $plain = plain($got->{body}) =~ s/"(?:sources|attachments)":\[\{.*?\}\],"(?=chatId)/"<array>,"/gr =~ s/"metrics":\{.*?\}/"metrics":{}/gr;
    my ($one, $two) = map { json_text($_->{textResponse}) } $first, $second;
    is $plain, '{"history":[{"role":"user","content":"Where does the \"Danube\" flow?","sentAt":<seconds>,"<array>,"chatId":<id>},'
        . qq({"type":"automatic","role":"assistant","content":$one,"<array>,"chatId":<id>,"sentAt":<seconds>,"feedbackScore":null,"metrics":{}},)
        . '{"role":"user","content":"Danube?","sentAt":<seconds>,"attachments":[],"chatId":<id>},'
        . qq({"type":"query","role":"assistant","content":$two,"<array>,"chatId":<id>,"sentAt":<seconds>,"feedbackScore":null,"metrics":{}}]}), 'to the byte';
    my @items = @{ $got->{json}{history} };
    is_deeply [map { $_->{chatId} } @items], [($first->{chatId}) x 2, ($second->{chatId}) x 2], 'in pairs, the oldest first';
    is_deeply $items[0]{attachments}, [$picture], 'with what was attached to the question';
    is_deeply [@{ $items[1] }{qw(sources metrics)}], [@$first{qw(sources metrics)}], 'with the sources and metrics of the answer';
    cmp_ok abs($items[0]{sentAt} - time), '<', 60, 'and its time in seconds';
    psql($db, "UPDATE exedra.chat SET feedback = true WHERE id = $first->{chatId}");
    is chats('shown')->{json}{history}[1]{feedbackScore}, JSON::PP::true(), 'feedback';
    is chats('model')->{body}, '{"history":[]}', 'none yet';
    is "$_->{status} $_->{body}", '400 Bad Request', 'no such workspace' for chats('none');
};

subtest 'how much' => sub {
    insert('many', map { ["q$_", 'a', 'done', 't'] } 1 .. 120);
    my @q = map { "q$_" } 1 .. 120;
    is_deeply asked('many'), [@q[0 .. 99]], 'a hundred';
    is_deeply asked('many', 'limit=3'), [@q[0 .. 2]], 'so many';
    is_deeply asked('many', 'limit=3&orderBy=desc'), [reverse @q[117 .. 119]], 'the newest first';
    is_deeply [map { $_->{role} } @{ chats('many', 'limit=2&orderBy=desc')->{json}{history} }],
        [qw(user assistant user assistant)], 'the question before its answer still';
    is_deeply asked('many', "limit=2&orderBy=$_"), [@q[0, 1]], "orderBy '$_' is asc" for 'asc', 'DESC', 'x', '';
    is_deeply asked('many', 'limit=500'), \@q, 'more than there are';
    is chats('many', "limit=$_")->{body}, '{"history":[]}', "limit '$_' is no number: nothing" for 'abc', '3x', '%27';
};

subtest 'which' => sub {
    make_thread('states', 'talk');
    insert('states', ['done', 'a', 'done', 't'], ['stopped', 'a', 'stopped', 't'], ['stopped before a word', undef, 'stopped', 't'],
        ['failed', undef, 'failed', 'f'], ['open', undef, 'open', 't'], ['open with text', 'a', 'open', 't'], ['reset', 'a', 'done', 'f'],
        ['session', 'a', 'done', 't', 's1'], ['reset session', 'a', 'done', 'f', 's1'], ['failed session', undef, 'failed', 'f', 's1'],
        ['other session', 'a', 'done', 't', 's2'], ['thread', 'a', 'done', 't', undef, 'talk']);
    is_deeply asked('states'), [qw(done stopped)], 'the main conversation: what is done, or stopped with text';
    is_deeply asked('states', 'apiSessionId=s1'), ['session', 'reset session'], 'a session: with what was reset';
    is_deeply asked('states', 'apiSessionId=s2'), ['other session'], 'another';
    is_deeply asked('states', 'apiSessionId=S1'), [], 'with its case';
    is_deeply asked('states', 'apiSessionId=none'), [], 'an unknown one';
    is_deeply asked('states', 'apiSessionId=s1&limit=1&orderBy=desc'), ['reset session'], 'page by page too';
};

subtest 'whose' => sub {
    for my $who ([$key, 'tenant'], [$account{max}{key}, 'max'], [$account{bea}{key}, 'bea'], [$account{ben}{key}, 'ben']) {
        chat($exedra, $who->[0], 'shared', { message => "Danube, says $who->[1]", $_ ? (sessionId => $_) : () }) for undef, 's1';
        is stored($db, 'account_id IS NULL'), $who->[1] eq 'tenant' ? 't' : 'f', "$who->[1] is the one who asked";
    }
    my @all = map { "Danube, says $_" } qw(tenant max bea ben);
    is_deeply asked('shared', '', $_->[0]), \@all, "$_->[1] sees the main conversation of all" for [$key, 'the tenant'],
        [$account{max}{key}, 'a manager'];
    is_deeply asked('shared', '', $account{$_}{key}), ["Danube, says $_"], "$_ sees only what is $_\'s" for qw(bea ben);
    is_deeply asked('shared', 'apiSessionId=s1', $account{$_}{key}), ["Danube, says $_"], "in a session too" for qw(bea ben);
    is_deeply asked('shared', 'apiSessionId=s1'), ['Danube, says tenant'], "a session of the tenant's key is its own";
};

subtest 'reset' => sub {
    my %who = (tenant => $key, bea => $account{bea}{key}, ben => $account{ben}{key});
    my $ask_all = sub {
        for my $name (sort keys %who) {
            chat($exedra, $who{$name}, 'reset', { message => "Danube $name " . ($_ // 'main'), sessionId => $_ }) for undef, 's1', 's2';
        }
        make_thread('reset', 'side');
        insert('reset', ['Danube thread', 'a', 'done', 't', undef, 'side']);
    };
    my $reset = sub { psql($db, "SELECT string_agg(replace(c.prompt, 'Danube ', ''), ', ' ORDER BY c.id) FROM exedra.chat c
        JOIN exedra.workspace w ON w.id = c.workspace_id WHERE w.slug = 'reset' AND c.prompt LIKE 'Danube%' AND NOT c.include") };
    my $confirmed = '{"id":"<uuid>","type":"textResponse","textResponse":"Chat history was reset!","sources":[],"close":true,"error":null,'
        . '"metrics":{}}';
    $ask_all->();
    my $got = chat($exedra, $key, 'reset', { reset => \1 });
    is plain($got->{body}), $confirmed, 'is confirmed';
    is $got->{status}, 200, 'with 200';
    is $reset->(), 'tenant main', "the caller's main conversation is gone";
    is_deeply [grep { /tenant/ } @{ asked('reset') }], [], 'from the history';
    $got = stream($exedra, $who{bea}, 'reset', { reset => \1, sessionId => 's1', message => '', mode => 'nonsense' });
    is_deeply [map { plain($_->{data}) } @{ $got->{raw} }],
        [$confirmed =~ s/"close"/"attachments":[],"close"/r],
        'as a stream: one event';
    is $reset->(), 'bea s1, tenant main', "a session: the caller's own";
    is_deeply asked('reset', 'apiSessionId=s1', $who{bea}), ['Danube bea s1'], 'which is shown when it is asked for';
    is chat($exedra, $key, 'reset', { reset => \0, message => 'Danube' })->{json}{type}, 'textResponse', 'reset: false is none';
    is chat($exedra, $key, 'reset', { message => '/reset' })->{json}{chatId} ? 1 : 0, 1, '/reset is a message';
    is $reset->(), 'bea s1, tenant main', 'that resets nothing';
    $got = chat($exedra, $who{ben}, 'reset', { message => 'Danube anew', reset => \1 });
    like $got->{json}{textResponse}, qr/Black Sea/, 'reset with a question: it is answered';
    is $reset->(), 'bea s1, ben main, tenant main', 'after the reset';
    is_deeply asked('reset', '', $who{ben}), ['Danube anew'], 'so the history begins with it';
    $got = chat($exedra, $who{ben}, 'reset', { message => 'Danube once more', reset => \1, mode => 'nonsense' });
    like $got->{json}{textResponse}, qr/Black Sea/, 'a mode that is none is passed over then, and the question is not';
    is_deeply [map { $_->{type} // $_->{content} } @{ chats('reset', '', $who{ben})->{json}{history} }], ['Danube once more', 'chat'], 'it is asked as chat';
    is chat($exedra, $key, 'none', { reset => \1 })->{json}{error}, 'Workspace none is not a valid workspace.', 'an unknown workspace';
    is $reset->(), 'bea s1, ben main, tenant main, anew', 'threads and all others were left alone';
};

subtest 'what a model is shown' => sub {
    my $model = start_model(deltas => ['An ', 'answer.']);
    my $asking = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'test-model' });
    my $shown = sub {
        my ($as, $body) = @_;
        my $got = chat($asking, $as, 'model', $body);
        die "chat: $got->{status} $got->{body}\n" if $got->{status} != 200;
        my @messages = @{ ($model->requests)[-1]{json}{messages} };
        return join ' ', map { $_->{role} eq 'assistant' ? () : $_->{content} } grep { $_->{role} ne 'system' } @messages;
    };
    is $shown->($key, 'one'), 'one', 'the question';
    is $shown->($key, 'two'), 'one two', 'after what was asked before';
    is_deeply [map { $_->{content} } @{ ($model->requests)[-1]{json}{messages} }[1 .. 3]], ['one', 'An answer.', 'two'],
        'with its answer, the oldest first';
    is $shown->($key, { message => 's-one', sessionId => 's1' }), 's-one', 'a session begins anew';
    is $shown->($account{bea}{key}, 'b-one'), 'b-one', 'and so does an account';
    is $shown->($account{max}{key}, 'm-one'), 'm-one', 'a manager too';
    is $shown->($account{bea}{key}, { message => 'bs-one', sessionId => 's1' }), 'bs-one', 'in a session of the same name';
    is $shown->($key, { message => 's-two', sessionId => 's1' }), 's-one s-two', 'each goes on';
    is $shown->($account{bea}{key}, 'b-two'), 'b-one b-two', 'by itself';
    is $shown->($key, 'three'), 'one two three', 'in its partition';
    insert('model', ['stopped', 'a half', 'stopped', 't'], ['failed', undef, 'failed', 'f'], ['open', 'x', 'open', 't'],
        ['refused', 'x', 'done', 'f']);
    is $shown->($key, 'four'), 'one two three stopped four', 'what was stopped is shown, what failed, is open or was refused is not';
    http($exedra, POST => '/v1/workspace/model/update', key => $key, json => { openAiHistory => 2 });
    is $shown->($key, 'five'), 'stopped four five', 'openAiHistory: the newest two';
    insert('model', map { ["n$_", 'a', 'done', 't'] } 1 .. 25);
    http($exedra, POST => '/v1/workspace/model/update', key => $key, json => { openAiHistory => 0 });
    is $shown->($key, 'six'), join(' ', (map { "n$_" } 6 .. 25), 'six'), 'openAiHistory 0 is twenty';
    is $shown->($key, { message => 'anew', reset => \1 }), 'anew', 'a reset takes all of it away';
    is $shown->($account{bea}{key}, 'b-three'), 'b-one b-two b-three', "but nobody else's";
    ok $asking->stop, 'exedra ends well';
};

# Contract, section 4.4: what has been said so far is taken away, and that is also what is being answered.
subtest 'a reset while a model answers' => sub {
    my $model = start_model(deltas => [map { "$_ " } 1 .. 8], pause => 0.2);
    my $asking = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'test-model' });
    workspace($asking, $key, 'Under way', chatMode => 'chat');
    my $stream = http_stream($asking, POST => '/v1/workspace/under-way/stream-chat', key => $key, json => { message => 'slow', sessionId => 's1' });
    like $stream->next->{data}, qr/textResponseChunk/, 'an answer has begun';
    is chat($asking, $key, 'under-way', { reset => \1, sessionId => 's1' })->{json}{textResponse}, 'Chat history was reset!', 'its session is reset';
    my @events = map { json_value($_->{data}) } $stream->events;
    is $events[-1]{type}, 'finalizeResponseStream', 'it comes to its end';
    is psql($db, "SELECT state, include, answer FROM exedra.chat WHERE id = $events[-1]{chatId}"), "done\tf\t" . join('', map { "$_ " } 1 .. 8), 'is on record, and stays reset';
    chat($asking, $key, 'under-way', { message => 'anew', sessionId => 's1' });
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ ($model->requests)[-1]{json}{messages} }], ['anew'], 'no model is shown it';
    ok $asking->stop, 'exedra ends well';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
