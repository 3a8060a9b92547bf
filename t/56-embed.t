# Chats in web pages: what an administrator sets, what a visitor without a key may and sees, and that neither pages of other
# origins nor other visitors, embeds or tenants come by anything.  Limits hold to the number when a hundred ask at once.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Contract;
use Exedra::Hostile qw(asan);
use POSIX qw(fmod);
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

my $model = start_model(deltas => ['Whales ', 'are large.']);
my $db = database();
my %settings = ('llm.url' => $model->{url}, 'llm.model' => 'm', 'llm.provider' => 'house', 'widget.guesses' => 0);
my $exedra = start_exedra(db => $db, settings => \%settings);
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my ($hall, $other) = map { workspace($exedra, $acme->{key}, $_, openAiPrompt => 'Be brief.', openAiTemp => 0.5, chatModel => 'room-model') } 'Hall', 'Other';
workspace($exedra, $beta->{key}, 'Beta');
my $PAGE = 'https://page.example';
my $ABORT = { id => 'uuid', type => qr/^abort$/, textResponse => 'null', sources => [{}], close => 'bool', error => 'string' };
my @sessions = map { sprintf '6f1c32d3-9f0a-4c7e-8a61-%012d', $_ } 0 .. 200;

sub admin { my ($method, $path, $json, %with) = @_; return http($exedra, $method, "/api/v1/embed$path", key => $acme->{key}, $json ? (json => $json) : (), %with) }
sub embed { return admin(POST => '/new', { workspace_slug => 'hall', chat_mode => 'chat', allowlist_domains => $PAGE, @_ })->{json}{embed} }

# What a widget in a page sends.
sub visit {
    my ($embed, $body, %with) = @_;
    my $origin = exists $with{origin} ? $with{origin} : $PAGE;
    return http($with{server} // $exedra, POST => "/api/embed/$embed->{uuid}/stream-chat", body => ref $body ? json_text($body) : $body,
        headers => { 'Content-Type' => 'text/plain;charset=UTF-8', Origin => $origin });
}
sub ask { my ($embed, $session, $message, %more) = @_; return visit($embed, { sessionId => $session, message => $message, username => undef, prompt => undef, model => undef, temperature => undef, %more }) }
sub events { return map { json_value($_) } $_[0]{body} =~ /^data: (.*)\n\n/mg }
sub look { my ($method, $embed, $session, %headers) = @_; return http($exedra, $method, "/api/embed/$embed->{uuid}/$session", headers => { Origin => $PAGE, %headers }) }
sub history { return look(GET => @_)->{json}{history} }
sub refused { my ($got, $status, $error, $what) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply [$got->{status}, ref $got->{json} eq 'HASH' ? @{ $got->{json} }{qw(type error)} : $got->{body}], [$status, 'abort', $error], $what }

my $embed_shape = { id => 'int', uuid => 'uuid', enabled => 'bool', chat_mode => qr/^(?:chat|query)$/, allowlist_domains => 'string?', allow_model_override => 'bool',
    allow_temperature_override => 'bool', allow_prompt_override => 'bool', max_chats_per_day => 'int?', max_chats_per_session => 'int?', message_limit => 'int?',
    workspace_id => 'int', createdBy => 'null', usersId => 'null', createdAt => 'iso' };

