# Threads, AnythingLLM's endpoints 44 to 49: made, named, listed in their workspace and deleted; conversations of their own,
# whoever asks; and what is told where there is no such thread, or no such workspace.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Contract qw(plain shape_is %shape fingerprint);
use Exedra::Provider;

my $provider = start_provider();
my $db = database();
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $provider->{url}, 'llm.model' => 'good', drain => 10 });
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $key = $acme->{key};
my %account = map { $_->[0] => account($acme, @$_) } ['max', role => 'manager'], ['bea'], ['bob'];
my %id = map { $_ => psql($db, "SELECT id FROM exedra.account WHERE username = '$_'") } keys %account;
my @rooms = map { workspace($exedra, $key, $_, openAiPrompt => 'Be brief.', chatMode => 'chat') } qw(Hall Attic);
exedractl($db, qw(account grant acme), $_, 'hall') for qw(bea bob);
workspace($exedra, $beta->{key}, 'Hall');

my $thread = { id => 'int', name => 'string', slug => 'string', workspace_id => 'int', user_id => 'int?', createdAt => 'iso', lastUpdatedAt => 'iso' };

# A request to a thread's route, as acme's key: `/new`, `/SLUG/update` ...
sub call {
    my ($method, $path, $json, %with) = @_;
    return http($exedra, $method => '/v1/workspace/' . ($with{room} // 'hall') . "/thread$path", key => $with{key} // $key, defined $json ? (json => $json) : ());
}

sub new_thread {
    my ($json, %with) = @_;
    my $got = call(POST => '/new', $json, %with);
    return $got->{json}{thread} // die "thread/new: $got->{status} $got->{body}\n";
}

sub abort { return '{"id":"<uuid>","type":"abort","textResponse":null,"sources":[],"close":true,"error":' . json_text($_[0]) . '}' }

sub told {
    my ($got, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is "$got->{status} " . plain($got->{body}), "$status $body", $name;
}

subtest 'a new one' => sub {
    my $got = call(POST => '/new', {});
    is $got->{status}, 200, 'needs nothing';
    like plain($got->{body}), qr/^\{"thread":\{"id":<id>,"name":"Thread","slug":"<uuid>","workspace_id":<id>,"user_id":null,"createdAt":"<iso>","lastUpdatedAt":"<iso>"\},"message":null\}$/,
        'in the contract\'s order';
    shape_is($got->{json}{thread}, $thread, 'of the contract\'s shape');
    is $got->{json}{thread}{workspace_id}, $rooms[0]{id}, 'in its workspace';
    is call(POST => '/new')->{json}{thread}{name}, 'Thread', 'without any body';
    is call(POST => '/new', { name => undef, slug => undef, userId => undef })->{status}, 200, 'null is nothing';
    is new_thread({ name => "Gr\x{fc}\x{df}e \x{1f600}" })->{name}, "Gr\x{fc}\x{df}e \x{1f600}", 'with a name';
    is new_thread({ name => '' })->{name}, 'Thread', 'an empty one is none';
};

subtest 'slugs' => sub {
    my $uuid = qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    for (['My Thread Slug!', 'My-Thread-Slug-bang'], ['plain', 'plain'], ["Gr\x{fc}\x{df}e", 'Grusse'], ['a+b', 'a-plus-b'], ['x.y', 'x-dot-y'],
        ['  spaced   out ', 'spaced-out'], ['A--B', 'A-B'], ['under_score', 'under_score']) {
        my ($given, $slug) = @$_;
        is new_thread({ slug => $given })->{slug}, $slug, "'$given'";
    }
    like new_thread({ slug => $_ })->{slug}, $uuid, "'$_' is none: a uuid" for '', '::', "\x{6f22}";
    my $before = psql($db, 'SELECT count(*) FROM exedra.thread');
    for my $room (qw(hall attic)) {
        my $got = call(POST => '/new', { slug => 'plain' }, room => $room);
        is $got->{status}, 200, "$room: a slug that is taken: 200";
        is $got->{json}{thread}, undef, '… and no thread';
        like $got->{json}{message}, qr/\w/, '… but words';
        unlike $got->{json}{message}, qr/duplicate key|constraint|violates/, '… not the database\'s';
    }
    is psql($db, 'SELECT count(*) FROM exedra.thread'), $before, 'nothing was made';
    is new_thread({ slug => 'plain' }, key => $beta->{key})->{slug}, 'plain', 'another tenant\'s slug is not taken';
};

subtest 'whose' => sub {
    is new_thread({})->{user_id}, undef, 'nobody\'s by the tenant\'s key';
    is new_thread({ userId => 0 + $id{bea} })->{user_id}, $id{bea}, 'an account\'s that is named';
    is new_thread({}, key => $account{bea}{key})->{user_id}, $id{bea}, 'an account\'s own';
    is new_thread({ userId => 0 + $id{bob} }, key => $account{bea}{key})->{user_id}, $id{bea}, '… whoever is named';
    is new_thread({ userId => 0 + $id{bob} }, key => $account{max}{key})->{user_id}, $id{bob}, 'a manager may name another';
    is new_thread({ userId => 0 }, key => $_->[0])->{user_id}, $_->[1], 'userId 0 names nobody' for [$key, undef], [$account{max}{key}, $id{max}];
    # Contract, no. 44: the published example has userId 1, and programs send it to servers that have no accounts.
    exedractl($db, qw(setting set acme multi_user off));
    is new_thread({ userId => $_ })->{user_id}, undef, "userId $_ is nobody where multi_user is off" for 0 + $id{bea}, 999;
    exedractl($db, qw(setting set acme multi_user on));
    for my $unknown (999_999, -1, 9_007_199_254_740_993) {
        my $got = call(POST => '/new', { userId => $unknown });
        is $got->{status}, 200, "an unknown account $unknown";
        is $got->{json}{thread}, undef, '… makes no thread';
    }
    is call(POST => '/new', { userId => $_ })->{status}, 422, 'a wrong type: ' . json_text($_) for 'x', 1.5, [], {}, \1;
    is call(POST => '/new', { $_ => 7 })->{status}, 422, "$_ that is a number" for qw(name slug);
};

subtest 'in its workspace' => sub {
    my $room = workspace($exedra, $key, 'Shown')->{slug};
    my @made = (new_thread({ slug => 'one', name => 'First' }, room => $room), new_thread({ slug => 'two', userId => 0 + $id{bea} }, room => $room));
    my ($in_list) = grep { $_->{slug} eq $room } @{ http($exedra, GET => '/v1/workspaces', key => $key)->{json}{workspaces} };
    is_deeply $in_list->{threads}, [{ user_id => undef, slug => 'one', name => 'First' }, { user_id => $id{bea}, slug => 'two', name => 'Thread' }], 'in the list, with names';
    is_deeply http($exedra, GET => "/v1/workspace/$room", key => $key)->{json}{workspace}[0]{threads},
        [{ user_id => undef, slug => 'one' }, { user_id => $id{bea}, slug => 'two' }], 'in the workspace itself, without';
    exedractl($db, qw(account grant acme bea), $room);
    is_deeply [map { $_->{slug} } map { @{ $_->{threads} } } grep { $_->{slug} eq $room } @{ http($exedra, GET => '/v1/workspaces', key => $account{bea}{key})->{json}{workspaces} }],
        ['two'], 'an account sees its own';
    is call(DELETE => '/one', undef, room => $room)->{body}, 'OK', 'deleted';
    is_deeply [map { $_->{slug} } @{ http($exedra, GET => "/v1/workspace/$room", key => $key)->{json}{workspace}[0]{threads} }], ['two'], '… it is gone';
    http($exedra, DELETE => "/v1/workspace/$room", key => $key);
    is psql($db, "SELECT count(*) FROM exedra.thread WHERE slug IN ('one', 'two')"), 0, 'with its workspace all are';
};

subtest 'a new name' => sub {
    new_thread({ slug => 'named', name => 'Before' });
    my $got = call(POST => '/named/update', { name => 'After', slug => 'other', user_id => 7, workspace_id => 7, id => 7 });
    is $got->{status}, 200, 'is given';
    shape_is($got->{json}{thread}, $thread, 'of the contract\'s shape');
    is_deeply [@{ $got->{json}{thread} }{qw(name slug user_id workspace_id)}, $got->{json}{message}], ['After', 'named', undef, $rooms[0]{id}, undef], 'and nothing else changes';
    $got = call(POST => '/named/update', {});
    is "$got->{status} $got->{json}{thread}{name}", '200 After', 'without a name nothing does';
    is call(POST => '/named/update', { name => $_ })->{status}, 422, 'a name that is none: ' . json_text($_) for 7, [], {}, \1;
    is call(POST => '/named/update', { name => 'x' x 5000 })->{status}, 422, 'one that is too long';
};

# ---- conversations ----

# What the model was shown of a conversation for this question.
sub shown { return [map { $_->{content} } @{ $provider->last_request($_[0])->{json}{messages} }] }

sub history {
    my ($slug, %with) = @_;
    return call(GET => "/$slug/chats", undef, %with)->{json}{history};
}

subtest 'a conversation' => sub {
    new_thread({ slug => $_ }) for qw(talk aside);
    my $first = ask($exedra, 'chat', key => $key, slug => 'hall', thread => 'talk', message => 'T1');
    is $first->{status}, 200, 'asked in a thread';
    is_deeply [sort keys %{ $first->{json} }], [qw(chatId close error id metrics sources textResponse type)], 'the answer as elsewhere';
    is $first->{text}, $TEXT, 'and its text';
    my $second = ask($exedra, 'stream', key => $key, slug => 'hall', thread => 'talk', message => 'T2');
    is_deeply [$second->{status}, $second->{wrong}, $second->{text}], [200, undef, $TEXT], 'as a stream';
    ask($exedra, 'chat', key => $key, slug => 'hall', thread => 'aside', message => 'A1');
    ask($exedra, 'chat', key => $key, slug => 'hall', message => 'M1');
    ask($exedra, 'chat', key => $key, slug => 'hall', thread => 'talk', message => 'T3', body => { sessionId => 'ignored' });
    is_deeply shown('T3'), ['Be brief.', 'T1', $TEXT, 'T2', $TEXT, 'T3'], 'the model sees this thread';
    is_deeply shown('A1'), ['Be brief.', 'A1'], 'another thread is another conversation';
    is_deeply shown('M1'), ['Be brief.', 'M1'], 'the workspace\'s is another';
    my $history = history('talk');
    is_deeply [map { $_->{content} } @$history], ['T1', $TEXT, 'T2', $TEXT, 'T3', $TEXT], 'its history';
    is_deeply [map { $_->{chatId} } @$history[0, 2]], [$first->{id}, $second->{id}], 'with the ids that were told';
    shape_is($history->[0], $shape{history_user}, 'of the contract\'s shape');
    shape_is($history->[1], $shape{history_assistant}, 'both');
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ http($exedra, GET => '/v1/workspace/hall/chats', key => $key)->{json}{history} }], ['M1'],
        'the workspace\'s history has no threads';
    is_deeply history((new_thread({}))->{slug}), [], 'a new one is empty';
};

subtest 'acting as an account' => sub {
    new_thread({ slug => 'shared' });
    my $as = sub { ask($exedra, $_[0], key => $_[3] // $key, slug => 'hall', thread => 'shared', message => $_[1], body => { userId => $_[2] }) };
    $as->('chat', 'bea 1', 0 + $id{bea});
    $as->('chat', 'nobody 1', undef);
    $as->('stream', 'bea 2', 0 + $id{bea});
    $as->('chat', 'unknown 1', 999_999);
    $as->('chat', 'bob 1', 0 + $id{bob}, $account{max}{key});
    is_deeply shown('bea 2'), ['Be brief.', 'bea 1', $TEXT, 'bea 2'], 'an account goes on with its own';
    is_deeply shown('unknown 1'), ['Be brief.', 'nobody 1', $TEXT, 'unknown 1'], 'an unknown one is nobody';
    is_deeply shown('bob 1'), ['Be brief.', 'bob 1'], 'another begins';
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ history('shared') }], ['bea 1', 'nobody 1', 'bea 2', 'unknown 1', 'bob 1'], 'the history has all';
    is psql($db, "SELECT string_agg(coalesce(a.username, '-'), ' ' ORDER BY c.id) FROM exedra.chat c LEFT JOIN exedra.account a ON a.id = c.account_id
        WHERE c.prompt IN ('bea 1', 'nobody 1', 'unknown 1', 'bob 1')"), 'bea - - bob', 'each is on record as whose it is';
    $as->('chat', 'zero 1', 0, $account{max}{key});
    is psql($db, "SELECT a.username FROM exedra.chat c JOIN exedra.account a ON a.id = c.account_id WHERE c.prompt = 'zero 1'"), 'max', '0 names nobody';
    is call(POST => '/shared/chat', { message => 'x', userId => $_ })->{status}, 422, 'a wrong type: ' . json_text($_) for 'x', 1.5, [], {};
};

subtest 'reset' => sub {
    new_thread({ slug => $_ }) for qw(clean dirty);
    ask($exedra, 'chat', key => $key, slug => 'hall', thread => $_, message => "$_ 1") for qw(clean dirty);
    ask($exedra, 'chat', key => $key, slug => 'hall', message => 'main 1');
    my $got = call(POST => '/clean/chat', { reset => \1 });
    is plain($got->{body}), '{"id":"<uuid>","type":"textResponse","textResponse":"Chat history was reset!","sources":[],"close":true,"error":null,"metrics":{}}', 'alone';
    ask($exedra, 'chat', key => $key, slug => 'hall', thread => $_, message => "$_ 2") for qw(clean dirty);
    is_deeply shown('clean 2'), ['Be brief.', 'clean 2'], 'the thread begins anew';
    is_deeply shown('dirty 2'), ['Be brief.', 'dirty 1', $TEXT, 'dirty 2'], 'another does not';
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ history('clean') }], ['clean 2'], 'its history neither';
    ask($exedra, 'stream', key => $key, slug => 'hall', thread => 'dirty', message => 'dirty 3', body => { reset => \1 });
    is_deeply shown('dirty 3'), ['Be brief.', 'dirty 3'], 'reset and question at once';
    ask($exedra, 'chat', key => $key, slug => 'hall', message => 'main 2');
    is shown('main 2')->[-3], 'main 1', 'the workspace\'s own is as it was';
};

