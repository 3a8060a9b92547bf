# What a tenant's administrators set, by API, exedractl and SQL: AnythingLLM's environment as rows of the tenant's, its preferences, its switches,
# and the token with which somebody is signed in.  No secret comes back, nothing is set for the server or another tenant, and each
# change holds at the next request.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Contract;

my $db = database();
my $model = start_model();
my $key_file = tmp_dir() . '/secret.key';
spew($key_file, '5a' x 32 . "\n");
chmod 0600, $key_file;
my %settings = ('secret.file' => $key_file, 'outbound.allow' => '127.0.0.0/8');
my $exedra = start_exedra(db => $db, settings => \%settings);
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my ($true, $false) = (JSON::PP::true(), JSON::PP::false());

sub admin { my ($method, $path, $json, %with) = @_; return http($exedra, $method, "/v1/$path", key => $acme->{key}, defined $json ? (json => $json) : (), %with) }
sub update { return admin(POST => 'system/update-env', @_)->{json} }
sub settings { return admin(GET => 'system')->{json}{settings} }
sub rows_of { my ($what) = @_; return psql($db, $what) }
# A body whose keys stand in this order.
sub ordered { my @pairs; while (my ($k, $v) = splice @_, 0, 2) { push @pairs, json_text($k) . ':' . json_text($v) } return '{' . join(',', @pairs) . '}' }

subtest 'as it comes' => sub {
    my $got = admin(GET => 'system/env-dump');
    is_deeply [$got->{status}, $got->{body}, $got->{headers}{'content-type'} =~ m{^text/plain}], [200, 'OK', 1], 'env-dump';
    is http($exedra, GET => '/v1/system/env-dump')->{status}, 403, 'not without a key';
    my $settings = settings();
    my %general = (RequiresAuth => 'bool', AuthToken => 'bool', JWTSecret => 'bool', MultiUserMode => 'bool', MemoryEnabled => 'bool', MemoryAutoExtraction => 'bool',
        DisableTelemetry => qr/^(?:true|false)$/, EmbeddingEngine => 'string', HasExistingEmbeddings => 'bool', HasCachedEmbeddings => 'bool', EmbeddingModelPref => 'string',
        VectorDB => 'string', LLMProvider => 'string', LLMModel => 'string?', PGVectorConnectionString => 'bool', PGVectorTableName => 'string',
        DisableViewChatHistory => 'bool', WorkspaceDeletionProtection => 'bool', SimpleSSOEnabled => 'bool', SimpleSSONoLogin => 'bool',
        SimpleSSONoLoginRedirect => 'string?', AgentSkillMaxToolCalls => 'int', AgentSkillRerankerEnabled => 'bool', AgentSkillRerankerTopN => 'int',
        AgentClarifyingQuestionsEnabled => 'bool', AgentClarifyingQuestionsMaxPerTurn => 'int');
    shape_is { map { $_ => $settings->{$_} } keys %general }, \%general, 'the block that is always there';
    is_deeply [@$settings{qw(LLMProvider LLMModel EmbeddingEngine OpenAiKey AnthropicApiKey AgentTavilyApiKey MultiUserMode SimpleSSOEnabled)}],
        ['quote', 'quote', 'native', $false, $false, undef, $true, $false], 'nothing is set';
    ok !exists $settings->{GenericOpenAiBasePath} && exists $settings->{LMStudioTokenLimit}, 'texts are left out, or null';
    is_deeply [@$settings{qw(WhisperProvider AzureOpenAiTokenLimit)}], ['local', 4096], 'presets have their types';
    cmp_ok scalar keys %$settings, '>', 110, 'as many as the contract has';
};