subtest 'an embed is made' => sub {
    is admin(GET => '')->{body}, '{"embeds":[]}', 'none yet';
    my $got = admin(POST => '/new', { workspace_slug => 'hall' });
    is $got->{status}, 200, 'one';
    shape_is $got->{json}, { embed => $embed_shape, error => 'null' }, 'its shape';
    is plain($got->{body}) =~ s/"id":<id>,|"workspace_id":<id>,//gr, '{"embed":{"uuid":"<uuid>","enabled":true,"chat_mode":"query","allowlist_domains":null,"allow_model_override":false,'
        . '"allow_temperature_override":false,"allow_prompt_override":false,"max_chats_per_day":null,"max_chats_per_session":null,"message_limit":null,'
        . '"createdBy":null,"usersId":null,"createdAt":"<iso>"},"error":null}', 'to the byte';
    my %coerced = (chat_mode => [[chat => 'chat'], [query => 'query'], [automatic => 'query'], [7 => 'query']],
        max_chats_per_day => [[5 => 5], ['12' => 12], [0 => undef], [-1 => undef], ['x' => undef], [1e300 => 2147483647]],
        allow_model_override => [[JSON::PP::true() => JSON::PP::true()], ['true' => JSON::PP::false()], [1 => JSON::PP::false()]],
        allowlist_domains => [['a.com, b.com' => '["https://a.com","https://b.com"]'], [['http://A.b:8080/x', 'c.org:443'] => '["http://a.b:8080","https://c.org"]'],
            ["https://M\x{fc}ller.example,http://\x{65e5}\x{672c}.example:8080" => '["https://xn--mller-kva.example","http://xn--wgv71a.example:8080"]'],
            ['' => undef], [[] => undef], ['not a host, ftp://x.y,https://u:p@z.z' => '[]'], [undef, undef]]);
    for my $field (sort keys %coerced) {
        is_deeply embed($field => $_->[0])->{$field}, $_->[1], "$field " . json_text($_->[0]) for @{ $coerced{$field} };
    }
    is_deeply [@{ admin(POST => '/new', $_->[0]) }{qw(status body)}], [$_->[1], $_->[2]], $_->[2] for
        [{}, 400, '{"error":"Workspace slug is required"}'], [{ workspace_slug => '' }, 400, '{"error":"Workspace slug is required"}'],
        [{ workspace_slug => 'nope' }, 404, '{"error":"Workspace not found"}'], [{ workspace_slug => 'beta' }, 404, '{"error":"Workspace not found"}'];
    is admin(POST => '/new', { workspace_slug => 'hall', allowlist_domains => $_ })->{status}, 422, 'origins ' . json_text($_) for 5, [5], {};
    my $mine = embed(id => 99, tenant_id => 2, uuid => $sessions[0], enabled => JSON::PP::false(), createdBy => 7);
    is_deeply [$mine->{uuid} ne $sessions[0], $mine->{enabled}, $mine->{createdBy}], [1, JSON::PP::true(), undef], 'what nobody may set is as ever';
    is psql($db, 'SELECT count(*) FROM exedra.embed WHERE tenant_id <> 1'), 0, "in the caller's tenant";
    $got = admin(GET => '');
    shape_is $got->{json}{embeds}[0], { id => 'int', uuid => 'uuid', enabled => 'bool', chat_mode => 'string', createdAt => 'iso', workspace => { id => 'int', name => 'string' }, chat_count => 'int' }, 'a list';
    is http($exedra, GET => '/v1/embed', key => $beta->{key})->{body}, '{"embeds":[]}', 'of the tenant alone';
    admin(DELETE => "/$_->{uuid}") for @{ $got->{json}{embeds} };
};

my $embed = embed(allowlist_domains => "$PAGE,http://localhost:8080");

