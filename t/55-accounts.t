# Signing in and out, sessions, the key that a person makes for themselves, and what a guesser learns of it: nothing.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Contract;
use Time::HiRes qw(time);

my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
my $WRONG = '{"detail":"The email or password provided is incorrect. Please check for typos and try logging in again."}';

sub person { return http($exedra, POST => '/v1/admin/users/new', key => $acme->{key}, json => { username => $_[0], password => $_[1] // 'long enough', role => $_[2] // 'default' })->{json}{user} }
sub sign_in { my ($name, $password, %with) = @_; return http($exedra, POST => '/api/v1/auths/signin', json => { email => $name, password => $password }, %with) }
sub auths { my ($method, $path, $key, %with) = @_; return http($exedra, $method, "/api/v1/auths$path", key => $key, %with) }

my $sam = person('sam@example.org');
person('max', undef, 'manager');

subtest 'a session' => sub {
    my $got = sign_in('sam@example.org', 'long enough');
    shape_is $got->{json}, { id => 'string', name => 'string', role => 'string', email => 'string', profile_image_url => 'string', token => qr/^ses-exd-[\w-]{43}$/,
        token_type => qr/^Bearer$/, expires_at => 'int', permissions => { map { $_ => {} } qw(workspace sharing chat features) } }, 'its shape';
    is_deeply [@{ $got->{json} }{qw(id name email role)}], [$sam->{id}, ('sam@example.org') x 2, 'user'], 'whose it is';
    ok abs($got->{json}{expires_at} - time - 28 * 86400) < 60, 'for four weeks';
    my $token = $got->{json}{token};
    is $got->{headers}{'set-cookie'}, "token=$token; Path=/; Max-Age=2419200; HttpOnly; SameSite=Strict", 'as a cookie too';
    my $seen = auths(GET => '', $token)->{json};
    is_deeply [@$seen{qw(id email token expires_at permissions)}], [@{ $got->{json} }{qw(id email token expires_at permissions)}], 'it opens, and says the same';
    is auths(GET => '/', $token)->{json}{id}, $sam->{id}, 'with a slash too';
    my %person = map { $_ => undef } qw(bio gender date_of_birth status_emoji status_message status_expires_at);
    is_deeply { map { $_ => $seen->{$_} } keys %person }, \%person, 'and of the person what is not known';
    http($exedra, POST => "/v1/admin/users/$sam->{id}", key => $acme->{key}, json => { bio => 'Dives.' });
    is auths(GET => '', $token)->{json}{bio}, 'Dives.', 'or is';
    is_deeply [sort keys %{ auths(GET => '', $acme->{key})->{json} }], [sort keys %$seen], "a tenant's own key shows the same members";
    is http($exedra, GET => '/api/v1/auths/', headers => { Cookie => "theme=dark; token=$token" })->{json}{id}, $sam->{id}, 'the cookie too';
    is http($exedra, GET => '/v1/workspaces', key => $token)->{status}, 200, 'every dialect';
    is http($exedra, GET => '/v1/documents', key => $token)->{status}, 403, 'with the rights of the account';
    is psql($db, "SELECT count(*) FROM exedra.credential WHERE encode(hash, 'escape') LIKE '%$token%'"), 0, 'its text is kept nowhere';
    unlike exedractl($db, qw(key list acme)), qr/session|\n.*\n.*\n/, 'it is no key in a list';
    is auths(GET => '/signout', $token)->{body}, '{"status":true}', 'signing out';
    is auths(GET => '', $token)->{status}, 401, 'ends it';
    is auths(GET => '/signout', $acme->{key})->{status}, 200, 'a key is no session';
    is auths(GET => '', $acme->{key})->{json}{role}, 'admin', 'and stays';
};

# As Open WebUI has it: phones begin a name with a capital.
subtest 'a name in capitals' => sub {
    my $got = sign_in('Sam@Example.ORG', 'long enough');
    is_deeply [$got->{status}, @{ $got->{json} }{qw(id name email)}], [200, $sam->{id}, ('sam@example.org') x 2], 'is the one in small letters';
    is sign_in('Sam@Example.ORG', 'Long enough')->{body}, $WRONG, 'the password is as it is';
    exedractl($db, qw(account create acme Zoe));
    psql($db, "UPDATE exedra.account SET password = (SELECT password FROM exedra.account WHERE username = 'max') WHERE username = 'Zoe'");
    is sign_in('Zoe', 'long enough')->{json}{name}, 'Zoe', 'a name that has one is found as it is';
    is sign_in('zoe', 'long enough')->{body}, $WRONG, 'and only so';
    person('kim');
    is_deeply [map { sign_in($_, 'wrong one')->{status} } ('kim') x 5, ('Kim') x 5, ('KIM') x 5, 'kiM'], [(400) x 15, 429], 'fifteen tries, however it is written';
};

subtest 'what is offered' => sub {
    my $got = http($exedra, GET => '/api/config');
    is_deeply [sort keys %{ $got->{json} }], [qw(default_locale features file name oauth status version)], 'before anybody has signed in';
    is_deeply [sort grep { $got->{json}{features}{$_} } keys %{ $got->{json}{features} }], [qw(auth enable_api_keys enable_login_form)], 'sessions and keys, and no more';
    is_deeply http($exedra, GET => '/api/version')->{json}, { version => $got->{json}{version}, deployment_id => '' }, 'a version';
};

subtest 'what is refused' => sub {
    is_deeply [sign_in(@$_)->{status}, sign_in(@$_)->{body}], [400, $WRONG], "@$_" for ['sam@example.org', 'long enougH'], ['nobody', 'long enough'], ['sam@example.org', ''], ['max', "long enough\x{e9}"];
    my $stored = psql($db, "SELECT password FROM exedra.account WHERE username = 'max'");
    is sign_in('max', $stored)->{body}, $WRONG, 'the hash is no password';
    is sign_in("' OR 1=1 --", 'long enough')->{body}, $WRONG, 'nor SQL a name';
    is http($exedra, POST => '/api/v1/auths/signin', json => $_)->{status}, 422, json_text($_) for {}, { email => 'max' }, { email => 1, password => 'long enough' };
    my $token = sign_in('sam@example.org', 'long enough')->{json}{token};
    my $own = auths(POST => '/api_key', $token)->{json}{api_key};
    my @ways = ([key => $token], [headers => { Cookie => "token=$token" }], [key => $own]);
    my $open = sub { [map { http($exedra, GET => '/api/v1/auths', @$_)->{status} } @ways] };
    is_deeply $open->(), [200, 200, 200], 'session, cookie and own key open';
    http($exedra, POST => "/v1/admin/users/$sam->{id}", key => $acme->{key}, json => { suspended => 1 });
    is sign_in('sam@example.org', 'long enough')->{body}, $WRONG, 'a suspended account looks like none';
    is_deeply $open->(), [401, 401, 401], 'and its session, cookie and key open no more';
    http($exedra, POST => "/v1/admin/users/$sam->{id}", key => $acme->{key}, json => { suspended => 0 });
    auths(DELETE => '/api_key', $token);
    is http($exedra, POST => '/api/v1/auths/signup', json => { name => 'a', email => 'a@b.c', password => 'long enough' })->{status}, 403, 'nobody signs up';
};

subtest 'a guesser' => sub {
    person('amy'); person('bob');
    my %least = map { $_ => 99 } 'amy', 'nobody-else';        # in turn, and the least of seven: the machine is busy
    for my $name ((sort keys %least) x 7) {
        my $began = time;
        sign_in($name, 'wrong one');
        my $took = time - $began;
        $least{$name} = $took if $took < $least{$name};
    }
    cmp_ok $least{'nobody-else'}, '>', 0.4 * $least{amy}, 'waits as long for a name that there is not';
    my @statuses = map { sign_in('bob', 'wrong one')->{status} } 1 .. 16;
    is_deeply [@statuses[14, 15]], [400, 429], 'fifteen tries, and no more';
    my $got = sign_in('bob', 'long enough');
    is_deeply [$got->{status}, $got->{headers}{'retry-after'}], [429, 180], 'not with the right one either';
    is sign_in('max', 'long enough')->{status}, 200, 'others sign in meanwhile';
    is_deeply [map { sign_in('no such name', 'x')->{status} } 1 .. 16], [(400) x 15, 429], 'a name that there is not is told the same';
};

# Each takes 19 MiB, and who asks for them needs no key.
subtest 'many at once' => sub {
    my $own = database();
    tenant($own, 'acme');
    my $at_once = sub {
        my ($pool, $n) = @_;
        my @sent = map { my $sent = fcgi_open($pool->{socket}); my $body = json_text({ email => "nobody$_", password => 'long enough' });
            $sent->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(POST => '/api/v1/auths/signin', headers => { 'Content-Type' => 'application/json',
                'Content-Length' => length $body }))), record(FCGI_PARAMS, 1, ''), record(FCGI_STDIN, 1, $body), record(FCGI_STDIN, 1, '')); $sent } 1 .. $n;
        my %n;
        for my $sent (@sent) { my $record = $sent->next_record(60); $n{ $record && $record->{content} =~ /^Status: (\d+)/ ? $1 : 'none' }++ }
        return \%n;
    };
    my $pool = start_exedra(db => $own, settings => { processes => 1 });
    my $most = sub { my ($pid) = $pool->worker_pids; return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : die };
    my $before = $most->();
    is_deeply $at_once->($pool, 40), { 400 => 40 }, 'forty sign in';
    cmp_ok $most->() - $before, '<', 150, 'in the memory of few';
    my $small = start_exedra(db => $own, settings => { processes => 1, threads => 32 });
    my $n = $at_once->($small, 25);
    ok $n->{400} && $n->{503} && $n->{400} + $n->{503} == 25, 'they may take an eighth of the threads: others are told to come again' or diag json_text($n);
    ok $_->stop, 'ends well' for $pool, $small;
};