subtest 'a provider' => sub {
    my $url = $model->{url};
    is_deeply update({ GenericOpenAiBasePath => $url, GenericOpenAiKey => 'sk-acme-secret-1', GenericOpenAiModelPref => 'm-1', GenericOpenAiTokenLimit => 4096, LLMProvider => 'generic-openai' }),
        { newValues => { GenericOpenAiBasePath => $url, GenericOpenAiKey => '******', GenericOpenAiModelPref => 'm-1', GenericOpenAiTokenLimit => '4096', LLMProvider => 'generic-openai' }, error => $false },
        'is set, a number too; the secret is not echoed';
    is rows_of(q{SELECT name, kind, url, model, context_tokens, preferred, sealed_key IS NOT NULL FROM exedra.provider}), join("\t", 'generic-openai', 'openai', $url, 'm-1', 4096, 't', 't'), 'a row of the tenant';
    is rows_of(q{SELECT count(*) FROM exedra.provider WHERE encode(sealed_key, 'escape') LIKE '%acme-secret%'}), 0, 'its key is sealed';
    my $settings = settings();
    is_deeply [@$settings{qw(LLMProvider LLMModel GenericOpenAiKey GenericOpenAiBasePath GenericOpenAiTokenLimit OpenAiKey)}], ['generic-openai', 'm-1', $true, $url, '4096', $false], 'as GET shows it';
    unlike admin(GET => 'system')->{body}, qr/acme-secret/, 'without the secret';
    workspace($exedra, $acme->{key}, 'Room');
    is chat($exedra, $acme->{key}, 'room', 'Hello?')->{json}{textResponse}, 'Hello there.', 'it answers at the next request';
    is +($model->requests)[-1]{headers}{authorization}, 'Bearer sk-acme-secret-1', 'with its key';
    is_deeply update({ GenericOpenAiModelPref => 'm-2', GenericOpenAiKey => '******', Unknown => 'x', RequiresAuth => 'x' }), { newValues => { GenericOpenAiModelPref => 'm-2' }, error => $false }, 'masks and unknown keys are passed over';
    chat($exedra, $acme->{key}, 'room', 'Hello?');
    is_deeply [map { $_->{headers}{authorization} . ' ' . $_->{json}{model} } ($model->requests)[-1]], ['Bearer sk-acme-secret-1 m-2'], 'the key stays with its address';
    update({ GenericOpenAiBasePath => "$url/elsewhere" });
    is settings()->{GenericOpenAiKey}, $false, 'and goes with it';
    is_deeply http($exedra, GET => '/v1/system', key => $beta->{key})->{json}{settings}{LLMProvider}, 'quote', "not another tenant's";
    is_deeply update({ LLMProvider => 'quote' }), { newValues => { LLMProvider => 'quote' }, error => $false }, "the server's again";
    like chat($exedra, $acme->{key}, 'room', 'Hello?')->{body}, qr/"provider":"quote"/, 'answers';
    is_deeply update({ OllamaLLMBasePath => 'http://127.0.0.1:11434', OllamaLLMModelPref => 'l', LLMProvider => 'ollama' })->{error}, $false, 'Ollama';
    # Contract, annex B: any value will do for these; empty is what clients send for `as the model has it'.
    is_deeply update({ OllamaLLMTokenLimit => 4096 })->{error}, $false, 'with a context window';
    is_deeply update({ OllamaLLMTokenLimit => '' }), { newValues => { OllamaLLMTokenLimit => '' }, error => $false }, 'which is taken back';
    is rows_of(q{SELECT context_tokens FROM exedra.provider WHERE preferred}), 8192, 'and is the usual one again';
    is rows_of(q{SELECT kind, url FROM exedra.provider WHERE preferred}), "ollama\thttp://127.0.0.1:11434/v1", 'is spoken to as OpenAI is';
    is_deeply update({ LLM_PROVIDER => 'openai', OPEN_AI_KEY => 'sk-of-env' }), { newValues => { LLMProvider => 'openai', OpenAiKey => '******' }, error => $false }, "the environment's names";
    is rows_of(q{SELECT url FROM exedra.provider WHERE preferred AND sealed_key IS NOT NULL}), 'https://api.openai.com/v1', 'a service that is well known';
    my @race = in_parallel(12, sub { update({ LLMProvider => $_[0] % 2 ? 'openai' : 'ollama', OllamaLLMModelPref => "m$_[0]" }) }, 1 .. 12);
    is_deeply [grep { $_->{error} } @race], [], 'many at once: each is done';
    is rows_of('SELECT count(*) FROM exedra.provider WHERE preferred'), 1, 'and one is preferred';
    update({ LLMProvider => 'quote' });
};

