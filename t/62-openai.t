# OpenAI's dialect, under /v1 and /v1/openai and with /api before either: models, completions and chunks as the official SDKs want
# them (contract/openai.md and its check list), what the model is asked, what is on record, and what is refused.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Contract qw(plain fingerprint);
use Exedra::Hostile qw(allow_for peak_kb);
use Exedra::Provider;
use Time::HiRes qw(time);

need('nginx');

my $provider = start_provider();
my $db = database();
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $provider->{url}, 'llm.model' => 'team/super model', 'llm.provider' => 'house',
    'llm.timeout.idle' => 5, 'stream.keepalive' => 1, drain => 10 });
my $nginx = start_nginx(exedra => $exedra);
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $key = $acme->{key};
my $bea = account($acme, 'bea');
my $n = 0;

sub room { return workspace($exedra, $key, $_[0], openAiPrompt => 'Be brief.', chatMode => 'chat', chatModel => 'good', @_[1 .. $#_])->{slug} }

my $slug = room('Hall');
room('Attic');
exedractl($db, qw(account grant acme bea hall));
workspace($exedra, $beta->{key}, 'Cellar');

# A completion's request; `prefix` /v1 by default.
sub post {
    my ($body, %with) = @_;
    return http($with{server} // $exedra, POST => ($with{prefix} // '/v1') . '/chat/completions', key => $key, json => $body, %with);
}

sub user { return { role => 'user', content => $_[0] } }

# The frames of a stream: { frames (as text), body (all bytes), status, headers, seconds }.
sub frames {
    my ($body, %with) = @_;
    my $stream = http_stream($with{server} // $exedra, POST => ($with{prefix} // '/v1') . '/chat/completions', key => $key, json => { stream => \1, %$body }, %with);
    my ($status, $headers) = @$stream{qw(status headers)};
    my $all = $stream->rest(30);
    return { status => $status, headers => $headers, body => $all, frames => [map { s/^data: //r } grep { /^data: / } split /\n\n/, $all], whole => $stream->{whole} };
}

sub chunks { return [map { json_value($_) } grep { $_ ne '[DONE]' } @{ $_[0]{frames} }] }

my @prefixes = qw(/v1 /api/v1 /v1/openai /api/v1/openai);

# ---- models ----

subtest 'models' => sub {
    for my $prefix (@prefixes) {
        my $got = http($exedra, GET => "$prefix/models", key => $key);
        is $got->{status}, 200, "$prefix/models";
        is $got->{headers}{'content-type'}, 'application/json; charset=utf-8', '… is JSON';
        ok $got->{headers}{'x-request-id'}, '… with its id';
        is $got->{json}{object}, 'list', '… a list';
        is_deeply [map { $_->{id} } @{ $got->{json}{data} }], ['hall', 'attic', $prefix =~ /openai/ ? () : 'team/super model'], '… of the workspaces, and the server\'s own model';
        is_deeply [grep { $_->{object} ne 'model' || $_->{created} !~ /^\d+$/ || $_->{owned_by} ne 'house' } @{ $got->{json}{data} }], [], '… each with its members';
        cmp_ok abs($got->{json}{data}[0]{created} - time), '<', 600, '… made now';
    }
    is_deeply [map { $_->{id} } @{ http($exedra, GET => '/v1/models', key => $bea->{key})->{json}{data} }], ['hall', 'team/super model'], 'an account sees its own';
    is_deeply [map { $_->{id} } @{ http($exedra, GET => '/v1/models', key => $beta->{key})->{json}{data} }], ['cellar', 'team/super model'], 'another tenant its own';
    is_deeply http($exedra, GET => '/v1/models?after=hall&limit=1', key => $key)->{json}, http($exedra, GET => '/v1/models', key => $key)->{json}, 'there are no pages';
};

subtest 'one model' => sub {
    for (['hall', 'hall'], ['team%2Fsuper%20model', 'team/super model'], ['team/super%20model', 'team/super model'], ['%68all', 'hall'], ['hall/', 'hall']) {
        my ($path, $id) = @$_;
        for my $server ($exedra, $nginx) {
            my $got = http($server, GET => "/v1/models/$path", key => $key);
            is $got->{status}, 200, "$path by $server->{name}";
            is $got->{json}{id}, $id, "… is $id";
            is $got->{json}{object}, 'model', '… a model';
        }
    }
    for my $path (qw(nowhere cellar Hall hall%2F team team%2Fsuper hall/chats %27 x%2Fy%2Fz)) {
        my $got = http($exedra, GET => "/v1/models/$path", key => $key);
        (my $id = $path) =~ s/%(..)/chr hex $1/ge;
        is_deeply [$got->{status}, $got->{json}{error}], [404, { message => "The model '$id' does not exist", type => 'invalid_request_error', param => 'model', code => 'model_not_found' }],
            "$path is unknown";
    }
    is http($exedra, GET => '/v1/models/attic', key => $bea->{key})->{status}, 404, 'as is one that an account is not let into';
    is http($exedra, GET => "/v1/openai/models/hall", key => $key)->{status}, 404, 'AnythingLLM has no such call';
};

# ---- completions ----

subtest 'a completion' => sub {
    for my $prefix (@prefixes) {
        my $got = post({ model => $slug, messages => [user("whole $prefix")] }, prefix => $prefix);
        is $got->{status}, 200, $prefix;
        is $got->{headers}{'content-type'}, 'application/json; charset=utf-8', 'JSON';
        ok $got->{headers}{'x-request-id'}, 'with its id';
        my $json = $got->{json};
        like $json->{id}, qr/^chatcmpl-[0-9a-f-]{36}$/, 'id';
        is_deeply [@$json{qw(object model)}], ['chat.completion', $slug], 'object and model';
        cmp_ok abs($json->{created} - time), '<', 60, 'created';
        like $got->{body}, qr/"created":\d+,/, '… a whole number';
        is_deeply $json->{choices}, [{ index => 0, message => { role => 'assistant', content => $TEXT, refusal => undef }, logprobs => undef, finish_reason => 'stop' }], 'the choice';
        my $native = $prefix =~ /openai/;
        is_deeply [@{ $json->{usage} }{qw(prompt_tokens completion_tokens total_tokens)}], [7, 5, 12], 'usage';
        is_deeply [sort keys %{ $json->{usage} }], [$native ? qw(completion_tokens duration model outputTps prompt_tokens provider timestamp total_tokens) : qw(completion_tokens prompt_tokens total_tokens)],
            $native ? '… with AnythingLLM\'s members' : '… and no more';
        is_deeply $json->{sources}, [], 'sources beside the choices';
    }
};

subtest 'chunks' => sub {
    for my $prefix (@prefixes) {
        my $native = $prefix =~ /openai/;
        for my $usage (0, 1) {
            my $got = frames({ model => $slug, messages => [user('in chunks')], $usage ? (stream_options => { include_usage => \1 }) : () }, prefix => $prefix);
            my $name = "$prefix, usage $usage";
            is $got->{status}, 200, $name;
            is $got->{headers}{'content-type'}, 'text/event-stream; charset=utf-8', 'an event stream';
            is $got->{headers}{'cache-control'}, 'no-cache', '… that nobody keeps';
            ok $got->{headers}{'x-request-id'}, '… with its id';
            ok $got->{whole}, '… that ends as it should';
            like $got->{body}, qr/\n\ndata: \[DONE\]\n\n\z/, '… with [DONE]';
            unlike $got->{body}, qr/^(?:event|id|retry):/m, '… and nothing but data';
            my @chunks = @{ chunks($got) };
            my %head = map { join(' ', @$_{qw(id object created model)}) => 1 } @chunks;
            is_deeply [map { s/^chatcmpl-\S+ (\S+) \d+ /<id> $1 <created> /r } keys %head], ["<id> chat.completion.chunk <created> $slug"], 'all chunks are of one answer';
            is_deeply [grep { ref $_->{choices} ne 'ARRAY' } @chunks], [], 'all have choices';
            is_deeply $chunks[0]{choices}, [{ index => 0, delta => { role => 'assistant', content => '', refusal => undef }, logprobs => undef, finish_reason => undef }], 'the role first';
            is scalar(grep { $_->{choices}[0] && exists $_->{choices}[0]{delta}{role} } @chunks), 1, '… once';
            is join('', map { $_->{choices}[0]{delta}{content} // '' } grep { @{ $_->{choices} } } @chunks), $TEXT, 'the text';
            my ($finish) = grep { $_->{choices}[0] && defined $_->{choices}[0]{finish_reason} } @chunks;
            is_deeply $finish->{choices}, [{ index => 0, delta => { content => '' }, logprobs => undef, finish_reason => 'stop' }], 'the finish';
            is_deeply $finish->{sources}, [], '… with the sources';
            is scalar(grep { exists $_->{sources} } @chunks), 1, '… and only there';
            if ($usage) {
                is_deeply [grep { !exists $_->{usage} || defined $_->{usage} } @chunks[0 .. $#chunks - 1]], [], 'usage is null';
                is_deeply $chunks[-1]{choices}, [], '… up to a chunk of its own';
                is $chunks[-1]{usage}{total_tokens}, 12, '… that tells it';
            } else {
                is_deeply [grep { exists $_->{usage} } @chunks[0 .. $#chunks - 1]], [], 'no word of usage';
                is $chunks[-1]{usage}{total_tokens}, $native ? 12 : undef, $native ? '… but in the finish, as AnythingLLM has it' : '… at all';
                is scalar(@{ $chunks[-1]{choices} }), 1, 'no chunk without a choice';
            }
        }
    }
    for my $false (undef, \0) {
        is post({ model => $slug, messages => [user('not in chunks')], stream => $false })->{json}{object}, 'chat.completion', 'stream: ' . json_text($false);
    }
};

subtest 'while the model is silent' => sub {
    room('Slow', chatModel => 'say');
    my $question = sub { return { model => 'slow', messages => [user("say $_[0] n=3 first=$_[1] pause=1.3")] } };
    my @got = in_parallel(2, sub { frames($question->("slow$_[0]", 2.5), server => $_[0] ? $nginx : $exedra) }, 0, 1);
    for my $got (@got) {
        my $comments = () = $got->{body} =~ /^: keep-alive$/mg;
        cmp_ok $comments, '>=', 3, 'comments say that it lives';
        like $got->{body}, qr/\A: keep-alive\n\n/, '… before its first word too';
        is_deeply [grep { !/^(?::|data:)/ } split /\n\n/, $got->{body}], [], '… and nothing else does';
        like $got->{body}, qr/"finish_reason":"stop"/, 'then it ends well';
    }
    # Services that send comments of their own while they think are no less silent to the client.
    room('Alive', chatModel => 'alive:4');
    @got = in_parallel(2, sub { frames({ model => 'alive', messages => [user("alive $_[0]")] }, server => $_[0] ? $nginx : $exedra) }, 0, 1);
    for my $got (@got) {
        my $comments = () = $got->{body} =~ /^: keep-alive$/mg;
        cmp_ok $comments, '>=', 2, 'the provider has comments only: ours go on';
        like $got->{body}, qr/\A: keep-alive\n\n.*"finish_reason":"stop"/s, '… from before the first word, up to the end';
    }
};

# The provider has said [DONE] and keeps its answer open: the client does not wait for it, or for a moment only.
subtest 'the end' => sub {
    room('Lingers', chatModel => 'done-hang');
    for my $server ($exedra, $nginx) {
        my $began = time;
        my $got = frames({ model => 'lingers', messages => [user("end $server->{name}")] }, server => $server);
        like $got->{body}, qr/data: \[DONE\]\n\n\z/, "$server->{name}: [DONE]";
        cmp_ok time - $began, '<', allow_for(1.5), '… and the end of the body at once';
    }
    # Or it has only said how the answer ended; llm.timeout.idle is five seconds here.
    room('Forgetful', chatModel => 'finish-hang');
    my $began = time;
    my $got = frames({ model => 'forgetful', messages => [user('no [DONE]')] });
    like $got->{body}, qr/"finish_reason":"stop".*data: \[DONE\]\n\n\z/s, 'without its [DONE] there is ours';
    cmp_ok time - $began, '<', allow_for(4.5), '… within a few seconds';
};

# ---- what the model is asked, what is on record ----

sub asked { return $provider->last_request($_[0])->{json} }

subtest 'messages' => sub {
    my @given = (user('one'), { role => 'assistant', content => 'ONE' }, user('two'), { role => 'assistant', content => undef,
        tool_calls => [{ id => 'c1', type => 'function', function => { name => 'f', arguments => '{"a":1}' } }] },
        { role => 'tool', tool_call_id => 'c1', content => 'result' }, { role => 'user', name => 'ann', content => 'three' });
    my $got = post({ model => $slug, messages => \@given });
    is $got->{status}, 200, 'a conversation';
    is_deeply asked('three')->{messages}, [{ role => 'system', content => 'Be brief.' }, @given], 'goes to the model as it came, behind the prompt';
    post({ model => $slug, messages => [user('four')] });
    is_deeply asked('four')->{messages}, [{ role => 'system', content => 'Be brief.' }, user('four')], 'what is on record is not added';
    ask($exedra, 'chat', key => $key, slug => $slug, message => 'five');
    is_deeply [map { $_->{content} } @{ asked('five')->{messages} }[-4 .. -1]], [$TEXT =~ s/.*/$TEXT/sr, 'four', $TEXT, 'five'], 'but AnythingLLM\'s chat knows it';
    my $history = http($exedra, GET => "/v1/workspace/$slug/chats?limit=1&orderBy=desc", key => $key)->{json}{history};
    is_deeply [map { $_->{content} } @$history], ['five', $TEXT], 'its history too';
    my @tool = (user('six'), { role => 'assistant', content => '', tool_calls => [{ id => 'c2', type => 'function', function => { name => 'f', arguments => '{}' } }] },
        { role => 'tool', tool_call_id => 'c2', content => 'six of it' });
    is post({ model => $slug, messages => \@tool })->{status}, 200, 'the result of a tool at the end';
    is_deeply [map { $_->{content} } @{ asked('six of it')->{messages} }], ['Be brief.', 'six', '', 'six of it'], '… goes to the model';
    is psql($db, 'SELECT prompt FROM exedra.chat ORDER BY id DESC LIMIT 1'), 'six', '… the question is the user\'s';
    is post({ model => $slug, messages => \@tool }, prefix => '/v1/openai')->{status}, 400, '… but not in AnythingLLM\'s';
};

subtest 'system messages' => sub {
    my $system = sub { [map { $_->{content} } grep { $_->{role} =~ /system|developer/ } @{ asked($_[0])->{messages} }] };
    for (['one', 'system'], ['a developer\'s', 'developer']) {
        my ($what, $role) = @$_;
        post({ model => $slug, messages => [{ role => $role, content => "Be $role." }, user("by $role")] });
        is_deeply $system->("by $role"), ["Be $role."], "$what replaces the prompt";
    }
    post({ model => $slug, messages => [{ role => 'system', content => [{ type => 'text', text => 'In parts.' }] }, user('by parts')] });
    is_deeply $system->('by parts'), ['In parts.'], 'in parts';
    post({ model => $slug, messages => [{ role => 'system', content => '' }, user('by nothing')] });
    is_deeply $system->('by nothing'), ['Be brief.'], 'an empty one does not';
    post({ model => $slug, messages => [{ role => 'system', content => 'It is {date}.' }, user('by variable')] });
    is_deeply $system->('by variable'), ['It is {date}.'], 'its braces are its own: variables are the workspace\'s prompt\'s';
};

# What front ends send that go on with an answer, put instructions behind the question, or have instructions only.
subtest 'whoever speaks last' => sub {
    my ($system, $answer) = map { my $role = $_; sub { return { role => $role, content => $_[0] } } } qw(system assistant);
    # [what, messages, how many of them come before the rest and are joined, the question, what /v1/openai says]
    my @cases = (
        ['an answer to go on with', [user('tell 1'), $answer->('Once 1')], 0, 'tell 1', 400],
        ['instructions behind the question', [$system->('First.'), user('tell 2'), $answer->('Twice.'), user('again 2'), $system->('Be short 2.')], 1, 'again 2', 200],
        ['instructions in the midst', [user('tell 3'), $system->('Change 3.'), user('and 3')], 0, 'and 3', 200],
        ['instructions only', [$system->('Name a colour, 4.')], 0, 'Name a colour, 4.', 400],
        ['more of them', [$system->('One 5.'), $system->('Two 5.'), $system->('Three 5.')], 2, 'Three 5.', 400],
        ['an answer only', [$answer->('It was 6')], 0, 'It was 6', 400],
    );
    for my $case (@cases) {
        my ($what, $messages, $n, $question, $native) = @$case;
        my $got = post({ model => $slug, messages => $messages });
        is $got->{status}, 200, $what or diag $got->{body};
        my $prompt = $n == 0 ? 'Be brief.' : join "\n\n", map { $_->{content} } @$messages[0 .. $n - 1];
        is_deeply asked($messages->[-1]{content})->{messages}, [$system->($prompt), @$messages[$n .. $#$messages]], '… goes to the model in its order';
        is psql($db, 'SELECT prompt FROM exedra.chat ORDER BY id DESC LIMIT 1'), $question, '… and the question is on record';
        is post({ model => $slug, messages => $messages }, prefix => '/v1/openai')->{status}, $native, '… under /v1/openai as AnythingLLM has it';
    }
};

subtest 'the server\'s own model' => sub {
    my $model = 'team/super model';
    for my $who ([$key, 'the tenant'], [$bea->{key}, 'an account'], [$beta->{key}, 'another tenant']) {
        my $question = "straight, $who->[1]";
        my $got = post({ model => $model, messages => [{ role => 'system', content => 'Mine.' }, user($question)], temperature => 0.5 }, key => $who->[0]);
        is $got->{status}, 200, "$who->[1] may ask it";
        is_deeply [$got->{json}{model}, $got->{json}{choices}[0]{message}{content}], [$model, $TEXT], 'it answers';
        is_deeply [@{ asked($question) }{qw(model temperature messages)}], [$model, 0.5, [{ role => 'system', content => 'Mine.' }, user($question)]], 'it is asked what came';
    }
    post({ model => $model, messages => [user('no system')] });
    is_deeply asked('no system')->{messages}, [user('no system')], 'no prompt of ours';
    is psql($db, "SELECT string_agg(concat_ws(' ', workspace_id, state, origin, include), ',' ORDER BY id) FROM exedra.chat WHERE prompt LIKE 'straight, %'"),
        join(',', ('done openai t') x 3), 'all are on record, of no workspace';
    is psql($db, "SELECT count(*) FROM exedra.usage u JOIN exedra.chat c ON c.id = u.chat_id WHERE c.prompt LIKE 'straight, %'"), 3, 'and in the ledger';
    my $got = frames({ model => $model, messages => [user('straight in chunks')] });
    is join('', map { $_->{choices}[0]{delta}{content} // '' } @{ chunks($got) }), $TEXT, 'in chunks';
    is post({ model => $model, messages => [user('x')] }, prefix => '/v1/openai')->{status}, 401, 'AnythingLLM\'s does not know it';
    is post({ model => 'quote', messages => [user('x')] })->{status}, 404, 'quote is no model where there is another';
};

subtest 'sources' => sub {
    my $library = room('Library');
    document($exedra, $key, 'whale.txt', 'The blue whale is the largest animal.', $library);
    my $got = post({ model => $library, messages => [user('How large is the blue whale?')] });
    is scalar @{ $got->{json}{sources} }, 1, 'beside the choices';
    is $got->{json}{sources}[0]{title}, 'whale.txt', '… the document';
    like asked('How large is the blue whale?')->{messages}[0]{content}, qr/^Be brief\.\nContext:\n\[CONTEXT 0\]:\n.*largest animal.*\n\[END CONTEXT 0\]\n\n$/s, 'the model is shown it';
    my $chunks = chunks(frames({ model => $library, messages => [user('How large is the blue whale?')] }));
    my ($with) = grep { exists $_->{sources} } @$chunks;
    is_deeply [map { $_->{title} } @{ $with->{sources} }], ['whale.txt'], 'in the chunk';
    is $with->{choices}[0]{finish_reason}, 'stop', '… that has the finish';
    is_deeply $with->{sources}, $got->{json}{sources}, '… the same';
    $got = post({ model => $library, messages => [user('How large is the blue whale?')] }, prefix => '/v1/openai');
    is scalar @{ $got->{json}{sources} // [] }, 1, 'in AnythingLLM\'s too';
};

subtest 'query mode' => sub {
    room('Query', chatMode => 'query', queryRefusalResponse => 'Not in the books.');
    document($exedra, $key, 'q.txt', 'Cucumbers are green.', 'query');
    room('Bare', chatMode => 'query');
    my $before = scalar(() = $provider->requests);
    for my $case (['query', 'unrelated?', 'Not in the books.'], ['bare', 'anything?', 'There is no relevant information in this workspace to answer your query.']) {
        my ($model, $question, $refusal) = @$case;
        for my $prefix (qw(/v1 /v1/openai)) {
            my $got = post({ model => $model, messages => [user($question)] }, prefix => $prefix);
            is_deeply [$got->{status}, $got->{json}{choices}[0]{message}{content}, $got->{json}{choices}[0]{finish_reason}], [200, $refusal, 'stop'], "$prefix, $model: a refusal";
            is_deeply [$got->{json}{usage}{total_tokens}, $got->{json}{sources}], [0, []], '… that costs nothing';
            my $chunks = chunks(frames({ model => $model, messages => [user($question)] }, prefix => $prefix));
            is join('', map { $_->{choices}[0]{delta}{content} // '' } @$chunks), $refusal, '… in chunks';
            is $chunks->[-1]{choices}[0]{finish_reason}, 'stop', '… with a finish';
        }
    }
    is scalar(() = $provider->requests), $before, 'nobody was asked';
    is psql($db, "SELECT DISTINCT state || ' ' || include FROM exedra.chat WHERE prompt IN ('unrelated?', 'anything?')"), 'done false', 'on record, and not shown to a model';
    is post({ model => 'query', messages => [user('Which cucumbers are green?')] })->{json}{choices}[0]{message}{content}, $TEXT, 'what is found is answered';
};

# ---- more than text ----

subtest 'calls of tools' => sub {
    room($_, chatModel => $_) for qw(tools json-tools odd-tools);
    my @calls = map { { id => $_->[0], type => 'function', function => { name => $_->[1], arguments => $_->[2] } } } ['call_1', 'f', '{"a":1}'], ['call_2', 'g', '{}'];
    my %with = (messages => [user('use them')], tools => [{ type => 'function', function => { name => 'f' } }]);
    for my $case (['tools', @calls], ['json-tools', $calls[0]]) {
        my ($model, @expected) = @$case;
        my $got = post({ model => $model, %with });
        is_deeply $got->{json}{choices}, [{ index => 0, message => { role => 'assistant', content => undef, refusal => undef, tool_calls => \@expected }, logprobs => undef, finish_reason => 'tool_calls' }],
            "$model: whole";
        my $chunks = chunks(frames({ model => $model, %with }));
        my @pieces = map { @{ $_->{choices}[0]{delta}{tool_calls} // [] } } @$chunks;
        # contract/openai.md 4.1 and 11.7
        is_deeply [grep { ($_->{index} // '') !~ /^\d+$/ } @pieces], [], "$model: each piece has its index";
        my @joined;
        for my $piece (@pieces) {
            my $call = $joined[$piece->{index} // 0] //= { function => { arguments => '' } };
            $call->{$_} .= $piece->{$_} for grep { defined $piece->{$_} } qw(id type);
            $call->{function}{$_} .= $piece->{function}{$_} for grep { defined $piece->{function}{$_} } qw(name arguments);
        }
        is_deeply \@joined, \@expected, '… and together they are the calls: id, type and name once';
        is $chunks->[-1]{choices}[0]{finish_reason}, 'tool_calls', '… which is the finish';
    }
    my @odd = map { @{ $_->{choices}[0]{delta}{tool_calls} // [] } } @{ chunks(frames({ model => 'odd-tools', %with })) };
    is_deeply [grep { ref $_ ne 'HASH' || ($_->{index} // '') !~ /^\d+$/ } @odd], [], 'pieces that are none are left out';
    is ref post({ model => 'odd-tools', %with })->{json}{choices}, 'ARRAY', '… whole too';
    # As many as OpenAI takes, each with 25 parameters that are described.
    my %parameters = map { ("parameter_$_" => { type => 'string', description => 'what it is', enum => ['a', 'b'] }) } 1 .. 25;
    my @many = map { { type => 'function', function => { name => "f$_", description => 'does it', parameters => { type => 'object', properties => \%parameters, required => [] } } } } 1 .. 128;
    is post({ model => $slug, messages => [user('128 tools')], tools => \@many })->{status}, 200, '128 tools';
    is_deeply asked('128 tools')->{tools}, \@many, '… go to the model';
    is psql($db, "SELECT DISTINCT state FROM exedra.chat WHERE prompt = 'use them'"), 'done', 'on record as answered';
};

# Each: what the calls are, in whatever way they are sent.
subtest 'calls of tools as they come' => sub {
    my $call = sub { my ($n) = @_; return { id => "call_$n", type => 'function', function => { name => 'f', arguments => "{\"n\":$n}" } } };
    my %expected = ((map { $_ => [map { $call->($_) } 1, 2] } qw(tools-gemini tools-same-index tools-far-index tools-mixed)),
        (map { $_ => [$call->(1)] } qw(tools-null tools-ghost tools-empty tools-repeats tools-new-ids tools-late-name tools-no-id tools-object)),
        'tools-extra' => [{ %{ $call->(1) }, extra_content => { google => { thought_signature => 'SIG' } } }],
        'tools-custom' => [{ id => 'call_1', type => 'custom', custom => { name => 'f', input => 'one text' } }]);
    for my $model (sort keys %expected) {
        room($model, chatModel => $model);
        my $got = post({ model => $model, messages => [user('use it')] })->{json}{choices}[0];
        my $made = $model eq 'tools-no-id' && $got->{message}{tool_calls}[0]{id} // '';
        like $made, qr/^call_[0-9a-f-]{36}$/, 'an id is made where there is none' if $model eq 'tools-no-id';
        local $expected{$model}[0]{id} = $made if $made;
        is_deeply $got->{message}{tool_calls}, $expected{$model}, "$model: whole";
        my @pieces = map { @{ $_->{choices}[0]{delta}{tool_calls} // [] } } @{ chunks(frames({ model => $model, messages => [user('use it')] })) };
        my (@first, %seen);
        push @first, $_ for grep { !$seen{ $_->{index} }++ } @pieces;
        is_deeply [map { [$_->{index}, ref(\$_->{id}), $_->{type}, ($_->{function} // $_->{custom})->{name}] } @first],
            [map { [$_, 'SCALAR', $expected{$model}[$_]{type}, 'f'] } 0 .. $#first], "$model: the first piece of each says what it is";
        is scalar @first, scalar @{ $expected{$model} }, 'as many as there are';
        is_deeply [grep { my $p = $_; grep({ exists $p->{$_} } qw(id type)) || exists(($p->{function} // $p->{custom})->{name}) } grep { my $p = $_; !grep { $_ == $p } @first } @pieces], [], '… and no other';
        is join('', map { ($_->{function} // {})->{arguments} // ($_->{custom} // {})->{input} } grep { $_->{index} == $#first } @pieces),
            $expected{$model}[-1]{function}{arguments} // 'one text', 'the arguments are a text';
    }
};

subtest 'calls of tools at the edge' => sub {
    room($_, chatModel => $_) for qw(tools-only-ghost tools-other-name tools-large);
    my $said = sub { post({ model => $_[0], messages => [user('use it')] })->{json}{choices}[0] };
    my $got = $said->('tools-only-ghost');
    is_deeply [$got->{finish_reason}, $got->{message}{content}, $got->{message}{tool_calls}], ['stop', 'x', undef], 'a call without a name is none';
    is_deeply [map { [$_->{function}{name}, $_->{function}{arguments}] } @{ $said->('tools-other-name')->{message}{tool_calls} }], [['f', '{}'], ['g', '{}']],
        'another name is another call';
    for my $model ('tools-same-all:', 'tools-same-all:call_1', 'tools-same-id') {
        my $name = room($model =~ s/:/ /r, chatModel => $model);
        my $calls = $said->($name)->{message}{tool_calls};
        is_deeply [map { $_->{function}{arguments} } @$calls], ['{"n":1}', '{"n":2}'], "$model: two calls of one function with one number and one id, or none";
        isnt $calls->[0]{id}, $calls->[1]{id}, '… have ids of their own';
    }
    my $call = $said->('tools-large')->{message}{tool_calls}[0];
    is_deeply [length $call->{id}, length $call->{function}{arguments}], [605, 70_008], 'long ids and arguments are kept';
    room('Tools cut', chatModel => 'tools-cut');
    like frames({ model => 'tools-cut', messages => [user('cut it')] })->{body}, qr/"tool_calls".*\n\ndata: \{"error":\{[^\n]*"code":"upstream_cut"\}\}\n\n\z/s, 'calls that break off are told as broken off';
    is psql($db, "SELECT c.state, c.reason, u.completion_tokens > 0 FROM exedra.chat c JOIN exedra.usage u ON u.chat_id = c.id WHERE c.prompt = 'cut it'"), "failed\tupstream_cut\tt", '… and stand in the ledger';
    # A file that a model writes by a tool comes in tens of thousands of pieces.
    room('Tools many', chatModel => 'tools-many:50000');
    my $before = peak_kb($exedra->worker_pids);
    $got = $said->('tools-many');
    is_deeply [$got->{finish_reason}, map { [@{ $_->{function} }{qw(name arguments)}] } @{ $got->{message}{tool_calls} }], ['tool_calls', ['many', 'a' x 50_000]], 'a call of many pieces';
    cmp_ok peak_kb($exedra->worker_pids) - $before, '<', allow_for(20_000), '… takes memory for what it says, not for each';
    my $counted = sub { post({ model => 'tools-many', messages => [user('count'), @{ $_[0] }], @_[1 .. $#_] })->{json}{usage}{prompt_tokens} };
    my ($calls, $result) = ({ role => 'assistant', content => undef, tool_calls => [{ id => 'c', type => 'function', function => { name => 'f', arguments => json_text({ t => 'x' x 4000 }) } }] },
        { role => 'tool', tool_call_id => 'c', content => 'y' x 400 });
    my $plain = $counted->([]);
    is $counted->([], tools => [{ type => 'function', function => { name => 'f', description => 'z' x 4000 } }]) - $plain > 1000, 1, 'estimated too: the tools that are offered';
    is $counted->([$calls, $result]) - $plain > 1100, 1, '… and the calls before';
    is psql($db, 'SELECT completion_tokens, estimated FROM exedra.usage ORDER BY id DESC LIMIT 1'), "12501\tt", '… and tokens, where nobody counts them';
};

subtest 'refusals, reasoning, usage' => sub {
    room($_, chatModel => $_) for qw(refuses json-refuses reasoning-short magistral);
    for my $model (qw(refuses json-refuses)) {
        my $message = post({ model => $model, messages => [user('dare')] })->{json}{choices}[0]{message};
        is_deeply [@$message{qw(content refusal)}], [undef, 'I will not.'], "$model: whole";
        my $chunks = chunks(frames({ model => $model, messages => [user('dare')] }));
        is join('', map { $_->{choices}[0]{delta}{refusal} // '' } @$chunks), 'I will not.', '… in pieces';
        is join('', map { $_->{choices}[0]{delta}{content} // '' } @$chunks), '', '… and no text';
        is psql($db, "SELECT DISTINCT answer FROM exedra.chat WHERE prompt = 'dare'"), 'I will not.', 'on record as the answer';
        is ask($exedra, 'chat', key => $key, slug => $model, message => 'dare')->{text}, 'I will not.', 'and so to AnythingLLM\'s clients';
    }
    room('usage-details', chatModel => 'usage-details');
    is_deeply post({ model => 'usage-details', messages => [user('count')] })->{json}{usage}, { prompt_tokens => 100, completion_tokens => 50, total_tokens => 150,
        prompt_tokens_details => { cached_tokens => 64 }, completion_tokens_details => { reasoning_tokens => 40 } }, 'what was cached, what was reasoning';
    for my $model (qw(reasoning-short magistral)) {
        my $message = post({ model => $model, messages => [user('think')] })->{json}{choices}[0]{message};
        is_deeply [@$message{qw(content reasoning_content)}], ['So.', 'Let me think.'], "$model: text and reasoning";
    }
};

subtest 'how it ends' => sub {
    for (['length', 'length', 'cut'], ['filter', 'content_filter', '']) {
        my ($model, $finish, $text) = @$_;
        room($model, chatModel => $model);
        my $got = post({ model => $model, messages => [user('how')] });
        is_deeply [$got->{json}{choices}[0]{finish_reason}, $got->{json}{choices}[0]{message}{content}], [$finish, $text], "$finish: whole";
        is chunks(frames({ model => $model, messages => [user('how')] }))->[-1]{choices}[0]{finish_reason}, $finish, '… in chunks';
    }
};

# ---- what is refused ----

subtest 'who may' => sub {
    for my $prefix (@prefixes) {
        my $native = $prefix =~ /openai/;
        for my $wrong (undef, 'sk-exd-' . 'x' x 43) {
            for my $got (post({ model => $slug, messages => [user('x')] }, prefix => $prefix, key => $wrong), http($exedra, GET => "$prefix/models", key => $wrong)) {
                is $got->{status}, $native ? 403 : 401, "$prefix: a bad key";
                is_deeply $got->{json}{error}, $native ? 'No valid api key found.' : { message => 'No valid api key found.', type => 'invalid_request_error', param => undef, code => 'invalid_api_key' }, '… is told';
                ok $got->{headers}{'x-request-id'}, '… with its id';
            }
        }
        for my $unknown ('nowhere', 'cellar', 'HALL', 'http://127.0.0.1/x', 'openai/../../x') {
            my $got = post({ model => $unknown, messages => [user('x')] }, prefix => $prefix);
            if ($native) {
                is "$got->{status} $got->{body}", '401 ', "$prefix: an unknown model: 401 and nothing";
            } else {
                is_deeply [$got->{status}, $got->{json}{error}], [404, { message => "The model '$unknown' does not exist", type => 'invalid_request_error', param => 'model', code => 'model_not_found' }],
                    "$prefix: an unknown model";
            }
        }
        is post({ model => 'attic', messages => [user('x')] }, prefix => $prefix, key => $bea->{key})->{status}, $native ? 401 : 404, '… that one is not let into';
    }
};

subtest 'what is wrong' => sub {
    my $before = fingerprint($db);
    my $requests = scalar(() = $provider->requests);
    my @good = (model => $slug, messages => [user('wrong')]);
    my @cases = (
        (map { ['messages', { model => $slug, %$_ }] } {}, { messages => undef }, { messages => [] }, { messages => {} }, { messages => 'x' }, { messages => [1] }, { messages => ['x'] }, { messages => [[]] },
            map({ { messages => $_ } } [{}], [{ content => 'x' }], [{ role => 'boss', content => 'x' }], [{ role => 'user', content => 7 }], [{ role => 'user', content => {} }], [{ role => 'user', content => [7] }],
                [{ role => 'user', content => [{}] }],
                [user('x'), { role => 'tool', content => 'y' }], [{ role => 'tool', tool_call_id => 'c', content => 'y' }])),
        ['model', { messages => [user('x')] }], (map { ['model', { @good, model => $_ }] } undef, '', 7, [], {}, \1),
        (map { ['role', { @good, messages => [{ role => $_, content => 'x' }] }] } 7, []),
        (map { ['stream', { @good, stream => $_ }] } 'true', 1, [], {}),
        (map { ['stream_options', { @good, stream_options => $_ }] } 'x', 7, [], \1),
        (map { ['include_usage', { @good, stream => \1, stream_options => { include_usage => $_ } }] } 'true', 1),
        (map { ['temperature', { @good, temperature => $_ }] } -0.1, 2.1, '1', [], \1),
        (map { ['n', { @good, n => $_ }] } 0, 2, -1, 1.5, '1', []),
        (map { ['logprobs', { @good, logprobs => $_ }] } \1, 'true', 1),
        (map { my $name = $_; map { [$name, { @good, $name => $_ }] } 0, -1, 1.5, '5', \1, 9_999_999_999 } qw(max_tokens max_completion_tokens)),
        (map { ['top_p', { @good, top_p => $_ }] } -0.1, 1.1, 'x'),
        (map { my $name = $_; map { [$name, { @good, $name => $_ }] } -2.1, 2.1, 'x' } qw(presence_penalty frequency_penalty)),
        (map { ['seed', { @good, seed => $_ }] } 1.5, 'x'), (map { ['stop', { @good, stop => $_ }] } 7, \1), (map { ['logit_bias', { @good, logit_bias => $_ }] } [1], 'x'),
        (map { ['response_format', { @good, response_format => $_ }] } 'json', [1]), (map { ['tools', { @good, tools => $_ }] } {}, 'x', 7), (map { ['tool_choice', { @good, tool_choice => $_ }] } 7, \1),
        (map { ['parallel_tool_calls', { @good, parallel_tool_calls => $_ }] } 'true', 1), (map { ['reasoning_effort', { @good, reasoning_effort => $_ }] } 7, \1),
    );
    for my $case (@cases) {
        my ($param, $body) = @$case;
        for my $stream ($body->{stream} || $body->{stream_options} ? () : (\1), undef) {
            my $got = post($stream ? { %$body, stream => $stream } : $body);
            is_deeply [$got->{status}, @{ $got->{json}{error} // {} }{qw(type param)}], [400, 'invalid_request_error', $param], json_text($body)
                or diag substr $got->{body}, 0, 300;
            ok length($got->{json}{error}{message}) && exists $got->{json}{error}{code}, '… with words and a code';
        }
    }
    for (['{"model":', 400], ['[]', 400], ["{\"model\":\"$slug\",\"model\":\"attic\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400], ['', 400]) {
        my ($bytes, $status) = @$_;
        my $got = http($exedra, POST => '/v1/chat/completions', key => $key, body => $bytes, headers => { 'Content-Type' => 'application/json' });
        is "$got->{status} " . ($got->{json}{error}{type} // ''), "$status invalid_request_error", "'$bytes'";
    }
    is fingerprint($db), $before, 'nothing was written';
    is scalar(() = $provider->requests), $requests, 'nobody was asked';
    is post({ @good, stop => { a => 1 } })->{status}, 400, 'stop as an object';
    is post({ @good, tool_choice => ['auto'] })->{status}, 400, 'tool_choice as a list';
};

subtest 'what is not served' => sub {
    my %instead = (responses => qr{/v1/chat/completions}, completions => qr{/v1/chat/completions}, 'audio/translations' => qr{/v1/audio/transcriptions}, moderations => qr/judges/,
        'audio/speech' => qr/speaks/, map { ("images/$_" => qr/images/) } qw(generations edits variations));
    for my $path (sort keys %instead) {
        my $got = http($exedra, POST => "/v1/$path", key => $key, json => { model => $slug, input => 'x' });
        is_deeply [$got->{status}, @{ $got->{json}{error} // {} }{qw(type code)}, $got->{headers}{'x-should-retry'}], [501, 'server_error', 'not_implemented', 'false'],
            "$path: said once, in a form that SDKs read";
        like $got->{json}{error}{message}, $instead{$path}, '… with what is missing, or to be done instead';
    }
    is http($exedra, POST => '/v1/responses', key => 'wrong', json => {})->{status}, 401, 'not to strangers';
};

subtest 'methods and browsers' => sub {
    my $got = http($exedra, GET => '/v1/chat/completions', key => $key);
    is $got->{status}, 405, 'GET';
    # contract/openai.md 7.1
    like $got->{headers}{allow} // '', qr/POST/, '… says what is allowed';
    is_deeply [@{ ref $got->{json}{error} ? $got->{json}{error} : {} }{qw(type param code)}], ['invalid_request_error', undef, 'method_not_allowed'], '… as an error that SDKs read';
    for my $path (map { ("$_/models", "$_/chat/completions") } @prefixes) {
        $got = http($exedra, OPTIONS => $path, headers => { Origin => 'https://site.test', 'Access-Control-Request-Method' => 'POST',
            'Access-Control-Request-Headers' => 'authorization,content-type,x-stainless-os,x-stainless-retry-count' });
        is $got->{status}, 204, "$path: preflight without a key";
        is $got->{headers}{'access-control-allow-headers'}, 'authorization,content-type,x-stainless-os,x-stainless-retry-count', '… any header';
        is $got->{headers}{'access-control-allow-origin'}, '*', '… any page';
    }
    $got = post({ model => $slug, messages => [user('page')] }, headers => { Origin => 'https://site.test', 'Content-Type' => 'text/plain' });
    is $got->{status}, 200, 'JSON that calls itself text';
    like lc $got->{headers}{'access-control-expose-headers'}, qr/x-request-id.*retry-after.*x-should-retry/, 'pages may read the id, and whether to ask again';
    is post({ model => $slug, messages => [user('id')] }, headers => { 'X-Request-Id' => 'mine-7' })->{headers}{'x-request-id'}, 'mine-7', 'an id that is given comes back';
};

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
ok $_->stop, "$_->{name} ends well" for $nginx, $exedra;
done_testing;
