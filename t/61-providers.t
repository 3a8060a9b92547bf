# Who answers, with which key, and what it is told: tenants' providers, their sealed keys, the choice between them and the
# server's, the guard before addresses that a tenant names, the share of the threads that one provider may hold, and the request
# itself: temperature, parameters, images, history, prompt.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Hostile qw(allow_for);
use Exedra::Process qw(adopt);
use Exedra::Provider;
use IO::Socket::INET ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(time);

my $db = database();
my ($server, $other) = (start_provider(), start_provider());
my $dir = tmp_dir();
my ($secret, $wrong_secret) = map { "$dir/$_.key" } qw(secret wrong);
my ($conf, $wrong_conf) = map { write_settings("$dir/" . s{.*/}{}r . '.conf', { 'secret.file' => $_ }) } $secret, $wrong_secret;
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $key = $acme->{key};
my %settings = ('llm.url' => $server->{url}, 'llm.key' => 'sk-server', 'llm.model' => 'server-model', 'llm.provider' => 'house', 'llm.timeout.connect' => 2,
    'llm.timeout.first' => 20, 'llm.timeout.idle' => 20, drain => 10, 'secret.file' => $secret, 'outbound.allow' => '192.0.2.0/24 127.0.0.0/8');

# `exedractl provider set acme NAME URL ...`, the key by standard input as an administrator would.
sub set_provider {
    my ($name, $url, %with) = @_;
    my $ran = run([program('exedractl'), '-d', $db->conninfo('owner'), '-c', $with{conf} // $conf, qw(provider set), $with{tenant} // 'acme', $name, $url,
        (exists $with{key} ? ('--key', '-') : ()), map({ exists $with{$_} ? ("--$_", $with{$_}) : () } qw(model context)), $with{preferred} ? '--preferred' : ()],
        stdin => ($with{key} // '') . "\n");
    die "provider set: $ran->{err}\n" if $ran->{status};
}

set_provider('mine', $other->{url}, key => 'sk-mine-77secret', model => 'mine-model', context => 4096);
my $exedra = start_exedra(db => $db, settings => \%settings);
my $n = 0;

sub room {
    my (%fields) = @_;
    return workspace($exedra, $key, 'Room ' . ++$n, openAiPrompt => 'Be brief.', chatMode => 'chat', %fields)->{slug};
}

# Asks and returns the answer; `asked`, where the question went, with what.
sub told {
    my ($slug, %with) = @_;
    my $question = $with{message} // 'question ' . ++$n;
    my $answer = ask($with{server} // $exedra, $with{way} // 'chat', key => $with{key} // $key, slug => $slug, message => $question, %with);
    my @asked = map { my $where = $_; map { { %$_, who => $where == $server ? 'server' : 'other' } } $where->requests($question) } $server, $other;
    return { %$answer, asked => $asked[-1], times => scalar @asked };
}

subtest 'a sealed key' => sub {
    like slurp($secret), qr/^[0-9a-f]{64}\n$/, 'exedractl makes secret.file';
    is sprintf('%o', (stat $secret)[2] & 0777), '600', 'for its owner only';
    my $row = psql($db, q{SELECT p::text || encode(p.sealed_key, 'escape') FROM exedra.provider p WHERE name = 'mine'});
    unlike $row, qr/77secret/, 'the table does not hold the key';
    unlike $row, qr/@{[unpack 'H*', '77secret']}/, 'nor in hexadecimal';
    my $dump = run([program('pg_dump') // die("no pg_dump\n"), '-d', $db->conninfo('super')]);
    is $dump->{status}, 0, 'pg_dump';
    ok index($dump->{out}, 'mine-model') > 0 && index($dump->{out}, '77secret') < 0, '… does not hold it';
    my $listed = exedractl($db, qw(provider list acme));
    like $listed, qr/^mine\topenai\t\Q$other->{url}\E\tt\tmine-model\t4096\tf$/, 'the list says that there is one';
    my $got = told(room(chatProvider => 'mine'));
    is $got->{asked}{headers}{authorization}, 'Bearer sk-mine-77secret', 'the provider gets it';
    is $got->{asked}{json}{model}, 'mine-model', 'and its model';
    is told(room())->{asked}{headers}{authorization}, 'Bearer sk-server', 'the server\'s its own';
    set_provider('mine', $other->{url}, key => 'sk-mine-88secret', model => 'mine-model');
    is told(room(chatProvider => 'mine'))->{asked}{headers}{authorization}, 'Bearer sk-mine-88secret', 'a new one holds at once';
    set_provider('free', $other->{url});
    $got = told(room(chatProvider => 'free'));
    is $got->{status}, 200, 'a provider without a key';
    is $got->{asked}{headers}{authorization}, undef, '… gets none';
    ok index($exedra->log_text, '77secret') < 0, 'the log does not hold it';
};

subtest 'a key that cannot be read' => sub {
    set_provider('lost', $other->{url}, key => 'sk-lost', conf => $wrong_conf);
    my $slug = room(chatProvider => 'lost');
    my $before = $other->connections;
    for my $way (@WAYS) {
        my $got = told($slug, way => $way);
        is $got->{status}, $way =~ /^chat$|stream/ ? 500 : 502, "$way: another secret.file";
        is $got->{error}{message}, 'The key of the provider lost cannot be read.', '… is told';
        is $got->{times}, 0, '… and nobody asked';
    }
    like $exedra->log_text, qr/provider=lost .*secret\.file/, 'the log names the setting';
    psql($db, "UPDATE exedra.provider SET name = 'stolen' WHERE name = 'mine'");
    is told(room(chatProvider => 'stolen'))->{error}{message}, 'The key of the provider stolen cannot be read.', 'a row with another name';
    psql($db, "UPDATE exedra.provider SET name = 'mine', url = '$server->{url}' WHERE name = 'stolen'");
    is told(room(chatProvider => 'mine'))->{error}{message}, 'The key of the provider mine cannot be read.', 'with another address';
    psql($db, "UPDATE exedra.provider SET url = '$other->{url}' WHERE name = 'mine'; UPDATE exedra.provider SET sealed_key = '\\x00' WHERE name = 'lost'");
    is told($slug)->{error}{message}, 'The key of the provider lost cannot be read.', 'with another key';
    is $other->connections, $before, 'nobody is asked';
    is told(room(chatProvider => 'mine'))->{status}, 200, 'as it was, it is good';
    for my $case (['none', undef], ['an empty one', ''], ['a short one', 'ab' x 31], ['no hexadecimal', 'xy' x 32]) {
        my ($what, $text) = @$case;
        unlink "$dir/odd.key";
        spew("$dir/odd.key", $text) if defined $text;
        my $odd = start_exedra(db => $db, settings => { %settings, 'secret.file' => "$dir/odd.key" });
        is told($slug, server => $odd)->{error}{message}, 'The key of the provider lost cannot be read.', "secret.file is $what: a tenant's key cannot be read";
        is told(room(), server => $odd)->{status}, 200, '… and the server\'s provider answers';
        like $odd->log_text, qr/level=(?:warning|error) .*odd\.key/, '… and the log names the file' if defined $text;
        ok $odd->stop, '… and it ends well';
    }
};

subtest 'who answers' => sub {
    my $plain = room();
    my $got = told($plain);
    is_deeply [$got->{asked}{who}, $got->{asked}{json}{model}], ['server', 'server-model'], 'the server\'s, with its model';
    is_deeply [@{ $got->{metrics} }{qw(provider model)}], ['house', 'server-model'], 'the metrics name both';
    $got = told(room(chatModel => 'special'));
    is_deeply [$got->{asked}{who}, $got->{asked}{json}{model}], ['server', 'special'], 'with the workspace\'s model';
    $got = told(room(chatProvider => 'house'));
    is $got->{asked}{who}, 'server', 'by its name';
    $got = told(room(chatProvider => 'mine', chatModel => 'special'));
    is_deeply [$got->{asked}{who}, $got->{asked}{json}{model}, @{ $got->{metrics} }{qw(provider model)}], ['other', 'special', 'mine', 'special'], 'a tenant\'s, with the workspace\'s model';
    set_provider('best', $other->{url}, model => 'best-model', preferred => 1);
    is told($plain)->{asked}{json}{model}, 'best-model', 'the preferred one where none is named';
    is told(room(chatProvider => 'house'))->{asked}{who}, 'server', '… only there';
    set_provider('better', $other->{url}, model => 'better-model', preferred => 1);
    is told($plain)->{asked}{json}{model}, 'better-model', 'another is preferred';
    is psql($db, 'SELECT count(*) FROM exedra.provider WHERE preferred'), 1, '… instead of it';
    my $foreign = workspace($exedra, $beta->{key}, 'Beta', chatMode => 'chat')->{slug};
    is told($foreign, key => $beta->{key})->{asked}{who}, 'server', '… by this tenant only';
    exedractl($db, qw(provider delete acme better));
    is told($plain)->{asked}{who}, 'server', 'after its end the server\'s again';
    http($exedra, POST => "/v1/workspace/$plain/update", key => $key, json => { chatProvider => 'mine' });
    is told($plain)->{asked}{who}, 'other', 'a change holds at once';
    http($exedra, POST => "/v1/workspace/$plain/update", key => $key, json => { chatProvider => 'default' });
    is told($plain)->{asked}{who}, 'server', '… and back';
    set_provider('slash', "$other->{url}/", model => 'm');
    is told(room(chatProvider => 'slash'))->{asked}{target}, '/v1/chat/completions', 'a slash at the end of an address';
    set_provider('gateway', "$other->{url}/?api-version=2", model => 'm');
    is told(room(chatProvider => 'gateway'))->{asked}{target}, '/v1/chat/completions?api-version=2', 'a query stays at the end';
};

subtest 'nobody answers' => sub {
    my $slug = room(chatProvider => 'anthropic');
    http($exedra, POST => '/v1/workspace/new', key => $beta->{key}, json => { name => 'Thief', chatProvider => 'mine', chatMode => 'chat' });
    for my $way (@WAYS) {
        my $openai = $way =~ /^comp|chunks/;
        my $got = told($slug, way => $way);
        is $got->{status}, $openai ? 502 : 500, "$way: an unknown provider";
        is $got->{error}{message}, "The workspace's provider anthropic is not configured.", '… is told by its name';
        is $got->{times}, 0, '… and nobody asked';
        # contract/openai.md, 2 and 11.9: a permanent 5xx is marked, or an SDK asks three times.
        is $got->{headers}{'x-should-retry'}, 'false', '… and an SDK need not try again' if $openai;
        $got = told('thief', key => $beta->{key}, way => $way);
        is $got->{error}{message}, "The workspace's provider mine is not configured.", '… like another tenant\'s';
    }
    told($slug, message => 'anybody?');
    my $row = rows_of($db)->{'anybody?'}[0];
    is_deeply [@$row{qw(state reason)}], [qw(failed upstream_missing)], 'the question is on record as failed';
};

subtest 'a provider changes while it answers' => sub {
    set_provider('moving', $other->{url}, key => 'sk-old', model => 'say');
    my $slug = room(chatProvider => 'moving');
    my $stream = http_stream($exedra, POST => "/v1/workspace/$slug/stream-chat", key => $key, json => { message => 'say moving n=6 pause=0.05' });
    $stream->next;
    exedractl($db, qw(provider delete acme moving));
    is join('', map { $_->{json}{textResponse} // '' } $stream->events), join('', map { "moving-$_ " } 1 .. 5), 'the answer goes on to its end';
    is told($slug)->{error}{message}, "The workspace's provider moving is not configured.", 'the next one does not';
};

subtest 'addresses' => sub {
    my $port = $other->{port};
    my @local = ('127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0.0.0.0', '[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::]', '127.0.0.1.');
    set_provider("at $_", "http://$_:$port/v1", model => 'm') for @local;
    my %slug = map { $_ => room(chatProvider => "at $_") } @local;
    my $shut = start_exedra(db => $db, settings => { %settings, 'outbound.allow' => '10.0.0.0/8 192.0.2.0/24' });
    my $before = $other->connections;
    my @got = in_parallel(6, sub { my $got = told($slug{$_[0]}, server => $shut, way => 'completion'); { status => $got->{status}, code => $got->{error}{code} } }, @local);
    for my $i (0 .. $#local) {
        is $got[$i]{status}, 502, "$local[$i] is refused";
        like $got[$i]{code}, qr/^upstream_(?:forbidden|unreachable)$/, '… for what it is';
    }
    is $got[0]{code}, 'upstream_forbidden', 'loopback is forbidden';
    my $got = told($slug{'127.0.0.1'}, server => $shut);
    is $got->{error}{message}, 'The model\'s provider is at an address that is not permitted.', 'it is told so';
    is $got->{status}, 500, 'in the other dialect too';
    is $other->connections, $before, 'nobody was asked';
    # The server's own provider is the operator's word; a tenant that names the same address may not use the connections that
    # are kept to it.
    my @asked = map { told(room(), server => $shut, way => 'completion', message => "warm $_") } 1 .. 3;
    is_deeply [map { $_->{status} } @asked], [200, 200, 200], 'the server\'s own provider may be local';
    set_provider('thief', $server->{url}, model => 'm');
    my $thief = room(chatProvider => 'thief');
    is_deeply [map { told($thief, server => $shut, way => 'completion')->{status} } 1 .. 4], [502, 502, 502, 502], 'a tenant may not, though it is the same';
    $got = told(room(chatModel => 'json'), server => $shut, way => 'completion') for 1 .. 4;
    is_deeply [map { told($thief, server => $shut, way => 'completion')->{status} } 1 .. 4], [502, 502, 502, 502], '… even where a connection is kept';
    ok $shut->stop, 'it ends well';
    is told($slug{'127.0.0.1'})->{status}, 200, 'with outbound.allow it is asked';
};

# A provider that hangs holds half of the threads, and no more.
subtest 'threads' => sub {
    my $small = start_exedra(db => $db, settings => { %settings, processes => 1, threads => 16 });
    my ($hanging, $well) = (room(chatModel => 'silent'), room(chatProvider => 'mine'));
    my @open = map {
        my $connection = fcgi_open($small->{socket});
        $connection->send(Exedra::Hostile::request_bytes(POST => "/v1/workspace/$hanging/stream-chat", key => $key, json => { message => "hang $_" }, keep => 0));
        $connection;
    } 1 .. 8;
    wait_for { $server->lines('"hang ') == 8 } 10, 'eight calls';
    for my $way (@WAYS) {
        my $got = told($hanging, server => $small, way => $way);
        is $got->{status}, 503, "$way: the ninth call is refused";
        cmp_ok $got->{seconds} // 0, '<', allow_for(0.5), '… at once';
        is $got->{headers}{'retry-after'}, 1, '… with Retry-After';
        is $got->{error}{message}, 'Too many calls to this model\'s provider are under way.', '… and the reason';
        is $got->{times}, 0, '… and nobody asked';
        $got = told($well, server => $small, way => $way);
        is $got->{text}, $TEXT, 'another provider answers';
    }
    is http($small, GET => '/v1/auth', key => $key)->{status}, 200, 'other requests are served';
    (shift @open)->close;
    wait_for { told(room(chatModel => 'good'), server => $small)->{status} == 200 } 5, 'a place';
    pass 'one that ends makes room';
    $_->close for @open;
    wait_for { psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt LIKE 'hang %' AND state = 'stopped'") == 8 } 5, 'the end of all';
    my @again = in_parallel(8, sub { told(room(), server => $small, message => "again $_[0]")->{status} }, 1 .. 8);
    is_deeply \@again, [(200) x 8], 'all places are free again';
    ok $small->stop, 'it ends well';
};

# ---- what the provider is told ----

subtest 'the request' => sub {
    my $got = told(room())->{asked};
    is "$got->{method} $got->{target}", 'POST /v1/chat/completions', 'where it goes';
    like $got->{headers}{'content-type'}, qr{^application/json}, 'as JSON';
    is_deeply [sort keys %{ $got->{json} }], [qw(messages model stream stream_options)], 'nothing but what is needed';
    ok $got->{json}{stream_options}{include_usage}, 'with the wish for usage';
    ok $got->{json}{stream}, 'as a stream';
    is_deeply [map { $_->{role} } @{ $got->{json}{messages} }], [qw(system user)], 'the prompt and the question';
    unlike json_text($got), qr/\Q$key\E/, 'without the caller\'s key';
};

subtest 'temperature' => sub {
    my $warm = room(openAiTemp => 0.3);
    is told($warm)->{asked}{json}{temperature}, 0.3, 'the workspace\'s';
    is told($warm, way => 'completion', body => { temperature => 1.5 })->{asked}{json}{temperature}, 1.5, 'the request\'s before it';
    is told($warm, way => 'completion', body => { temperature => 0 })->{asked}{json}{temperature}, 0, 'none at all is one';
    is told(room(openAiTemp => 0))->{asked}{json}{temperature}, 0, 'of a workspace too';
    ok !exists told(room())->{asked}{json}{temperature}, 'else the model\'s own';
};

subtest 'parameters' => sub {
    my $slug = room();
    my %good = (max_tokens => 5, top_p => 0.5, presence_penalty => -1.5, frequency_penalty => 2, seed => -7, stop => ['a', 'b'], logit_bias => { 5 => -100 },
        response_format => { type => 'json_object' }, reasoning_effort => 'low', parallel_tool_calls => \0, tool_choice => 'auto',
        tools => [{ type => 'function', function => { name => 'f', parameters => { type => 'object', properties => {} } } }]);
    my $asked = told($slug, way => 'completion', body => \%good)->{asked}{json};
    is_deeply $asked->{$_}, ref $good{$_} eq 'SCALAR' ? JSON::PP::false() : $good{$_}, $_ for sort keys %good;
    is told($slug, way => 'completion', body => { stop => 'x' })->{asked}{json}{stop}, 'x', 'stop as a string';
    my %null = map { $_ => undef } keys %good, qw(temperature n stream_options stream logprobs);
    my $got = told($slug, way => 'completion', body => \%null);
    is $got->{status}, 200, 'null is as good as nothing';
    is_deeply [sort keys %{ $got->{asked}{json} }], [qw(messages model stream stream_options)], '… and goes nowhere';
    # Programs say so whether they have tools or not; services refuse it without any.
    for my $none ({}, { tools => [] }, { tools => undef }) {
        for my $choice ('auto', 'none') {
            my $said = { %$none, tool_choice => $choice, parallel_tool_calls => \1 };
            is_deeply [sort keys %{ told($slug, way => 'completion', body => $said)->{asked}{json} }], [qw(messages model stream stream_options)], 'no tools, and nothing of them: ' . json_text($said);
        }
    }
    is told($slug, way => 'completion', body => { tools => [], tool_choice => 'required' })->{asked}{json}{tool_choice}, 'required', 'who wants a tool to be called is not heard wrong';
    my $two = told($slug, way => 'completion', body => { max_tokens => 5, max_completion_tokens => 7 })->{asked}{json};
    # contract/openai.md, 11.14: treat as one; OpenAI's own service refuses both.
    is scalar(grep { exists $two->{$_} } qw(max_tokens max_completion_tokens)), 1, 'the two names of one limit go as one';
    my %unread = (user => 'me', metadata => { a => ['"', {}] }, top_k => 40, chat_template_kwargs => { enable_thinking => \0 });
    my %never = (unheard_of => [1], api_base => 'http://127.0.0.1:1', base_url => 'x', api_key => 'x', extra_body => { model => 'x' }, fallbacks => ['x'], extra_headers => {});
    $got = told($slug, way => 'completion', body => { %unread, %never });
    is $got->{status}, 200, 'what is unknown is ignored';
    is_deeply [sort keys %{ $got->{asked}{json} }], [sort qw(messages model stream stream_options), keys %unread], 'what services and servers know besides is passed on, nothing else';
    is_deeply $got->{asked}{json}{metadata}, $unread{metadata}, 'as it is';
};

subtest 'images' => sub {
    my $slug = room();
    my @url = map { "data:image/png;base64,AAA$_" } 0 .. 2;
    my $asked = told($slug, body => { attachments => [map { { name => 'x.png', mime => 'image/png', contentString => $_ } } @url[0, 1]] }, message => 'what are these?')->{asked}{json};
    is_deeply $asked->{messages}[-1], { role => 'user', content => [{ type => 'text', text => 'what are these?' }, map { { type => 'image_url', image_url => { url => $_ } } } @url[0, 1]] },
        'attachments of a chat';
    my $history = http($exedra, GET => "/v1/workspace/$slug/chats", key => $key)->{json}{history};
    is $history->[0]{attachments}[1]{contentString}, $url[1], '… are kept with it';
    # contract/anythingllm.md, 4.3: earlier questions go "with their attachments".
    $asked = told($slug, message => 'and now?')->{asked}{json};
    is_deeply [map { ref $_->{content} ? scalar @{ $_->{content} } : 1 } @{ $asked->{messages} }], [1, 3, 1, 1], '… and go to the model again with the history';
    my $parts = [{ type => 'text', text => 'compare' }, { type => 'image_url', image_url => { url => $url[2], detail => 'low' } },
        { type => 'input_audio', input_audio => { data => 'AAAA', format => 'wav' } }, { type => 'text', text => 'these' }];
    $asked = told($slug, way => 'completion', message => 'compare', messages => [{ role => 'user', content => $parts }])->{asked}{json};
    is_deeply $asked->{messages}[-1]{content}, $parts, 'parts of a message as they came';
    is psql($db, "SELECT prompt FROM exedra.chat ORDER BY id DESC LIMIT 1"), "compare\nthese", 'their text is the question on record';
};

subtest 'history' => sub {
    my $slug = room(openAiHistory => 2);
    told($slug, message => "first $_") for 1 .. 3;
    told(room(), message => 'elsewhere');
    told($slug, message => 'in a session', body => { sessionId => 's' });
    is_deeply [map { "$_->{role}: $_->{content}" } @{ told($slug, message => 'now')->{asked}{json}{messages} }],
        ['system: Be brief.', 'user: first 2', "assistant: $TEXT", 'user: first 3', "assistant: $TEXT", 'user: now'], 'the newest, oldest first, of this conversation only';
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ told($slug, message => 'again', body => { sessionId => 's' })->{asked}{json}{messages} }],
        ['in a session', 'again'], 'a session has its own';
    my $long = room(openAiHistory => 0);
    told($long, message => "long $_") for 1 .. 22;
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ told($long, message => 'end')->{asked}{json}{messages} }],
        [(map { "long $_" } 3 .. 22), 'end'], 'a length of 0 counts as 20';
    my $faulty = room(chatModel => 'fin-at-once');
    told($faulty, message => 'fails');
    http($exedra, POST => "/v1/workspace/$faulty/update", key => $key, json => { chatModel => 'fin' });
    told($faulty, message => 'breaks off');
    http($exedra, POST => "/v1/workspace/$faulty/update", key => $key, json => { chatModel => 'good' });
    is_deeply [map { $_->{content} } @{ told($faulty, message => 'well')->{asked}{json}{messages} }], ['Be brief.', 'breaks off', 'One two three', 'well'],
        'what failed is left out, what was cut short is there';
    http($exedra, POST => "/v1/workspace/$faulty/chat", key => $key, json => { reset => \1 });
    is_deeply [map { $_->{content} } @{ told($faulty, message => 'fresh')->{asked}{json}{messages} }], ['Be brief.', 'fresh'], 'a reset is the end of it';
};

subtest 'the prompt' => sub {
    my $bob = account($acme, 'bob', role => 'manager');
    psql($db, "UPDATE exedra.account SET bio = 'likes {date}' WHERE username = 'bob'");
    my $slug = room(openAiPrompt => '{workspace.name}|{workspace.id}|{user.name}|{user.id}|{user.bio}|{date}|{time}|{time_24}|{datetime}|{datetime_24}|{unknown}|{}|{ date}|{{date}}|{');
    my ($id, $bob_id) = (psql($db, "SELECT id FROM exedra.workspace WHERE slug = '$slug'"), psql($db, "SELECT id FROM exedra.account WHERE username = 'bob'"));
    my $name = psql($db, "SELECT name FROM exedra.workspace WHERE slug = '$slug'");
    my $prompt = told($slug, key => $bob->{key})->{asked}{json}{messages}[0]{content};
    my ($date, $time, $time_24) = (qr/[A-Z][a-z]+ \d{1,2}, 20\d\d/, qr/\d\d:\d\d:\d\d [AP]M/, qr/\d\d:\d\d:\d\d/);
    like $prompt, qr/^\Q$name\E\|$id\|bob\|$bob_id\|likes \{date\}\|$date\|$time\|$time_24\|$date $time\|$date $time_24\|\{unknown\}\|\{\}\|\{ date\}\|\{$date\}\|\{$/, 'variables';
    like told($slug)->{asked}{json}{messages}[0]{content}, qr/^\Q$name\E\|$id\|\|\|\|/, 'without an account those of the user are empty';
    my @given = ({ role => 'system', content => 'Only I.' }, { role => 'user', content => 'given' });
    is_deeply told($slug, way => 'completion', message => 'given', messages => \@given)->{asked}{json}{messages}, \@given, 'a system message replaces it';
    is told(room(openAiPrompt => ''), message => 'bare')->{asked}{json}{messages}[0]{role}, 'system', 'no prompt of its own: the default one';
};

# Twelve megabytes over a line that takes more than llm.timeout.first for them.
subtest 'a slow line' => sub {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die "no port: $!\n";
    setsockopt $listen, SOL_SOCKET, SO_RCVBUF, 1 << 16;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my ($in, $socket) = ('', $listen->accept);
        while ($in !~ /Content-Length: (\d+).*?\r\n\r\n/s || length($in) < $1) {
            sysread $socket, $in, 1 << 16, length $in or last;
            select undef, undef, undef, 0.03;
        }
        syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"seen\"},\"finish_reason\":\"stop\"}]}";
        POSIX::_exit(0);
    }
    adopt($pid, 'slow line');
    my $slow = start_exedra(db => $db, settings => { %settings, 'llm.url' => 'http://127.0.0.1:' . $listen->sockport . '/v1', 'llm.timeout.first' => 4 });
    my $got = told(room(), server => $slow, body => { attachments => [{ name => 'a.png', mime => 'image/png', contentString => 'data:image/png;base64,' . 'A' x (12 << 20) }] });
    is $got->{text}, 'seen', 'a question that is still under way has not timed out' or diag $got->{raw};
    cmp_ok $got->{seconds}, '>', 4, '… though it takes longer than the answer may';
    ok $slow->stop, 'exedra ends well';
};

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
ok $exedra->stop, 'exedra ends well';
done_testing;