subtest 'what is refused' => sub {
    wait_for { !rows_of('SELECT count(*) FROM exedra.job') } 30, 'what the changes have set off to be done';
    my $before = fingerprint($db);
    for my $case (
        [{ AuthToken => 'x' }, 'Cannot set this setting.'], [{ JWTSecret => 'x' }, 'Cannot set this setting.'],
        [{ OpenAiKey => 'x' }, 'OpenAI Key must start with sk-'], [{ OpenAiModelPref => '' }, 'Value cannot be empty'],
        [{ GenericOpenAiBasePath => 'nowhere' }, 'URL is not a valid URL.'], [{ GenericOpenAiBasePath => 'file:///etc/passwd' }, 'URL is not a valid URL.'],
        [{ LMStudioBasePath => 'http://x.test' }, 'URL must include /v1'], [{ OllamaLLMBasePath => 'http://x.test/' }, 'URL cannot end with a slash'],
        [{ GenericOpenAiBasePath => 'http://u:p@x.test/v1' }, 'URL must not hold a user or a password'],
        [{ GenericOpenAiTokenLimit => 'x' }, 'Value must be a number'], [{ GenericOpenAiTokenLimit => '0' }, qr/at least 512/],
        [{ GenericOpenAiTokenLimit => '' }, 'Value must be a number'], [{ OllamaLLMTokenLimit => 'x' }, 'Value must be a number'],
        [{ LLMProvider => 'clippy' }, 'clippy is not a valid LLM provider.'], [{ LLMProvider => 'bedrock' }, qr/^LLMProvider: bedrock/],
        [{ EmbeddingEngine => 'x' }, qr/^Invalid Embedding model type. Must be one of openai, azure/], [{ VectorDB => 'x' }, qr/^Invalid VectorDB type. Must be one of chroma, /],
        [{ VectorDB => 'lancedb' }, qr/^VectorDB: only the operator/], [{ TTSOpenAIKey => 'sk-x' }, qr/^TTSOpenAIKey cannot be set here/],
        [{ LiteLLMApiKey => 'x' }, qr/^litellm: name its address/], [{ OpenAiModelPref => ['x'] }, 'OpenAiModelPref must be a text.'],
        [{ EmbeddingOutputDimensions => '9000' }, qr/from 1 to 8192/], [{ DisableTelemetry => 'false' }, qr/telemetry/],
        (map { [{ GenericOpenAiBasePath => $_ }, qr/^GenericOpenAiBasePath: only the operator can permit/] } 'http://10.0.0.1/v1', 'http://169.254.169.254/', 'http://[::1]/v1', 'http://0xa000001/', 'http://[::ffff:10.0.0.1]/v1'),
    ) {
        my $got = admin(POST => 'system/update-env', $case->[0]);
        is $got->{status}, 200, json_text($case->[0]);
        ref $case->[1] ? like $got->{json}{error}, $case->[1], 'why' : is $got->{json}{error}, $case->[1], 'why';
        is_deeply $got->{json}{newValues}, {}, 'nothing was applied';
    }
    is fingerprint($db), $before, 'nothing was written';
    is_deeply admin(POST => 'system/update-env', undef, body => ordered(OpenAiModelPref => 'gpt-1', AuthToken => 'x', GroqApiKey => 'late'))->{json},
        { newValues => { OpenAiModelPref => 'gpt-1' }, error => 'Cannot set this setting.' }, 'the first that is refused ends it; what came before holds';
    is_deeply [@{ settings() }{qw(OpenAiModelPref GroqApiKey)}], ['gpt-1', $false], 'so it is stored';
    my $closed = start_exedra(db => $db, settings => { 'secret.file' => tmp_dir() . '/none' });
    my $error = http($closed, POST => '/v1/system/update-env', key => $acme->{key}, json => { OpenAiKey => 'sk-x' })->{json}{error};
    like $error, qr/secret\.file/, 'without a key file no secret is taken';
    like http($closed, POST => '/v1/system/update-env', key => $acme->{key}, json => { LLMProvider => 'lmstudio' })->{json}{error}, qr/outbound\.allow/, "nor an address of the operator's network";
    my $manager = account($acme, 'max', role => 'manager');
    is http($exedra, POST => '/v1/system/update-env', key => $manager->{key}, json => { OpenAiModelPref => 'x' })->{status}, 403, 'nor anything from a manager';
};