# Whoever has got hold of a key that may little is not to find the password by it.
subtest 'a guesser with a key' => sub {
    person('eve', 'long enough', 'admin');
    my $key = key($acme, account => 'eve', groups => 'account');
    my $try = sub { http($exedra, POST => '/api/v1/auths/update/password', key => $key, json => { password => $_[0], new_password => 'mine by now' }) };
    is sign_in('eve', 'wrong one')->{status}, 400, 'one try at the door';
    is_deeply [map { $try->("guess $_")->{status} } 1 .. 15], [(400) x 14, 429], 'and fourteen inside';
    my $got = $try->('long enough');
    is_deeply [$got->{status}, $got->{headers}{'retry-after'}], [429, 180], 'not with the right one either';
    is psql($db, "SELECT string_agg(n || ' ' || action, ', ' ORDER BY action) FROM (SELECT count(*) AS n, action FROM exedra.event WHERE object_name = 'eve' AND action LIKE 'session.%' GROUP BY action) e"),
        '15 session.refuse, 1 session.throttle', 'which is on record';
};

subtest 'the own key' => sub {
    my $token = sign_in('sam@example.org', 'long enough')->{json}{token};
    is auths(GET => '/api_key', $token)->{status}, 404, 'none at first';
    my $key = auths(POST => '/api_key', $token)->{json}{api_key};
    like $key, qr/^sk-exd-[\w-]{43}$/, 'one is made';
    is http($exedra, GET => '/v1/auth', key => $key)->{status}, 200, 'it opens';
    is auths(GET => '/api_key', $token)->{json}{api_key}, 'sk-exd-...' . substr($key, -4), 'later only its end is shown';
    my $next = auths(POST => '/api_key', $token)->{json}{api_key};
    is http($exedra, GET => '/v1/auth', key => $key)->{status}, 403, 'a new one takes its place';
    is auths(DELETE => '/api_key', $token)->{body}, 'true', 'it goes';
    is http($exedra, GET => '/v1/auth', key => $next)->{status}, 403, 'at once';
    is auths(POST => '/api_key', $acme->{key})->{status}, 403, "a tenant's own key is nobody's";
    is auths(POST => '/update/password', $token, json => { password => 'wrong one', new_password => 'even longer' })->{status}, 400, 'another password needs the old one';
    my ($other, $stays) = (sign_in('sam@example.org', 'long enough')->{json}{token}, auths(POST => '/api_key', $token)->{json}{api_key});
    my $got = auths(POST => '/update/password', $token, json => { password => 'long enough', new_password => 'even longer', role => 'admin', suspended => 1, id => 1,
        tenant_id => 99 });
    is $got->{body}, 'true', 'with it it is set';
    is psql($db, 'SELECT role FROM exedra.account WHERE id = ' . $sam->{id}), 10, 'and nothing else is';
    like $got->{headers}{'set-cookie'}, qr/^token=; .*Max-Age=0;/, 'the cookie goes';
    is_deeply [map { auths(GET => '', $_)->{status} } $token, $other, $stays], [401, 401, 200], 'whoever signed in by the old one signs in anew; keys stay';
    is_deeply [map { sign_in('sam@example.org', $_)->{status} } 'long enough', 'even longer'], [400, 200], 'and holds';
    my $by_admin = sign_in('sam@example.org', 'even longer')->{json}{token};
    http($exedra, POST => "/v1/admin/users/$sam->{id}", key => $acme->{key}, json => { password => 'longer still' });
    is auths(GET => '', $by_admin)->{status}, 401, 'so it is when an administrator sets it';
    psql($db, q{UPDATE exedra.account SET password = '$2b$04$abcdefghijklmnopqrstuuHg1HXGPCfRz8Ywk/PC7tVqM4RqZ.9Hy' WHERE username = 'amy'});
    is sign_in('amy', 'x' x 80)->{status}, 400, 'bcrypt that was brought along is compared, not more than 72 bytes of it';
};