subtest 'the end of one' => sub {
    new_thread({ slug => 'doomed' });
    my $answer = ask($exedra, 'chat', key => $key, slug => 'hall', thread => 'doomed', message => 'last words');
    told(call(DELETE => '/doomed'), 200, 'OK', 'deleted');
    is psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt = 'last words'"), 0, 'its chats are gone';
    is psql($db, "SELECT count(*) FROM exedra.usage WHERE chat_id = $answer->{id}"), 1, 'the ledger is not';
    told(call(DELETE => '/doomed'), 200, 'OK', 'once more');
    told(call(GET => '/doomed/chats'), 404, '{"message":"Thread not found"}', 'it has no history');
    is new_thread({ slug => 'doomed' })->{slug}, 'doomed', 'its slug is free';
};

# ---- what is not there ----

my %unknown = (
    'workspace' => [[DELETE => '/x', undef, 400, 'Bad Request'], [POST => '/new', {}, 400, 'Bad Request'], [POST => '/x/update', { name => 'y' }, 404, '{"message":"Workspace not found"}'],
        [GET => '/x/chats', undef, 404, '{"message":"Workspace not found"}'], [POST => '/x/chat', { message => 'q' }, 404, abort('Workspace ROOM not found.')],
        [POST => '/x/stream-chat', { message => 'q' }, 400, abort('Workspace ROOM or thread x is not valid.')]],
    'thread' => [[DELETE => '/x', undef, 200, 'OK'], [POST => '/x/update', { name => 'y' }, 404, '{"message":"Thread not found"}'], [GET => '/x/chats', undef, 404, '{"message":"Thread not found"}'],
        [POST => '/x/chat', { message => 'q' }, 404, abort('Thread x not found.')], [POST => '/x/stream-chat', { message => 'q' }, 400, abort('Workspace ROOM or thread x is not valid.')]],
);