subtest 'a visitor asks' => sub {
    my $got = ask($embed, $sessions[0], 'How large?', username => "Bob\n<b>");
    my @events = events($got);
    is_deeply [@{ $got->{headers} }{qw(content-type access-control-allow-origin vary cache-control access-control-allow-credentials)}],
        ['text/event-stream', $PAGE, 'Origin', 'no-cache', undef], 'an event stream for this page';
    my $chunk = sub { qq({"uuid":"<uuid>","sources":[],"type":"textResponseChunk","textResponse":"$_[0]","close":$_[1],"error":false}) };
    is plain($got->{body}), join('', map { "data: $_\n\n" } $chunk->('Whales ', 'false'), $chunk->('are large.', 'false'), $chunk->('', 'true')), 'to the byte: no finalize';
    is_deeply [map { $_->{uuid} } @events], [($events[0]{uuid}) x 3], 'one uuid for all';
    ask($embed, $sessions[0], 'And old?');
    my @asked = $model->requests;
    is_deeply [map { "$_->{role}: $_->{content}" } @{ $asked[-1]{json}{messages} }],
        ['system: Be brief.', 'user: How large?', 'assistant: Whales are large.', 'user: And old?'], 'the model sees the session';
    ask($embed, $sessions[1], 'Who am I?');
    is scalar @{ ($model->requests)[-1]{json}{messages} }, 2, 'another session begins with nothing';

    my $history = look(GET => $embed, $sessions[0]);
    my @items = @{ $history->{json}{history} };
    shape_is $items[0], $shape{history_user}, 'a history: the question';
    shape_is $items[1], $shape{history_assistant}, 'the answer';
    is_deeply [map { $_->{content} } @items], ['How large?', 'Whales are large.', 'And old?', 'Whales are large.'], 'in order';
    is $history->{headers}{'access-control-allow-origin'}, $PAGE, 'for the page';
    is_deeply history($embed, $_), [], "nothing in $_" for $sessions[9], 'x', '%27', 'x' x 3000;

    my $chats = admin(GET => "/$embed->{uuid}/chats")->{json}{chats};
    shape_is $chats->[0], { id => 'int', prompt => 'string', response => 'string', session_id => 'string', include => 'bool', connection_information => 'string',
        embed_id => 'int', usersId => 'null', createdAt => 'iso' }, 'what the administrator sees';
    is_deeply [map { $_->{prompt} } @$chats], ['How large?', 'And old?', 'Who am I?'], 'all, in order';
    is_deeply json_value($chats->[0]{connection_information}), { host => $PAGE, ip => '127.0.0.1', username => 'Bob <b>' }, 'who asked';
    shape_is json_value($chats->[0]{response}), { text => 'string', type => 'string', sources => [], metrics => $shape{metrics} }, 'the answer as JSON in a string';
    is_deeply [map { $_->{session_id} } @{ admin(GET => "/$embed->{uuid}/chats/$sessions[1]")->{json}{chats} }], [$sessions[1]], 'of one visitor';
    is admin(GET => "/$_")->{body}, '{"chats":[]}', "nothing of $_" for "$embed->{uuid}/chats/x", "$sessions[0]/chats", "x/chats";
    is http($exedra, GET => "/v1/embed/$embed->{uuid}/chats", key => $beta->{key})->{body}, '{"chats":[]}', "nor for another tenant";
    is http($exedra, GET => '/v1/workspace/hall/chats', key => $acme->{key})->{body}, '{"history":[]}', "it is in no history of the workspace's";
    is http($exedra, GET => "/v1/workspace/hall/chats?apiSessionId=$sessions[0]", key => $acme->{key})->{body}, '{"history":[]}', 'nor in a session of that name';
    is_deeply http($exedra, POST => '/v1/admin/workspace-chats', key => $acme->{key}, json => {})->{json}{chats}, [], 'nor in the list of all';
    is http($exedra, GET => '/v1/system/export-chats?type=json', key => $acme->{key})->{body}, '[]', 'nor in the export';

    my $second = embed();
    is_deeply history($second, $sessions[0]), [], 'another embed does not know the session';
    ask($second, $sessions[0], 'What did I ask?');
    is scalar @{ ($model->requests)[-1]{json}{messages} }, 2, 'nor does the model see it';
    look(DELETE => $second, $sessions[0]);
    is scalar @{ history($embed, $sessions[0]) }, 4, 'nor does it end there';
    $got = look(DELETE => $embed, $sessions[0]);
    is_deeply [$got->{status}, $got->{body}, $got->{headers}{'content-type'}, $got->{headers}{'access-control-allow-origin'}], [200, '', undef, $PAGE], 'begun anew';
    is_deeply history($embed, $sessions[0]), [], 'nothing is shown';
    ask($embed, $sessions[0], 'Still there?');
    is scalar @{ ($model->requests)[-1]{json}{messages} }, 2, 'nothing is told to the model';
    is_deeply [map { $_->{include} ? 1 : 0 } @{ admin(GET => "/$embed->{uuid}/chats/$sessions[0]")->{json}{chats} }], [0, 0, 1], 'the administrator still sees all';
    is look(DELETE => $embed, 'no-such')->{status}, 200, 'an unknown session is none to end';
    is psql($db, "SELECT count(*) FROM exedra.usage WHERE chat_id IN (SELECT id FROM exedra.chat WHERE embed_id IS NOT NULL)"), 5, 'every answer is in the ledger';
};

