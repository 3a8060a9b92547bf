# What a tenant's administrators do by API: people, who is let into which workspace, all chats, and the export of them.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

my $db = database();
my $exedra = start_exedra(db => $db);
my ($acme, $beta) = map { tenant($db, $_) } qw(acme beta);
my $ISO = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

sub admin { my ($method, $path, $json, %with) = @_; return http($exedra, $method, "/v1/$path", key => $acme->{key}, defined $json ? (json => $json) : (), %with) }
sub user { return admin(POST => 'admin/users/new', { username => $_[0], password => 'long enough', @_[1 .. $#_] }) }

my $max;
my $user_shape = { id => 'int', username => 'string', pfpFilename => 'null', role => qr/^(?:default|manager|admin)$/, suspended => 'int',
    seen_recovery_codes => 'bool', createdAt => $ISO, lastUpdatedAt => $ISO, dailyMessageLimit => 'null', bio => 'string' };

subtest 'users' => sub {
    my $got = user('sam', bio => 'Likes boats.');
    is $got->{status}, 200, 'one is made';
    shape_is $got->{json}, { user => $user_shape, error => 'null' }, 'its shape';
    is_deeply [@{ $got->{json}{user} }{qw(username role bio suspended)}], ['sam', 'default', 'Likes boats.', 0], 'as said';
    unlike $got->{body}, qr/argon|password/, 'nothing of the password';
    like psql($db, "SELECT password FROM exedra.account WHERE username = 'sam'"), qr/^\$argon2id\$/, 'which is stored as argon2id';
    my @refused = (
        [{ password => 'long enough' }, 'Username must be at least 2 characters'],
        [{ username => 'sam' }, '"value" is not allowed to be empty'],
        [{ username => 'sam', password => 12345678 }, '"value" must be a string'],
        [{ username => 'sam', password => 'short' }, 'password should be at least 8 characters long'],
        [{ username => 'sam', password => 'x' x 251 }, 'password should not be longer than 250 characters'],
        [{ username => 'a' x 65, password => 'long enough' }, 'Username cannot be longer than 64 characters'],
        (map { [{ username => $_, password => 'long enough' }, qr/^Username must start with a lowercase letter/] } 'Sam', '1sam', 'sa m', "sa\x{e9}", 's/../'),
        [{ username => 'tom', password => 'long enough', role => 'root' }, 'Invalid role. Allowed roles are: default, admin, manager'],
        [{ username => 'tom', password => 'long enough', bio => 'x' x 1001 }, 'Bio cannot be longer than 1,000 characters'],
        (map { [{ username => 'tom', password => 'long enough', dailyMessageLimit => $_ }, qr/^Daily message limit must be/] } 0, -1, 1.5, 'x', 1e300),
        [{ username => 'sam', password => 'long enough' }, 'A user with that username already exists'],
    );
    for my $case (@refused) {
        my $got = admin(POST => 'admin/users/new', $case->[0]);
        is $got->{status}, 400, $case->[1];
        is_deeply [sort keys %{ $got->{json} }], [qw(error user)], 'in the form of the route';
        ref $case->[1] ? like $got->{json}{error}, $case->[1], 'why' : is $got->{json}{error}, $case->[1], 'why';
    }
    is psql($db, 'SELECT count(*) FROM exedra.account'), 1, 'and nobody else was made';
    is +($max = admin(POST => 'admin/users/new', { username => 'max', password => 'long enough', role => 'manager', id => 99, tenant_id => $beta->{id} // 2, dailyMessageLimit => 5 })->{json}{user})->{role},
        'manager', 'a manager, whatever else was said';
    is psql($db, q{SELECT string_agg(t.name || ' ' || a.username, ',' ORDER BY a.id) FROM exedra.account a JOIN exedra.tenant t ON t.id = a.tenant_id}), 'acme sam,acme max', 'in the own tenant';
    is_deeply admin(GET => 'users')->{json}, { users => [{ id => 1, username => 'sam', role => 'default' }, { id => $max->{id}, username => 'max', role => 'manager' }] }, 'the short list';
    is_deeply [map { $_->{dailyMessageLimit} } @{ admin(GET => 'admin/users')->{json}{users} }], [undef, 5], 'the long one';
    is http($exedra, GET => '/v1/admin/users', key => $beta->{key})->{body}, '{"users":[]}', 'of the tenant alone';
};

subtest 'changes' => sub {
    my $is = sub { my ($id, $change, $error) = @_; is_deeply admin(POST => "admin/users/$id", $change)->{json},
        { success => defined $error ? JSON::PP::false() : JSON::PP::true(), error => $error }, json_text($change) };
    $is->(1, { role => 'admin' });
    $is->(1, { role => 'default' }, 'No system admins will remain if you do this. Update failed.');
    $is->(1, { suspended => 1 }, 'No system admins will remain if you do this. Update failed.');
    $is->(1, {}, 'No valid updates applied.');
    $is->(1, { username => 'sam' }, 'No valid updates applied.');
    # Contract, no. 5: but for the name, what is so already is a valid update.
    my $before = psql($db, 'SELECT changed_at FROM exedra.account WHERE id = 1');
    $is->(1, $_) for { role => 'admin' }, { suspended => 0 }, { dailyMessageLimit => undef }, { bio => 'Likes boats.' }, { username => 'sam', role => 'admin' };
    is psql($db, 'SELECT changed_at FROM exedra.account WHERE id = 1'), $before, 'and changes nothing';
    $is->(1, { username => 'max' }, 'A user with that username already exists');
    $is->(1, { username => 'Max' }, 'Username must start with a lowercase letter and only contain lowercase letters, numbers, underscores, hyphens, and periods');
    $is->($max->{id}, { bio => '', dailyMessageLimit => undef });
    $is->($_, { bio => 'x' }, 'User not found') for 0, 77, -1, '1.5', '1e3', 'abc', '9223372036854775808', '%27';
    my $key = key($acme, account => 'max');
    is http($exedra, GET => '/v1/auth', key => $key)->{status}, 200, "max's key opens";
    $is->($max->{id}, { suspended => '0' });
    is http($exedra, GET => '/v1/auth', key => $key)->{status}, 403, 'and not when max is suspended (any string is true)';
    $is->($max->{id}, { suspended => 0 });
    is http($exedra, GET => '/v1/documents', key => $key)->{status}, 200, 'it opens again, for a manager';
    $is->($max->{id}, { role => 'default' });
    is http($exedra, GET => '/v1/documents', key => $key)->{status}, 403, 'a lower role holds at the next request';
};

subtest 'who is let in' => sub {
    my $slug = workspace($exedra, $acme->{key}, 'Hall')->{slug};
    workspace($exedra, $beta->{key}, 'Hall');
    my $members = sub { [map { $_->{userId} } @{ $_[0]{json}{users} }] };
    my $got = admin(POST => "admin/workspaces/$slug/manage-users", { userIds => [$max->{id}, '1', 99] });
    is_deeply [$got->{status}, $members->($got)], [200, [1, $max->{id}]], 'numbers, and texts that are';
    shape_is $got->{json}{users}[0], { userId => 'int', username => 'string', role => 'string', lastUpdatedAt => $ISO }, 'the shape of a member';
    is_deeply $members->(admin(POST => "admin/workspaces/$slug/manage-users", { userIds => [$max->{id}], reset => JSON::PP::true() })), [$max->{id}], 'reset: nobody else';
    $got = admin(POST => "admin/workspaces/$slug/manage-users", { userIds => [77] });
    is_deeply [$got->{status}, $got->{json}{error}, $members->($got)], [404, 'No valid user IDs provided.', [$max->{id}]], 'nobody valid changes nothing';
    is admin(POST => 'admin/workspaces/nope/manage-users', { userIds => [1] })->{status}, 404, 'an unknown workspace';
    is admin(POST => "admin/workspaces/$slug/manage-users", {})->{status}, 422, 'no list';
    is admin(POST => 'admin/workspaces/1/update-users', { userIds => [1] })->{body}, '{"success":true,"error":null}', 'by number, exactly these';
    is_deeply $members->(admin(GET => 'admin/workspaces/1/users')), [1], 'so it is';
    is admin(GET => "admin/workspaces/$_/users")->{body}, '{"users":[]}', "nobody in '$_'" for 2, 77, 'x', -1, '1e3', '9223372036854775808';
    is admin(POST => 'admin/workspaces/2/update-users', { userIds => [1] })->{status}, 200, "another tenant's";
    is psql($db, 'SELECT count(*) FROM exedra.workspace_account WHERE workspace_id = 2'), 0, 'gets nobody';
};

subtest 'chats' => sub {
    is admin(GET => 'system/export-chats?type=csv')->{body}, 'id,workspace,prompt,response,sent_at,username,rating', 'none: a line of names';
    is admin(GET => 'system/export-chats?type=json')->{body}, '[]', 'an empty array';
    is admin(GET => 'system/export-chats')->{body}, '', 'nothing';
    psql($db, q{INSERT INTO exedra.chat (tenant_id, workspace_id, origin, mode, prompt, answer, state, feedback, api_session_id)
        SELECT 1, 1, 'api', 'chat', 'Q "' || n || E'"\nwhy', 'A' || n, (CASE n WHEN 3 THEN 'open' ELSE 'done' END)::exedra.chat_state, n = 1, CASE n WHEN 2 THEN 's' END FROM generate_series(1, 45) n});
    my $page = sub { admin(POST => 'admin/workspace-chats', { offset => $_[0] })->{json} };
    is_deeply [map { $_->{id} } @{ $page->(0)->{chats} }], [reverse 26 .. 45], 'the newest twenty';
    is_deeply [map { scalar @{ $page->($_)->{chats} } . ' ' . ($page->($_)->{hasPages} ? 'more' : 'all') } 0 .. 3], ['20 more', '20 more', '5 all', '0 all'], 'page by page';
    my $row = $page->(2)->{chats}[4];
    is_deeply [@$row{qw(id workspaceId prompt include)}, $row->{user}{username}, $row->{workspace}{slug}], [1, 1, qq(Q "1"\nwhy), JSON::PP::true(), 'unknown user', 'hall'], 'a row';
    is json_value($row->{response})->{text}, 'A1', 'its response is JSON in a string';
    is $page->(2)->{chats}[3]{user}{username}, 'API', 'of a session: the API';
    is admin(POST => 'admin/workspace-chats', { offset => $_ })->{status}, 422, 'offset ' . json_text($_) for -1, 'x', 1e30;
    my @lines = split /\n/, admin(GET => 'system/export-chats?type=csv')->{body};
    is @lines, 45, 'csv: what was answered';
    like $lines[1], qr/^"1","Hall","Q ""1"" why","A1","\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT\+0000 \(Coordinated Universal Time\)","unknown user","GOOD"$/, 'quoted';
    psql($db, q{UPDATE exedra.chat SET prompt = (ARRAY['=1+1', '+x', '-x', '@x', E'\tx', 'x=1'])[id - 4] WHERE id BETWEEN 5 AND 10});
    is_deeply [map { /^"\d+","Hall","(.*?)",/ } (split /\n/, admin(GET => 'system/export-chats?type=csv')->{body})[4 .. 9]], ["'=1+1", "'+x", "'-x", "'\@x", "'\tx", 'x=1'],
        'nothing that a sheet would compute';
    my $json = admin(GET => 'system/export-chats?type=json')->{json};
    is_deeply [scalar @$json, $json->[0]{rating}, $json->[1]{username}], [44, 'GOOD', 'API'], 'json';
    like admin(GET => 'system/export-chats?type=json')->{body}, qr/^\[\n    \{\n        "id": 1,\n/, 'indented';
    my @talks = map { json_value($_) } split /\n/, admin(GET => 'system/export-chats?type=jsonl')->{body};
    is_deeply [map { scalar @{ $_->{messages} } } @talks], [89], 'jsonl: a line a workspace';
    is admin(GET => 'system/export-chats?type=jsonAlpaca')->{json}[43]{output}, 'A45', 'jsonAlpaca';
    is admin(GET => 'system/export-chats?type=xml')->{status}, 400, 'another format there is not';
    is http($exedra, GET => '/v1/system/export-chats?type=json', key => $beta->{key})->{body}, '[]', "not another tenant's";
};

subtest 'gone' => sub {
    is_deeply admin(DELETE => 'admin/users/1')->{json}, { success => JSON::PP::false(), error => 'No system admins will remain if you do this. Update failed.' }, 'the last administrator stays';
    is_deeply admin(DELETE => "admin/users/$max->{id}")->{json}, { success => JSON::PP::true(), error => undef }, 'another goes';
    is admin(DELETE => "admin/users/$_")->{status}, 404, "'$_' is nobody" for $max->{id}, 0, 'x', '9223372036854775808';
};

done_testing;