subtest 'an embedder' => sub {
    is_deeply update({ EmbeddingEngine => 'generic-openai', EmbeddingBasePath => $model->{url}, EmbeddingModelPref => 'e-1', EmbeddingOutputDimensions => 5, GenericOpenAiEmbeddingApiKey => 'emb-secret' })->{error}, $false, 'is set';
    is rows_of(q{SELECT string_agg(name || '=' || value, ' ' ORDER BY name) FROM exedra.setting}), 'embedding_dimensions=5 embedding_model=e-1 embedding_provider=generic-openai-embedding', 'as settings';
    is rows_of(qq{SELECT url = '$model->{url}', sealed_key IS NOT NULL, preferred FROM exedra.provider WHERE name = 'generic-openai-embedding'}), "t\tt\tf", 'and a provider of its own';
    is_deeply [@{ settings() }{qw(EmbeddingEngine EmbeddingModelPref EmbeddingOutputDimensions EmbeddingBasePath GenericOpenAiEmbeddingApiKey)}], ['generic-openai', 'e-1', '5', $model->{url}, $true], 'as GET shows it';
    update({ EmbeddingEngine => 'native' });
    is rows_of('SELECT count(*) FROM exedra.setting'), 0, "the server's again";
};

subtest 'preferences' => sub {
    my $set = sub { my ($wish, $stored, $what) = @_;
        is_deeply admin(POST => 'admin/preferences', $wish)->{json}, { success => $true, error => undef }, $what // json_text($wish);
        for my $name (sort keys %$stored) { is rows_of("SELECT coalesce(max(value), '-') FROM exedra.setting WHERE name = '$name'"), $stored->{$name}, "$name is $stored->{$name}" } };
    $set->({ support_email => 'help@acme.test', nothing => 'x', tenant_id => 2, multi_user => 'off' }, { support_email => 'help@acme.test', nothing => '-', multi_user => '-' }, 'others are passed over');
    $set->({ text_splitter_chunk_size => $_->[0] }, { chunk_size => $_->[1] }) for [500, 500], ['700', 700], ['x', 1000], [-5, 1000], [99999, 8000], [1e300, 8000];
    $set->({ text_splitter_chunk_overlap => $_->[0] }, { chunk_overlap => $_->[1] }) for [0, 0], ['x', 20], [-1, 20];
    my $passages = sub { my ($size, $title) = @_;
        admin(POST => 'admin/preferences', { text_splitter_chunk_size => $size });
        document($exedra, $acme->{key}, $title, join ' ', map { "$title$_" } 1 .. 200);
        return rows_of("SELECT max(length(c.text)) <= $size AND count(*) > 1 FROM exedra.chunk c JOIN exedra.document d ON d.version_id = c.version_id WHERE d.title = '$title.txt'") };
    is $passages->(200, 'small'), 't', 'new documents are cut so';
    is $passages->(400, 'large'), 't', 'and so';
    $set->({ default_agent_skills => 'a,b,,c' }, { default_agent_skills => '["a","b","c"]' });
    $set->({ footer_data => json_text([map { { icon => 'i', url => $_ } } 'https://a.test/', 'nope', 'https://b.test/', 'https://c.test/', 'https://d.test/']) },
        { footer_data => '[{"icon":"i","url":"https://a.test/"},{"icon":"i","url":"https://b.test/"},{"icon":"i","url":"https://c.test/"}]' }, 'three links');
    $set->({ footer_data => $_ }, { footer_data => '[]' }, "no links: $_") for 'x', '{"a":1}', "['x']";
    $set->({ memory_enabled => $true }, { memory_enabled => 'on' });
    is settings()->{MemoryEnabled}, $true, 'GET /v1/system shows it';
    $set->({ hub_api_key => 'hub-secret-9' }, {});
    is rows_of(q{SELECT value !~ 'secret' AND value ~ '^[0-9a-f]+$' FROM exedra.setting WHERE name = 'hub_api_key'}), 't', 'a secret is sealed';
    unlike admin(GET => 'system')->{body} . exedractl($db, qw(setting list acme)), qr/hub-secret/, 'and not shown';
    $set->({ default_system_prompt => 'Speak plainly.' }, { default_prompt => 'Speak plainly.' });
    is workspace($exedra, $acme->{key}, 'Plain')->{openAiPrompt}, 'Speak plainly.', 'new workspaces have it';
    $set->({ default_system_prompt => 'x' x 65536 }, { default_prompt => 'x' x 65536 }, 'a prompt as long as exedractl takes it');
    like admin(POST => 'admin/preferences', { default_system_prompt => 'x' x 65537 })->{json}{error}, qr/^default_system_prompt is too long/, 'a longer one is refused';
    $set->({ default_system_prompt => '', support_email => undef }, { default_prompt => '-', support_email => '-' }, 'nothing takes it back');
};