sub check_unknown {
    my ($what, $which, $room, %with) = @_;
    for (@{ $unknown{$which} }) {
        my ($method, $path, $json, $status, $body) = @$_;
        my $slug = $with{thread} // 'x';
        my $got = call($method => $path =~ s{^/x}{/$slug}r, $json, room => $room, %with);
        told($got, $status, $body =~ s/ROOM/$room/r =~ s/thread x\b|Thread x\b/my $word = substr $&, 0, -1; "$word$slug"/er, "$what: $method $path");
    }
}

subtest 'what is not there' => sub {
    new_thread({ slug => 'elsewhere' }, room => 'attic');
    new_thread({ slug => 'secret' }, key => $beta->{key});
    my $before = fingerprint($db);
    check_unknown('no such workspace', 'workspace', 'nowhere');
    check_unknown('no such thread', 'thread', 'hall');
    check_unknown('a thread of another workspace', 'thread', 'hall', thread => 'elsewhere');
    check_unknown('another tenant\'s thread', 'thread', 'hall', thread => 'secret');
    check_unknown('a workspace that one is not let into', 'workspace', 'attic', key => $account{bea}{key}, thread => 'elsewhere');
    check_unknown('another account\'s thread', 'thread', 'hall', key => $account{bea}{key}, thread => 'talk');
    check_unknown('another case', 'thread', 'hall', thread => 'TALK');
    is fingerprint($db), $before, 'nothing has changed';
};

subtest 'what is wrong with a question' => sub {
    my $before = fingerprint($db);
    for my $way (qw(chat stream-chat)) {
        told(call(POST => "/talk/$way", {}), 400, abort('Message is empty'), "$way: no message");
        told(call(POST => "/talk/$way", { message => '' }), 400, abort('Message is empty'), 'an empty one');
        told(call(POST => "/talk/$way", { message => 'x', mode => 'shout' }), 400, abort('shout is not a valid mode.'), 'no such mode');
        told(call(POST => "/talk/$way", { message => '', mode => 'shout' }), 400, abort('Message is empty'), 'the message first');
        my $status = $way eq 'chat' ? 404 : 400;
        is call(POST => "/x/$way", { message => '' })->{status}, $status, 'the thread before it';
        is call(POST => "/talk/$way", { message => '' }, room => 'nowhere')->{status}, $status, 'and the workspace';
    }
    is fingerprint($db), $before, 'nothing has changed';
};

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
ok $exedra->stop, 'exedra ends well';
done_testing;
