# Every change in the administration leaves exactly one event, with who, what, which, whence and when; chats and reads leave none; no
# event holds a secret; nobody changes or deletes one.  The administrator's role does all of it without a right on a table.
use lib 't/lib';
use Exedra::Test;

my $db = database(roles => 'two');
my $admin = "exedra_admin_$$";
psql($db, "CREATE ROLE $admin LOGIN");
exedractl($db, 'upgrade', '--runtime-role', $db->{role}{runtime}, '--admin-role', $admin);
$db->{role}{admin} = $admin;
my $exedra = start_exedra(db => $db, settings => { 'secret.file' => tmp_dir() . '/secret' });
my (@secrets, $newest);

# What the sub has left: rows of action, actor, actor_name, object_name, address, whether there is a request id.
sub left {
    my ($do) = @_;
    my $before = psql($db, 'SELECT coalesce(max(id), 0) FROM exedra.event');
    $do->();
    return map { [split /\t/] } split /\n/, psql($db, "SELECT action, actor, coalesce(actor_name, '-'), coalesce(object_name, '-'), coalesce(address, '-'), request_id IS NOT NULL
        FROM exedra.event WHERE id > $before ORDER BY id");
}

sub one {
    my ($action, $do) = @_;
    my @left = left($do);
    is join(',', map { $_->[0] } @left), $action, $action;
    $newest = $left[0] // [];
    return $newest;
}

# exedractl as the administrator's role.
sub ctl {
    my ($input, @command) = ref $_[0] ? @_ : (undef, @_);
    my $ran = run([program('exedractl'), '-c', tmp_dir() . '/ctl.conf', '-d', $db->conninfo('admin'), @command], stdin => $input ? $$input : '');
    is $ran->{status}, 0, "exedractl @command" or diag $ran->{err};
    chomp $ran->{out};
    return $ran->{out};
}
spew(tmp_dir() . '/ctl.conf', 'secret.file = ' . tmp_dir() . "/secret\n");

sub api {
    my ($key, $method, $path, $json, %with) = @_;
    my $got = http($exedra, $method, $path, key => $key, defined $json ? (json => $json) : (), headers => { 'X-Request-Id' => 'ask-1' },
        params => { REMOTE_ADDR => '192.0.2.7' }, %with);
    cmp_ok $got->{status}, '<', 300, "$method $path" or diag $got->{body};
    return $got;
}

my $key;
subtest 'by exedractl, as the administrator\'s role' => sub {
    one 'tenant.create' => sub { ctl(qw(tenant create acme)) };
    is_deeply $newest, ['tenant.create', 'operator', $admin, 'acme', '-', 'f'], 'by whom: the database role';
    ctl(qw(tenant create beta));
    one $_->[0] => $_->[1] for
        ['key.create', sub { push @secrets, $key = ctl(qw(key create acme --label main)) }],
        ['account.create', sub { ctl(qw(account create acme anna)) }],
        ['account.suspend', sub { ctl(qw(account suspend acme anna)) }],
        ['account.resume', sub { ctl(qw(account resume acme anna)) }],
        ['key.create', sub { push @secrets, ctl(qw(key create acme --account anna --read-only --groups chat --cidr 192.0.2.0/24)) }],
        ['key.suspend', sub { ctl(qw(key suspend acme 2)) }],
        ['key.resume', sub { ctl(qw(key resume acme 2)) }],
        ['key.delete', sub { ctl(qw(key delete acme 2)) }],
        ['tenant.suspend', sub { ctl(qw(tenant suspend acme)) }],
        ['tenant.resume', sub { ctl(qw(tenant resume acme)) }],
        ['setting.update', sub { ctl(qw(setting set acme language simple)) }],
        ['setting.update', sub { ctl(qw(setting unset acme language)) }],
        ['provider.set', sub { push @secrets, 'sk-provider-secret'; ctl(\"sk-provider-secret\n", qw(provider set acme p https://models.example/v1 --key - --model m --preferred)) }],
        ['embedder.set', sub { ctl(qw(embedder set acme none)) }],
        ['embedder.set', sub { ctl(qw(embedder unset acme)) }],
        ['provider.delete', sub { ctl(qw(provider delete acme p)) }],
        ['session.revoke', sub { ctl(qw(session end acme anna)) }],
        ['limit.set', sub { ctl(qw(limit set acme chats_day 1000)) }],
        ['limit.set', sub { ctl(qw(limit unset acme chats_day)) }];
    is psql($db, "SELECT detail ->> 'networks' FROM exedra.event WHERE action = 'key.create' AND detail ->> 'read_only' = 'true'"), '["192.0.2.0/24"]', 'with what a key may not';
    is_deeply [left(sub { ctl($_, 'list', $_ eq 'tenant' ? () : 'acme') for qw(tenant account key provider setting session limit embedder) })], [], 'lists leave none';
    is_deeply [left(sub { run([program('exedractl'), '-d', $db->conninfo('admin'), qw(tenant create acme)]) })], [], 'nor what failed';
};

my ($max, $slug, $embed);
subtest 'by the API' => sub {
    one 'account.create' => sub { $max = api($key, POST => '/v1/admin/users/new', { username => 'max', password => 'pass of max', role => 'manager' })->{json}{user}{id} };
    my $first = psql($db, 'SELECT max(id) FROM exedra.event');
    is_deeply $newest, ['account.create', 'key', 'main', 'max', '192.0.2.7', 't'], 'by which key, from where, which request';
    is psql($db, 'SELECT request_id FROM exedra.event ORDER BY id DESC LIMIT 1'), 'ask-1', 'whose id it was';
    api($key, POST => '/v1/document/create-folder', { name => 'drawer' });
    one $_->[0] => do { my $case = $_; sub { api($key, @$case[1, 2, 3]) } } for
        ['account.update', POST => "/v1/admin/users/$max", { bio => 'Likes boats.', password => 'other pass' }],
        ['account.suspend', POST => "/v1/admin/users/$max", { suspended => 1, bio => '' }],
        ['account.resume', POST => "/v1/admin/users/$max", { suspended => 0 }],
        ['workspace.create', POST => '/v1/workspace/new', { name => 'Hall' }],
        ['workspace.update', POST => '/v1/workspace/hall/update', { topN => 5 }],
        ['workspace.members', POST => '/v1/admin/workspaces/1/update-users', { userIds => [1] }],
        ['workspace.members', POST => '/v1/admin/workspaces/hall/manage-users', { userIds => [$max] }],
        ['workspace.update', POST => '/v1/knowledge/hall/update', { name => 'Hall', description => 'Ours.' }],
        ['workspace.reset', POST => '/v1/knowledge/hall/reset'],
        ['setting.update', POST => '/v1/admin/preferences', { support_email => 'help@acme.example' }],
        ['provider.set', POST => '/v1/system/update-env', { LLMProvider => 'openai', OpenAiKey => 'sk-env-secret', OpenAiModelPref => 'gpt' }],
        ['chat.export', GET => '/v1/system/export-chats?type=csv'],
        ['folder.delete', DELETE => '/v1/document/remove-folder', { name => 'drawer' }];
    push @secrets, 'pass of max', 'other pass', 'sk-env-secret', 'pass of guest';
    ctl(qw(provider delete acme), psql($db, 'SELECT name FROM exedra.provider'));
    one 'invite.create' => sub { push @secrets, api($key, POST => '/v1/admin/invite/new', {})->{json}{invite}{code} };
    one 'invite.claim' => sub { api(undef, POST => "/invite/$secrets[-1]", { username => 'guest', password => 'pass of guest' }) };
    one 'invite.create' => sub { push @secrets, api($key, POST => '/v1/admin/invite/new', {})->{json}{invite}{code} };
    one 'invite.disable' => sub { api($key, DELETE => '/v1/admin/invite/2') };
    one 'embed.create' => sub { $embed = api($key, POST => '/v1/embed/new', { workspace_slug => 'hall', allowlist_domains => 'a.example' })->{json}{embed}{uuid} };
    one 'embed.update' => sub { api($key, POST => "/v1/embed/$embed", { message_limit => 5 }) };
    one 'embed.delete' => sub { api($key, DELETE => "/v1/embed/$embed") };
    my $document = document($exedra, $key, 'Plan', 'A plan.', 'hall');
    one 'document.delete' => sub { api($key, DELETE => '/v1/system/remove-documents', { names => [$document->{location}] }) };
    document($exedra, $key, 'Plan', 'A plan.');
    one 'document.delete' => sub { api($key, DELETE => '/v1/files/all') };
    one 'account.delete' => sub { api($key, DELETE => '/v1/admin/users/1') };
    one 'workspace.delete' => sub { api($key, DELETE => '/v1/workspace/hall') };
    is psql($db, "SELECT string_agg(DISTINCT action, ',') FROM exedra.event WHERE id >= $first AND (actor = 'operator') <> (request_id IS NULL)"), '', 'each tells its request';
    is psql($db, "SELECT string_agg(DISTINCT action, ',') FROM exedra.event WHERE id >= $first AND actor = 'operator'"), 'provider.delete', 'but what exedractl did';
};

subtest 'nothing else does' => sub {
    workspace($exedra, $key, 'Hall');
    document($exedra, $key, 'Boats', 'Boats float on water.', 'hall');
    is_deeply [left(sub {
        api($key, POST => '/v1/workspace/hall/chat', { message => 'What floats?' });
        api($key, POST => '/v1/chat/completions', { model => 'hall', messages => [{ role => 'user', content => 'What floats?' }] });
        api($key, POST => '/v1/workspace/hall/vector-search', { query => 'What floats?' });
        api($key, GET => $_) for '/v1/auth', '/v1/workspaces', '/v1/admin/users', '/v1/admin/events', '/v1/documents', '/v1/system';
        api($key, POST => '/v1/workspace/hall/thread/new', {});
        http($exedra, POST => '/v1/admin/users/new', key => $key, json => { username => 'max', password => 'pass of max' });
        http($exedra, DELETE => '/v1/workspace/none', key => $key);
        http($exedra, POST => '/v1/admin/users/new', key => 'wrong', json => { username => 'tom', password => 'pass of tom' });
    })], [], 'chats, searches, lists, what was refused';
};

subtest 'signing in and out' => sub {
    my $sign_in = sub { http($exedra, POST => '/v1/auths/signin', json => { email => $_[0], password => $_[1] }, params => { EXEDRA_TENANT => 'acme', REMOTE_ADDR => '198.51.100.9' }) };
    one 'session.open' => sub { push @secrets, $sign_in->('max', 'other pass')->{json}{token} };
    is_deeply $newest, ['session.open', 'account', 'max', 'max', '198.51.100.9', 't'], 'who, and from where';
    my $session = $secrets[-1];
    one 'key.create' => sub { push @secrets, api($session, POST => '/v1/auths/api_key')->{json}{api_key} };
    is $newest->[1] . $newest->[2], 'accountmax', 'by whom';
    one 'key.delete' => sub { api($session, DELETE => '/v1/auths/api_key') };
    is psql($db, 'SELECT count(DISTINCT credential_id) FROM exedra.event WHERE actor_name = $$max$$'), 1, 'all with the same session';
    one 'session.close' => sub { api($session, GET => '/v1/auths/signout') };
    push @secrets, $session = $sign_in->('max', 'other pass')->{json}{token};
    one 'account.password' => sub { api($session, POST => '/v1/auths/update/password', { password => 'other pass', new_password => 'third pass' }) };
    one 'session.refuse' => sub { is $sign_in->('max', 'a wrong pass')->{status}, 400, 'a wrong password' };
    is_deeply $newest, ['session.refuse', 'nobody', '-', 'max', '198.51.100.9', 't'], 'whose, and from where';
    one 'session.refuse' => sub { $sign_in->('third pass', 'max') };
    is $newest->[3], '-', 'a name that there is not is not kept: it may be a password';
    push @secrets, 'third pass', 'a wrong pass';
    my $token;
    exedractl($db, qw(setting set acme simple_sso on));
    one 'token.issue' => sub { push @secrets, $token = api($key, GET => "/v1/users/$max/issue-auth-token")->{json}{token} };
    one 'session.open' => sub { push @secrets, api(undef, GET => "/request-token/sso/simple?token=$token")->{json}{token} };
    $sign_in->('max', '');
    psql($db, 'UPDATE exedra.sign_in SET n = 14 WHERE n < 14');         # as many as that take their time
    my @left = left(sub { $sign_in->('max', '') for 1 .. 4 });
    is join(' ', map { $_->[0] } @left), 'session.refuse session.throttle', 'the fifteenth, and once that the name is shut for three minutes';
    # More names than anybody has, without a second's work for each password.
    psql($db, "DELETE FROM exedra.sign_in");
    @left = left(sub { psql($db, 'SELECT exedra.refuse_sign_in(1, NULL) FROM generate_series(1, 500)', as => 'runtime') });
    is scalar(@left), 100, 'of a tenant no more than a hundred in three minutes';
};

subtest 'secrets' => sub {
    cmp_ok scalar(@secrets), '>', 12, scalar(@secrets) . ' were used';
    my $all = psql($db, 'SELECT string_agg(e::text, chr(10)) FROM exedra.event e');
    is_deeply [grep { $_ eq '' || index($all, $_) >= 0 } @secrets], [], 'none stands in an event';
    is_deeply [grep { index($all, psql($db, "SELECT encode(sha256('$_'), 'hex')")) >= 0 } @secrets], [], 'nor its hash';
};

subtest 'the list' => sub {
    my $events = sub { http($exedra, GET => "/v1/admin/events?$_[0]", key => $_[1] // $key) };
    my $all = $events->('limit=500')->{json}{events};
    is_deeply [sort keys %{ $all->[0] }], [sort qw(id occurredAt action actor actorId actorName credentialId objectId objectName detail address requestId)], 'an event';
    is_deeply [map { $_->{id} } @$all], [reverse split /\n/, psql($db, 'SELECT id FROM exedra.event WHERE tenant_id = 1 ORDER BY id')], 'all of the tenant, the newest first';
    my ($page, @ids) = ({ hasMore => 1 });
    while ($page->{hasMore} && @ids < 1000) {
        $page = $events->('limit=7' . (@ids ? "&before=$ids[-1]" : ''))->{json};
        push @ids, map { $_->{id} } @{ $page->{events} };
    }
    is_deeply \@ids, [map { $_->{id} } @$all], 'the same in pages, by before';
    @ids = (0);
    do {
        $page = $events->("limit=7&after=$ids[-1]")->{json};
        push @ids, map { $_->{id} } @{ $page->{events} };
    } while ($page->{hasMore});
    is_deeply [@ids[1 .. $#ids]], [reverse map { $_->{id} } @$all], 'by after, the oldest first';
    is_deeply [map { $_->{action} } @{ $events->('action=key.delete')->{json}{events} }], ['key.delete', 'key.delete'], 'by action';
    is scalar(@{ $events->('action=key.delete&limit=1')->{json}{events} }), 1, '… in pages too';
    is $events->("$_")->{status}, 422, $_ for 'limit=0', 'limit=501', 'limit=x', 'before=-1', 'after=1e3', 'after=', 'before=99999999999999999999';
    is $events->('', my $beta = key({ db => $db, name => 'beta' }))->{json}{events}[0]{action}, 'key.create', "another tenant's are its own";
    is scalar(@{ $events->('', $beta)->{json}{events} }), 2, 'and no others';
    my %role = map { $_ => account({ db => $db, name => 'acme' }, $_, role => $_)->{key} } qw(default manager);
    is $events->('', $role{default})->{status}, 403, 'not for the role default';
    is $events->('', $role{manager})->{status}, 200, 'for managers';
    is $events->('', key({ db => $db, name => 'acme' }, workspaces => 'hall'))->{status}, 403, 'not by a key that is limited to workspaces';

    my @lines = map { [split /\t/] } split /\n/, ctl(qw(audit --tenant acme --action key.delete));
    is_deeply [map { "@$_[1 .. 4]" } @lines], ["acme key.delete operator $admin", 'acme key.delete account max'], 'exedractl audit';
    is ctl(qw(audit --since 2999-01-01)), '', 'since when';
    cmp_ok scalar(split /\n/, ctl(qw(audit --since yesterday))), '>', @$all, 'of all tenants';
    is run([program('exedractl'), '-d', $db->conninfo('admin'), qw(audit --action nonsense)])->{status}, 1, 'an action that there is not';
};

subtest 'append-only' => sub {
    my $as_acme = "BEGIN; SELECT set_config('exedra.tenant_id', '1', true), set_config('exedra.role', '30', true);";
    for my $who (qw(runtime admin)) {
        is psql_error($db, "$as_acme $_", as => $who), '42501', "$who: $_" for "UPDATE exedra.event SET actor = 'x'", 'DELETE FROM exedra.event', 'TRUNCATE exedra.event',
            "INSERT INTO exedra.event (tenant_id, action, actor) VALUES (1, 'key.create', 'x')";
    }
    my $one = database(roles => 'one');
    exedractl($one, qw(tenant create acme));
    for my $pair (['the owner', $db], ['one role for all', $one]) {
        my ($who, $of) = @$pair;
        is psql_error($of, "$as_acme $_", as => 'owner'), 'EX403', "$who: $_" for "UPDATE exedra.event SET actor = 'x'", 'DELETE FROM exedra.event', 'TRUNCATE exedra.event';
    }
    is psql($db, "$as_acme SELECT n FROM exedra.expire('events', 1, 0, 1000); COMMIT", as => 'runtime') =~ s/^.*\n//r, 0, 'retention leaves what is younger than a day';
    is psql_error($db, "$as_acme SELECT exedra.note_event('secret.told', NULL, NULL)", as => 'runtime'), 'EX422', 'an action that there is not';
};

subtest "the administrator's role" => sub {
    my $relations = sub { split /\n/, psql($db, "SELECT relname FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relkind = '$_[0]' ORDER BY 1") };
    is_deeply [grep { psql_error($db, "SELECT * FROM exedra.$_", as => 'admin') ne '42501' } $relations->('r')], [], 'reads no table';
    my @views = $relations->('v');
    cmp_ok scalar(@views), '>=', 15, 'views: ' . join ' ', @views;
    for my $view (@views) {
        my $out = psql($db, "SELECT v::text FROM exedra.$view v", as => 'admin');
        is_deeply [grep { index($out, $_) >= 0 } @secrets], [], "reads $view, which shows no secret";
        isnt psql($db, "SELECT obj_description('exedra.$view'::regclass)"), '', 'and says what it is';
        is psql_error($db, "SELECT * FROM exedra.$view", as => 'runtime'), '42501', 'not the workers';
    }
    is psql($db, "SELECT name FROM exedra.workspaces WHERE tenant = 'acme'", as => 'admin'), 'Hall', 'by tenant';
    is psql($db, "SELECT sum(chats) FROM exedra.usage_daily WHERE tenant = 'acme' AND workspace = 'hall' AND model = 'quote' AND day = (now() AT TIME ZONE 'UTC')::date", as => 'admin'), 2, 'the ledger by day';
    is psql_error($db, $_, as => 'admin'), '42501', $_ for "SELECT exedra.find_account('acme', 'max')", 'SELECT exedra.enter(NULL, 10, false, 1, NULL)', "SELECT exedra.grant_admin('x')",
        'SELECT exedra.expire_former(1, 1, 1)', 'CREATE TABLE exedra.mine ()';
    is psql($db, "SELECT count(*) FROM pg_proc p WHERE pronamespace = 'exedra'::regnamespace AND has_function_privilege('$admin', oid, 'EXECUTE')
        AND proname <> ALL (exedra.admin_functions() || '{iso,known_actions,known_settings}')"), 0, 'calls nothing else';
};

subtest 'a tenant that is gone' => sub {
    one 'tenant.delete' => sub { ctl(qw(tenant delete acme)) };
    is psql($db, "SELECT action FROM exedra.event_log WHERE tenant = 'acme' ORDER BY id DESC LIMIT 1", as => 'admin'), 'tenant.delete', 'its events are there';
    cmp_ok psql($db, "SELECT sum(prompt_tokens) FROM exedra.usage_daily WHERE tenant = 'acme'", as => 'admin'), '>', 0, 'and its ledger';
    ctl(qw(tenant create acme));
    is scalar(grep { $_ eq 'tenant.create' } map { (split /\t/)[2] } split /\n/, ctl(qw(audit --tenant acme))), 2, 'beside those of another one of its name';
};

done_testing;