subtest 'one who administers by SQL' => sub {
    exedractl($db, qw(setting set beta default_prompt), "From\tSQL.\n\\");
    is workspace($exedra, $beta->{key}, 'Hall')->{openAiPrompt}, "From\tSQL.\n\\", 'holds at the next request';
    like exedractl($db, qw(setting list beta)), qr/^default_prompt\tFrom\\tSQL\.\\n\\\\\tt\tSystem prompt/m, 'is listed, in one line';
    like exedractl($db, qw(setting list acme)), qr/^hub_api_key\t\*{6}\tt\t/m, 'secrets masked';
    exedractl($db, qw(setting unset beta default_prompt));
    unlike exedractl($db, qw(setting list beta)), qr/From/, 'is taken back';
    for my $case (['nothing', 'x', qr/no setting/], ['multi_user', 'maybe', qr/on or off/], ['chunk_size', '5', qr/from 100 to 8000/], ['chunk_size', '-', qr/from 100/], ['language', 'klingon', qr/no text search configuration/],
        ['default_prompt', '', qr/1 to 65536/], ['hub_api_key', 'plain', qr/secret/]) {
        my $ran = run([program('exedractl'), '-d', $db->conninfo('owner'), qw(setting set beta), $case->[0], $case->[1]]);
        ok $ran->{status} != 0, "$case->[0] = $case->[1]";
        like $ran->{err}, $case->[2], 'why';
    }
};

subtest 'a tenant of one person' => sub {
    exedractl($db, qw(setting set acme multi_user off));
    is admin(GET => 'admin/is-multi-user-mode')->{body}, '{"isMultiUser":false}', 'says so';
    is settings()->{MultiUserMode}, $false, 'in its settings too';
    for my $route ([GET => 'admin/users'], [POST => 'admin/users/new', { username => 'x' }], [POST => 'admin/users/1', {}], [DELETE => 'admin/users/1'], [GET => 'admin/invites'],
        [POST => 'admin/invite/new', {}], [DELETE => 'admin/invite/1'], [GET => 'admin/workspaces/1/users'], [POST => 'admin/workspaces/1/update-users', { userIds => [] }],
        [POST => 'admin/workspaces/room/manage-users', { userIds => [1] }], [POST => 'admin/preferences', {}]) {
        my $got = admin(@$route);
        is_deeply [$got->{status}, $got->{body}, $got->{headers}{'content-type'} =~ m{^text/plain}], [401, 'Unauthorized', 1], "$route->[0] $route->[1]";
    }
    is admin(POST => 'admin/users/new', undef, body => '{')->{status}, 401, 'before the body';
    is http($exedra, GET => '/v1/admin/users', key => 'wrong')->{status}, 403, 'after the key';
    is_deeply [@{ admin(GET => 'users') }{qw(status body)}], [401, 'Instance is not in Multi-User mode. Permission denied.'], 'GET users';
    is admin(POST => 'admin/workspace-chats', {})->{status}, 200, 'chats are listed all the same';
    is http($exedra, GET => '/v1/admin/users', key => $beta->{key})->{status}, 200, "another tenant's are its own";
    exedractl($db, qw(setting unset acme multi_user));
    is admin(GET => 'admin/users')->{status}, 200, 'and back';
};