subtest 'invites' => sub {
    my $admin = sub { my ($method, $path, $json) = @_; http($exedra, $method, "/v1/admin/$path", key => $acme->{key}, defined $json ? (json => $json) : ()) };
    workspace($exedra, $acme->{key}, 'Hall');
    my $invite = $admin->(POST => 'invite/new', { workspaceIds => [1, 77] })->{json}{invite};
    shape_is $invite, { id => 'int', code => qr/^(?:[0-9A-HJKMNP-TV-Z]{7}-){3}[0-9A-HJKMNP-TV-Z]{7}$/, status => qr/^pending$/, claimedBy => 'null', workspaceIds => qr/^\[1\]$/,
        createdAt => 'iso', createdBy => 'int', lastUpdatedAt => 'iso' }, 'one is made';
    my $code = $invite->{code};
    is psql($db, "SELECT count(*) FROM exedra.invite i WHERE i::text LIKE '%$code%'"), 0, 'its code is kept nowhere';
    is_deeply [map { $_->{code} } @{ $admin->(GET => 'invites')->{json}{invites} }], ['*******-*******-*******-' . substr($code, -7)], 'a list shows its end';
    is http($exedra, GET => "/api/invite/$code")->{json}{invite}{status}, 'pending', 'whoever has it may look';
    my $accept = sub { my ($code, %with) = @_; http($exedra, POST => "/api/invite/$code", json => { password => 'long enough', %with }) };
    is $accept->($code, username => 'Bad Name')->{status}, 400, 'a name must be one';
    is $accept->($code, username => 'max')->{json}{error}, 'A user with that username already exists', 'and free';
    my @bodies = in_parallel(8, sub { $accept->($code, username => "guest$_[0]", role => 'admin')->{body} }, 1 .. 8);
    is_deeply [sort @bodies], [('{"success":false,"error":"Invite not found or already used."}') x 7, '{"success":true,"error":null}'], 'of eight at once one is let in';
    is psql($db, q{SELECT count(*) || ' ' || max(a.role) || ' ' || max(w.slug) FROM exedra.account a JOIN exedra.workspace_account m ON m.account_id = a.id
        JOIN exedra.workspace w ON w.id = m.workspace_id WHERE a.username LIKE 'guest%'}), '1 10 hall', 'with the least role, into the workspace';
    my ($used) = @{ $admin->(GET => 'invites')->{json}{invites} };
    is_deeply [$used->{status}, $used->{claimedBy}{username} =~ /^guest/ ? 1 : 0], ['claimed', 1], 'it says who came';
    my $shut = $admin->(POST => 'invite/new')->{json}{invite};
    is $admin->(DELETE => "invite/$shut->{id}")->{body}, '{"success":true,"error":null}', 'one is shut' for 1, 2;
    is $accept->($shut->{code}, username => 'late')->{json}{success}, JSON::PP::false(), 'and lets nobody in';
    is_deeply [map { $admin->(DELETE => "invite/$_")->{status} } 'x', 77, '9223372036854775808'], [400, 404, 400], 'what is none';
    is $accept->($_, username => 'late')->{json}{success}, JSON::PP::false(), "code '$_'" for 'x', "%27%20OR%201=1", '0' x 31;
};

subtest 'several tenants' => sub {
    my $beta = tenant($db, 'beta');
    my $got = sign_in('max', 'long enough');
    is $got->{status}, 400, 'the web server has to say which';
    like $got->{json}{detail}, qr/EXEDRA_TENANT/, 'it is told so';
    is sign_in('max', 'long enough', params => { EXEDRA_TENANT => 'acme' })->{status}, 200, 'then it is clear';
    is sign_in('max', 'long enough', params => { EXEDRA_TENANT => 'beta' })->{body}, $WRONG, 'another has no such account';
};

done_testing;