subtest 'what is refused' => sub {
    my $before = fingerprint($db);
    my %ok = (sessionId => $sessions[2], message => 'Hi');
    my $unknown = { uuid => $sessions[5] };
    is_deeply [@{ $_->[1] }{qw(status body)}], [404, 'Not Found'], "$_->[0]: an unknown embed" for
        ['chat', ask($unknown, $sessions[2], 'Hi')], ['history', look(GET => $unknown, $sessions[2])], ['reset', look(DELETE => $unknown, $sessions[2])],
        ['no uuid', ask({ uuid => '%27;--' }, $sessions[2], 'Hi')], ['upper case', ask({ uuid => uc $embed->{uuid} }, $sessions[2], 'Hi')];
    refused(visit($embed, \%ok, origin => $_), 401, 'Invalid request.', 'origin ' . ($_ // 'none')) for undef, 'null', '*', 'https://evil.test', 'https://page.example.evil.test',
        'HTTPS://PAGE.EXAMPLE', 'https://page.example/', 'http://page.example', 'https://page.example:8443', "https://page.example\x{e9}", 'x' x 5000;
    refused(visit($embed, { %ok, sessionId => $_ }), 404, 'Invalid session ID.', 'session ' . substr json_text($_), 0, 40) for undef, '', 'x', 5, [], { not => 'a' }, 'x' x 10000,
        '6f1c32d3-9f0a-6c7e-8a61-000000000000', '6f1c32d3-9f0a-4c7e-ca61-000000000000', "$sessions[0]x", '6f1c32d39f0a4c7e8a61000000000000';
    refused(visit($embed, { %ok, message => $_ }), 400, 'Message is empty.', 'message ' . json_text($_)) for undef, '', 5, [], {};
    refused(visit($embed, { %ok, message => 'x' x 32769 }), 400, 'Message is longer than 32768 bytes.', 'a message too long');
    refused(visit($embed, { sessionId => 'x' }, origin => 'https://evil.test'), 401, 'Invalid request.', 'the origin is looked at first');
    is visit($embed, $_)->{status}, 400, "a body $_" for '{"a":', '[1]', "{\"message\":\"\xff\"}";
    refused(visit($embed, '{"message":"' . 'x' x 300_000 . '"}'), 413, 'The body is larger than 256 KiB.', 'a body too large');
    is_deeply [grep { defined } map { $_->{headers}{'access-control-allow-origin'} } visit($embed, \%ok, origin => 'https://evil.test'), ask($unknown, $sessions[2], 'Hi'),
        look(GET => $embed, $sessions[0], Origin => 'https://evil.test'), look(DELETE => $embed, $sessions[9], Origin => 'null')], [], 'no other page may read an answer';
    is fingerprint($db), $before, 'nothing was written';
    # A browser names a host in ASCII, whatever its administrator has written.
    my $foreign = embed(allowlist_domains => "https://m\x{fc}ller.example");
    is visit($foreign, \%ok, origin => 'https://xn--mller-kva.example')->{status}, 200, 'a page at a host with an umlaut';
    is ask($embed, '00000000-0000-0000-0000-000000000000', 'Hi')->{status}, 200, 'the nil session is one';
    is visit($embed, \%ok, origin => 'http://localhost:8080')->{headers}{'access-control-allow-origin'}, 'http://localhost:8080', 'each listed page is';
};

subtest 'what a browser asks first' => sub {
    my $first = sub { my ($path, $origin, $method) = @_; return http($exedra, OPTIONS => "/api/embed/$path",
        headers => { Origin => $origin, 'Access-Control-Request-Method' => $method, 'Access-Control-Request-Headers' => 'content-type' })->{headers} };
    my $cors = sub { my ($got) = @_; return [map { $got->{"access-control-allow-$_"} } qw(origin methods headers credentials)] };
    is_deeply $cors->($first->("$embed->{uuid}/$sessions[0]", $PAGE, 'DELETE')), [$PAGE, 'OPTIONS, GET, DELETE', 'content-type', undef], 'a listed page';
    is_deeply $cors->($first->("$embed->{uuid}/stream-chat", $PAGE, 'POST')), [$PAGE, 'OPTIONS, POST', 'content-type', undef], 'it may ask';
    is_deeply $cors->($first->(@$_, 'DELETE')), [(undef) x 4], "not $$_[1]" for ["$embed->{uuid}/$sessions[0]", 'https://evil.test'], ["$embed->{uuid}/$sessions[0]", 'null'],
        ["$sessions[5]/$sessions[0]", $PAGE];
    is $first->("$embed->{uuid}/$sessions[0]", 'https://evil.test', 'DELETE')->{vary}, 'Origin', 'caches are told';
};

subtest 'changes' => sub {
    my $it = embed(max_chats_per_day => 3);
    my $change = sub { admin(POST => "/$it->{uuid}", $_[0]) };
    my $now = sub { psql($db, "SELECT $_[0] FROM exedra.embed WHERE uuid = '$it->{uuid}'") };
    my $done = '{"success":true,"error":null}';
    is $change->({ enabled => JSON::PP::false() })->{body}, $done, 'shut';
    refused(ask($it, $sessions[3], 'Hi'), 503, 'This chat has been disabled by the administrator - try again later.', 'so it is');
    is $change->({ enabled => JSON::PP::true(), chat_mode => 'query', max_chats_per_day => undef, message_limit => '2' })->{body}, $done, 'open, and more';
    is $now->("concat_ws(' ', enabled, chat_mode, coalesce(daily_limit, 0), history_length, origins)"), "t query 0 2 {$PAGE}", 'only what was said';
    is $change->($_)->{body}, '{}', 'nothing usable: ' . json_text($_) for {}, { id => 5, uuid => $sessions[0], tenant_id => 2, unknown => 1 };
    is $now->('tenant_id'), 1, 'which changes nothing';
    is $change->({ workspace_id => $other->{id} })->{body}, $done, 'another workspace';
    is $change->({ workspace_id => $_ })->{body}, '{"success":false,"error":"Workspace not found"}', "not $_" for psql($db, "SELECT id FROM exedra.workspace WHERE slug = 'beta'") + 0, 0, -1, 4611686018427387904;
    is $change->({ $_->[0] => $_->[1] })->{status}, 422, "@$_" for ['enabled', 'false'], ['workspace_id', '1'], ['allowlist_domains', 7];
    for my $case ([POST => { enabled => JSON::PP::true() }], ['DELETE']) {
        my ($method, @json) = @$case;
        is_deeply [@{ admin($method, "/$_", @json) }{qw(status body)}], [404, '{"error":"Embed not found"}'], "$method of nobody's: $_" for $sessions[0], 'x', '%27';
        is http($exedra, $method, "/v1/embed/$it->{uuid}", key => $beta->{key}, @json ? (json => @json) : ())->{status}, 404, "$method of another tenant's";
    }
    ask($it, $sessions[3], 'Hi');
    is admin(DELETE => "/$it->{uuid}")->{body}, $done, 'deleted';
    is psql($db, "SELECT (SELECT count(*) FROM exedra.chat WHERE api_session_id = '$sessions[3]') + (SELECT count(*) FROM exedra.embed_address WHERE uuid = '$it->{uuid}')"), 0, 'with its chats and its address';
    is ask($it, $sessions[3], 'Hi')->{status}, 404, 'for visitors too';
};

subtest 'overrides' => sub {
    my %wish = (prompt => 'Be a pirate.', model => 'dear-model', temperature => 1.5);
    my $sees = sub { ask(@_[0, 1], 'Hi', %wish, %{ $_[2] // {} }); my $json = ($model->requests)[-1]{json}; return [$json->{messages}[0]{content}, $json->{model}, $json->{temperature}] };
    is_deeply $sees->($embed, $sessions[10]), ['Be brief.', 'room-model', 0.5], 'not allowed: ignored';
    my %may = map { ("allow_${_}_override" => JSON::PP::true()) } qw(prompt model temperature);
    my $free = embed(%may);
    is_deeply $sees->($free, $sessions[11]), ['Be a pirate.', 'dear-model', 1.5], 'allowed';
    is_deeply $sees->($free, $sessions[12], { prompt => undef, model => '', temperature => 'x' }), ['Be brief.', 'room-model', 0.5], 'not said: as the workspace has it';
    is_deeply $sees->($free, $sessions[13], { temperature => '0.25' })->[2], 0.25, 'a text that is a number';
    is_deeply $sees->($free, $sessions[14], { temperature => $_ })->[2], 0.5, "no temperature: $_" for -1, 99, 'nan', '1x';
    is_deeply $sees->(embed(allow_prompt_override => JSON::PP::true()), $sessions[15]), ['Be a pirate.', 'room-model', 0.5], 'one of them alone';
};

subtest 'history and refusal' => sub {
    my $short = embed(message_limit => 1);
    ask($short, $sessions[20], $_) for qw(one two three);
    is_deeply [map { $_->{content} } grep { $_->{role} eq 'user' } @{ ($model->requests)[-1]{json}{messages} }], [qw(two three)], 'as many exchanges as it is set to';
    my $query = embed(chat_mode => 'query', max_chats_per_day => 1);
    http($exedra, POST => '/v1/workspace/hall/update', key => $acme->{key}, json => { queryRefusalResponse => 'Ask about whales.' });
    is plain(ask($query, $sessions[21], 'Bread?')->{body}), 'data: {"id":"<uuid>","type":"textResponse","textResponse":"There is no relevant information in this workspace to answer your query.",'
        . qq("sources":[],"close":true,"error":null}\n\n), 'an empty workspace refuses';
    document($exedra, $acme->{key}, 'whales', 'Whales are mammals. SECRET title.', 'hall');
    is +(events(ask($query, $sessions[21], 'Bread and butter?')))[0]{textResponse}, 'Ask about whales.', 'nothing found: in its own words';
    is admin(GET => "/$query->{uuid}/chats")->{body}, '{"chats":[]}', 'a refusal is no chat';
    my $got = ask($query, $sessions[21], 'What are whales?');
    is scalar(events($got)), 3, 'nor does it count: this is the first one';
    unlike $got->{body} . json_text(history($query, $sessions[21])), qr/SECRET/, 'visitors do not see what is answered from';
    like admin(GET => "/$query->{uuid}/chats")->{body}, qr/SECRET/, 'the administrator does';
};

subtest 'limits' => sub {
    my $daily = embed(max_chats_per_day => 10);
    my @got = in_parallel(25, sub { my $got = ask($daily, $_[0], 'Hi'); return { status => $got->{status}, json => $got->{json}, wait => $got->{headers}{'retry-after'} } }, @sessions[30 .. 129]);
    is scalar(grep { $_->{status} == 200 } @got), 10, 'ten of a hundred at once';
    my @late = grep { $_->{status} == 429 } @got;
    is scalar @late, 90, 'the others are too late';
    is_deeply { map { $_ => $late[0]{json}{$_} } qw(type error errorMsg close) }, { type => 'abort', error => 'Rate limit exceeded', close => JSON::PP::true(),
        errorMsg => 'The quota for this chat has been reached. Try again later or contact the site owner.' }, 'and told so';
    cmp_ok $late[0]{wait}, '>', 86000, 'and when to come again';
    is psql($db, "SELECT count(*) FROM exedra.chat c JOIN exedra.embed e ON e.id = c.embed_id WHERE e.uuid = '$daily->{uuid}'"), 10, 'nothing more is on record';
    look(DELETE => $daily, $_) for @sessions[30 .. 129];
    is ask($daily, $sessions[130], 'Hi')->{status}, 429, 'beginning anew wins nothing';
    psql($db, "UPDATE exedra.chat c SET created_at = now() - interval '25 hours' FROM exedra.embed e WHERE e.id = c.embed_id AND e.uuid = '$daily->{uuid}' AND c.id IN (SELECT min(id) FROM exedra.chat WHERE embed_id = e.id)");
    is ask($daily, $sessions[130], 'Hi')->{status}, 200, 'a day later there is room';
    my $each = embed(max_chats_per_session => 2);
    @got = in_parallel(20, sub { return { status => ask($each, $_[0], 'Hi')->{status} } }, map { ($sessions[131], $sessions[132]) } 1 .. 10);
    is scalar(grep { $_->{status} == 200 } @got), 4, 'two a session, of twenty at once';
    my $late = ask($each, $sessions[131], 'Hi');
    refused($late, 429, 'Your quota for this chat has been reached. Try again later or contact the site owner.', 'told so');
    ok !exists $late->{json}{errorMsg}, 'without more';
    is ask($each, $sessions[133], 'Hi')->{status}, 200, 'another session is another';
};

subtest 'a long list' => sub {
    my $busy = embed();
    psql($db, "INSERT INTO exedra.chat (tenant_id, workspace_id, embed_id, api_session_id, conversation, origin, state, mode, prompt, answer, visitor, created_at)
        SELECT 1, workspace_id, id, 's' || n % 2, 'e' || id || 'ss' || n % 2, 'embed', 'done', 'chat', n, 'A', '{}', date_trunc('day', now()) + n / 300 * interval '1 s'
          FROM exedra.embed, generate_series(1, 1001) n WHERE uuid = '$busy->{uuid}' ORDER BY n");
    my $prompts = sub { join ' ', map { $_->{prompt} } @{ admin(GET => "/$busy->{uuid}/chats$_[0]")->{json}{chats} } };
    is $prompts->(''), join(' ', 1 .. 1001), 'is whole and in order, however many were asked in one moment';
    is $prompts->('/s1'), join(' ', grep { $_ % 2 } 1 .. 1001), 'of one visitor too';
    is scalar @{ history($busy, 's1') }, 1000, 'a visitor sees the newest 500 exchanges';
    is +(grep { $_->{uuid} eq $busy->{uuid} } @{ admin(GET => '')->{json}{embeds} })[0]{chat_count}, 1001, 'all are counted';
};

# Whose sessions there are cannot be found out by trying.
subtest 'who guesses' => sub {
    my ($busy, $quiet) = (embed(), embed());
    my $strict = start_exedra(db => $db, settings => { %settings, 'widget.guesses' => 5, processes => 2 });
    my $from = sub {
        my ($address, $method, $in, $session, $body) = @_;
        return http($strict, $method, "/api/embed/$in->{uuid}/$session", headers => { Origin => $PAGE }, params => { REMOTE_ADDR => $address },
            $body ? (body => json_text($body)) : ());
    };
    my $look = sub { my ($address, $in, $session) = @_; return $from->($address, GET => $in, $session)->{status} };
    my $say = sub { my ($address, $session) = @_; return $from->($address, POST => $busy, 'stream-chat', { sessionId => $session, message => 'Hi' }) };
    my @names = map { $sessions[$_] } 150 .. 190;
    my $left = 60 - fmod(clock_gettime(CLOCK_MONOTONIC), 60); # of the minute that is counted
    sleep $left + 0.1 if $left < (asan() ? 30 : 8);

    is $say->('10.0.0.1', $names[0])->{status}, 200, 'a new visitor';
    is_deeply [map { $look->('10.0.0.1', $busy, $names[0]) } 1 .. 20], [(200) x 20], 'may look back as often as they like';
    is $say->('10.0.0.1', $names[0])->{status}, 200, 'and ask';
    is_deeply [map { $look->('10.0.0.2', $busy, $_) } @names[1 .. 7]], [(200) x 5, 429, 429], 'who names others is told nothing any more';
    my $got = $from->('10.0.0.2', GET => $busy, $names[0]);
    is_deeply [$got->{status}, $got->{json}{type}, $got->{json}{error}], [429, 'abort', 'Too many chats that there are not. Try again in a minute.'], 'not even of one that there is';
    like $got->{headers}{'retry-after'}, qr/^(?:[1-9]|[1-5][0-9]|60)$/, '... for a minute at most';
    is $from->('10.0.0.2', DELETE => $busy, $names[0])->{status}, 429, 'nor can end it';
    refused($say->('10.0.0.2', $names[0]), 429, 'Too many chats that there are not. Try again in a minute.', 'or go on with it');
    is $look->('10.0.0.2', $quiet, $names[0]), 200, 'in another embed all is as ever';
    is $look->('10.0.0.1', $busy, $names[0]), 200, 'and for another visitor';
    is_deeply [map { $from->('10.0.0.3', DELETE => $busy, $_)->{status} } @names[1 .. 6]], [(200) x 5, 429], 'trying to end them';
    is_deeply [map { $say->('10.0.0.4', $_)->{status} } @names[11 .. 16]], [(200) x 5, 429], 'or to go on with them';
    is_deeply [map { $look->("2001:db8::$_", $busy, $names[$_]) } 21 .. 26], [(200) x 5, 429], 'a network of IPv6 is one address';
    is $look->('2001:db8:0:1::1', $busy, $names[21]), 200, '... and the next one another';
    is_deeply [map { $look->("::ffff:10.0.0.$_", $busy, $names[$_]) } 21 .. 26], [(200) x 6], '... but not of IPv4 that is written so';
    my @all = in_parallel(8, sub { { status => $look->('10.0.0.6', $busy, $_[0]) } }, map { $names[20] . $_ } 1 .. 60);
    my $through = grep { $_->{status} == 200 } @all;
    cmp_ok $through, '<', 5 + 8, "at once: $through of 60, in two workers";
    ok $strict->stop, 'it ends well';
};

subtest 'pages of any origin' => sub {
    my $all = embed(allowlist_domains => '');
    my $none = embed(allowlist_domains => 'not a host');
    refused(ask($all, $sessions[140], 'Hi'), 401, 'Invalid request.', 'no list: nobody');
    is look(GET => $all, $sessions[140])->{headers}{'access-control-allow-origin'}, undef, 'may read';
    my $open = start_exedra(db => $db, settings => { %settings, 'widget.open' => 'on' });
    my $there = sub { my ($embed, $origin) = @_; visit($embed, { sessionId => $sessions[140], message => 'Hi' }, origin => $origin, server => $open) };
    is_deeply [@{ $there->($all, $_) }{status}, $there->($all, $_)->{headers}{'access-control-allow-origin'}], [200, '*'], 'widget.open: ' . ($_ // 'not even a page') for 'https://any.example', 'null', undef;
    refused($there->($none, 'https://any.example'), 401, 'Invalid request.', 'a list of which nothing is left stays shut');
    refused($there->($embed, 'https://any.example'), 401, 'Invalid request.', 'and a list a list');
    ok $open->stop, 'it ends well';
};

subtest 'what fails' => sub {
    my $broken = start_exedra(db => $db, settings => { %settings, 'llm.url' => 'http://127.0.0.1:9/v1', 'llm.key' => 'SECRET-KEY' });
    my $got = visit($embed, { sessionId => $sessions[150], message => 'Hi' }, server => $broken);
    refused($got, 500, 'The chat cannot answer at the moment. Try again later.', 'a visitor learns nothing of the provider');
    is $got->{headers}{'access-control-allow-origin'}, $PAGE, 'but the page may read that';
    is admin(GET => "/$embed->{uuid}/chats/$sessions[150]")->{body}, '{"chats":[]}', 'it is no chat';
    ok $broken->stop, 'it ends well';
};

subtest 'the tenant is shut' => sub {
    my $slow = start_model(deltas => [map { "word $_ " } 1 .. 400], pause => 0.05);
    my $other = start_exedra(db => $db, settings => { %settings, 'llm.url' => $slow->{url} });
    for my $case (['the embed is', sub { admin(POST => "/$embed->{uuid}", { enabled => JSON::PP::false() }) }, sub { admin(POST => "/$embed->{uuid}", { enabled => JSON::PP::true() }) }],
        ['the tenant is', sub { exedractl($db, qw(tenant suspend acme)) }, sub { }]) {
        my ($who, $shut, $open) = @$case;
        my $stream = http_stream($other, POST => "/api/embed/$embed->{uuid}/stream-chat", headers => { Origin => $PAGE, 'Content-Type' => 'text/plain' },
            body => json_text({ sessionId => $sessions[160], message => 'Talk' }));
        $stream->next;
        $shut->();
        my @rest = $stream->events;
        is $rest[-1]{json}{type}, 'abort', "$who shut: a stream ends";
        cmp_ok scalar @rest, '<', 120, 'soon';
        $open->();
    }
    is_deeply [@{ $_->[1] }{qw(status body)}], [404, 'Not Found'], "then there is no such embed: $_->[0]" for ['chat', ask($embed, $sessions[0], 'Hi')],
        ['history', look(GET => $embed, $sessions[1])], ['reset', look(DELETE => $embed, $sessions[1])];
    exedractl($db, qw(tenant resume acme));
    is_deeply [@{ http($exedra, GET => "/embed/$embed->{uuid}/$sessions[1]", params => { EXEDRA_TENANT => 'beta' }) }{qw(status body)}], [404, 'Not Found'], "nor under another tenant's name";
    is http($exedra, GET => "/embed/$embed->{uuid}/$sessions[1]", params => { EXEDRA_TENANT => 'acme' })->{status}, 200, 'under its own there is';
};

subtest 'a workspace goes' => sub {
    my $gone = admin(POST => '/new', { workspace_slug => 'other', allowlist_domains => $PAGE, chat_mode => 'chat' })->{json}{embed};
    ask($gone, $sessions[170], 'Hi');
    is http($exedra, DELETE => '/v1/workspace/other', key => $acme->{key})->{body}, 'OK', 'with an embed';
    is ask($gone, $sessions[170], 'Hi')->{status}, 404, 'which goes too';
    is psql($db, "SELECT count(*) FROM exedra.embed_address WHERE uuid = '$gone->{uuid}'"), 0, 'with its address';
};

done_testing;