subtest 'a token that signs in' => sub {
    my $id = http($exedra, POST => '/v1/admin/users/new', key => $acme->{key}, json => { username => 'sam', password => 'long enough' })->{json}{user}{id};
    my $issue = sub { return admin(GET => 'users/' . ($_[0] // $id) . '/issue-auth-token') };
    my $use = sub { my ($token, %with) = @_; return http($exedra, GET => "/api/request-token/sso/simple?token=$token", %with) };
    is_deeply [@{ $issue->() }{qw(status body)}], [403, 'Simple SSO is not enabled. It must be enabled to validate or issue temporary auth tokens.'], 'is off';
    exedractl($db, qw(setting set acme simple_sso on));
    my $got = $issue->();
    shape_is $got->{json}, { token => qr/^allm-tat-[\w-]{43}$/, loginPath => qr{^/sso/simple\?token=allm-tat-} }, 'its shape';
    my $first = $got->{json}{token};
    is rows_of("SELECT count(*) FROM exedra.sign_in_token t WHERE t::text LIKE '%$first%'"), 0, 'its text is kept nowhere';
    is http($exedra, GET => '/v1/auth', key => $first)->{status}, 403, 'it is no key';
    my $second = $issue->()->{json}{token};
    is_deeply [@{ $use->($first) }{qw(status)}, $use->($first)->{json}{valid}], [401, $false], 'an earlier one ends';
    is http($exedra, GET => "/sso/simple?token=$second", params => { EXEDRA_TENANT => 'beta' })->{status}, 401, "not where the web server names another tenant";
    my @tokens = map { $issue->()->{json}{token} } 1;
    my @used = in_parallel(8, sub { $use->($tokens[0]) }, 1 .. 8);
    my @in = grep { $_->{status} == 200 } @used;
    is scalar @in, 1, 'of many that bring it one comes in';
    is_deeply [$in[0]{json}{user}{username}, $in[0]{json}{valid}, $in[0]{headers}{'set-cookie'}], ['sam', $true, undef], 'as its account, without a cookie';
    is $in[0]{headers}{'cache-control'}, 'no-store', 'nobody keeps the answer';
    is http($exedra, GET => '/v1/workspaces', key => $in[0]{json}{token})->{status}, 200, 'its session opens';
    is http($exedra, GET => '/v1/system', key => $in[0]{json}{token})->{status}, 403, "with the account's rights";
    my $late = $issue->()->{json}{token};
    is rows_of('SELECT bool_and(expires_at BETWEEN now() + interval \'5 minutes\' AND now() + interval \'6 minutes\') FROM exedra.sign_in_token'), 't', 'for six minutes';
    psql($db, "UPDATE exedra.sign_in_token SET expires_at = now() - interval '1 s'");
    is $use->($late)->{status}, 401, 'not later';
    my $suspended = $issue->()->{json}{token};
    exedractl($db, qw(account suspend acme sam));
    is $use->($suspended)->{status}, 401, 'nor for who is suspended';
    is_deeply [@{ $issue->($_) }{qw(status body)}], [404, '{"error":"User not found"}'], "'$_' is nobody" for 0, 987654, 'x', -1, '1.5', '9223372036854775808', $id;
    is $use->($_)->{status}, 401, "no token: '$_'" for '', 'x', 'allm-tat-x';
    exedractl($db, qw(setting set acme multi_user off));
    like $issue->()->{body}, qr/^Multi-User mode is not enabled\./, 'nor where there are no accounts';
};

subtest 'what nobody serves' => sub {
    my $name = 'report-0123abcd-0123-0123-0123-0123456789ab.pdf';
    my $got = admin(GET => "document/generated-files/$name");
    is $got->{status}, 501, 'a file that an agent has made';
    like $got->{json}{error}, qr/agentProvider/, 'names the setting';
    is_deeply [@{ admin(GET => "document/generated-files/$_") }{qw(status body)}], [400, '{"error":"Invalid filename format"}'], "not '$_'"
        for 'x', 'report-1.pdf', '0123-0123abcd-0123-0123-0123-0123456789ab.pdf', 'report-0123abcd-0123-0123-0123-0123456789ab.', 'report-0123abcd-0123-0123-0123-0123456789ab.p%20f', '..%2fx';
    $got = admin(POST => 'openai/images/generations', { prompt => 'A boat.' });
    is $got->{status}, 501, 'an image';
    like $got->{json}{error}, qr/ImageGenerationProvider/, 'names the setting';
};

done_testing;
