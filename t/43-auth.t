# Who gets in: every spelling of a key but the right ones, keys and people that were shut a moment ago, low roles, a
# database that is away.  Nothing but a good key opens, a change holds at once, and no key stands anywhere to be found.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;
use Digest::SHA qw(sha256 sha256_hex sha256_base64);
use Time::HiRes qw(time sleep);

need('nginx');

my $house = house();
my ($nginx, $exedra, $db, $key, $acme) = @$house{qw(nginx exedra db key acme)};
my $NO = qr/^\{"error":"No valid api key found\."\}$/;
my @keys = ($key, $house->{beta}{key});         # all that were made: none may be found anywhere
my @routes = grep { $_->{role} ne 'anyone' } targets();

sub new_key {
    my (@with) = @_;
    push @keys, key(@with);
    return $keys[-1];
}

sub key_id {
    my ($text) = @_;
    return psql($db, "SELECT id FROM exedra.credential WHERE hash = sha256('$text')");
}

# The status of a small request with these headers, or this key.
sub status {
    my ($with) = @_;
    return http($nginx, GET => '/v1/auth', ref $with ? (headers => $with) : (key => $with))->{status};
}

# ---- what is no key ----

subtest 'no key on any route' => sub {
    unchanged $db, 'without a key' => sub {
        for my $route (@routes) {
            my ($method, $target) = @$route{qw(method target)};
            my @body = $method eq 'GET' ? () : (body => '{"name":"evil","message":"evil","deletes":["x"]');
            my @shut = ($route->{shut}, like => $route->{words});
            check_reply("$method $target", http($nginx, $method => $target, @body), @shut);
            check_reply('… with a wrong one', http($nginx, $method => $target, key => 'sk-exd-' . 'x' x 43, @body), @shut);
            next if $method eq 'GET';
            # announced and never sent: who has no key is told so before his body is read
            my $connection = fcgi_open($exedra->{socket});
            $connection->send(begin_record(1), Exedra::Fcgi::stream(FCGI_PARAMS, 1, pairs(cgi_variables($method => $target,
                params => { CONTENT_LENGTH => 5_000_000 })), 65528));
            my $got = eval { $connection->reply(5) };
            check_reply('… and a body that does not come', $got && Exedra::Http::with_json($got), @shut);
            $connection->close;
        }
    };
    $house->calm('no keys');
};

my $bytes = unpack 'H*', sha256($key);
subtest 'spellings' => sub {
    for (
        # name, Authorization, status
        ['as it should be',              "Bearer $key",                  200],
        ['in small letters',             "bearer $key",                  200],
        ['in capitals',                  "BEARER $key",                  200],
        ['another scheme',               "Token $key",                   '200/403'],
        ['no scheme',                    $key,                           403],
        ['a space for a scheme',         " $key",                        403],
        ['more behind it',               "Bearer $key extra",            403],
        ['two spaces',                   "Bearer  $key",                 '200/403'],
        ['1,000 spaces',                 'Bearer' . ' ' x 1000 . $key,   403],
        ['a tab',                        "Bearer\t$key",                 403],
        ['a tab behind the space',       "Bearer \t$key",                403],
        ['a comma',                      "Bearer,$key",                  403],
        ['a comma behind it',            "Bearer $key,",                 403],
        ['1,000 commas',                 'Bearer ' . ',' x 1000 . $key,  403],
        ['two keys',                     "Bearer $key, Bearer $key",     403],
        ['a colon',                      "Bearer: $key",                 '200/403'],
        ['an equals sign',               "Bearer=$key",                  403],
        ['in quotes',                    "Bearer \"$key\"",              403],
        ['only the scheme',              'Bearer',                       403],
        ['the scheme and a space',       'Bearer ',                      403],
        ['nothing',                      '',                             403],
        ['percent-encoded NUL',          "Bearer $key%00",               403],
        ['percent-encoded',              'Bearer ' . join('', map { sprintf '%%%02x', ord } split //, $key), 403],
        ['a zero-width space',           "Bearer $key\xe2\x80\x8b",      403],
        ['a zero-width space in front',  "Bearer \xe2\x80\x8b$key",      403],
        ['a byte order mark',            "Bearer \xef\xbb\xbf$key",      403],
        ['a no-break space',             "Bearer\xc2\xa0$key",           403],
        ['a soft hyphen',                "Bearer $key\xc2\xad",          403],
        ['bytes that are no text',       "Bearer \xff\xfe\x80",          403],
        ['in capitals itself',           'Bearer ' . uc $key,            403],
        ['without its last',             'Bearer ' . substr($key, 0, -1), 403],
        ['with one more',                "Bearer ${key}A",               403],
        ['without its prefix',           'Bearer ' . substr($key, 7),    403],
        ['its last four',                'Bearer ' . substr($key, -4),   403],
        ['its hash',                     "Bearer $bytes",                403],
        ['its hash as bytea',            "Bearer \\x$bytes",             403],
        ['its hash in base64',           'Bearer ' . sha256_base64($key), 403],
        ['a wildcard',                   'Bearer %',                     403],
        ['another',                      'Bearer sk-exd-%',              403],
        ['SQL',                          "Bearer ' OR true --",          403],
        ['null',                         'Bearer null',                  403],
        ['undefined',                    'Bearer undefined',             403],
        ['a JWT without a signature',    'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwicm9sZSI6ImFkbWluIn0.', 403],
        ['Basic, the key as password',   'Basic ' . 'eDp5',              403],
        ['a key of the original',        'Bearer 5J0Q6ZV-8T0M5Z1-N7XQ3FY-9QG5YWB', 403],
        ['7,000 characters',             'Bearer ' . 'x' x 7000,         403],
    ) {
        my ($name, $value, $status) = @$_;
        check_reply($name, http($nginx, GET => '/v1/auth', headers => { Authorization => $value }), $status);
    }
    check_reply('64 KiB', http($nginx, GET => '/v1/auth', key => 'x' x 65536), '400/431/front');
    for (['64 KiB', 'x' x 65536], ['1 MiB', 'x' x (1 << 20)], ['1 MiB of spaces', ' ' x (1 << 20)]) {
        my ($name, $long) = @$_;
        my $got = $house->within_cpu(0.05, "$name past nginx", sub { http($exedra, GET => '/v1/auth', key => $long) });
        check_reply($name, $got, 403, like => $NO);
    }
    $house->calm('spellings');
};

subtest 'other headers' => sub {
    my $mia = account($acme, 'mia');
    push @keys, $mia->{key};
    my $wrong = 'sk-exd-wrong';
    for my $name ('X-Api-Key', 'x-api-key', 'Api-Key') {
        is status({ $name => $key }), 200, "$name opens as Bearer does";
        my @kept = grep { http($nginx, GET => $_, headers => { $name => $key })->{headers}{'cache-control'} ne 'no-store' } '/v1/auth', '/v1/workspaces', '/v1/models', '/api/v1/files/', '/v1/nothing';
        is "@kept", '', '… and no cache on the way may keep the answer for others';
        is http($nginx, GET => '/v1/documents', headers => { $name => $mia->{key} })->{status}, 403, '… with the rights of the key';
        is status({ $name => $wrong }), 403, '… and not with a wrong one';
        is status({ $name => '' }), 403, '… nor an empty one';
        is status({ $name => "Bearer $key" }), 403, '… nor with a scheme';
        is status({ $name => $key, Authorization => "Bearer $wrong" }), 403, "$name does not help a wrong Authorization";
        is http($nginx, GET => '/v1/documents', headers => { $name => $key, Authorization => "Bearer $mia->{key}" })->{status}, 403,
            '… nor raise a low one';
    }
    for my $name ('X-Auth-Token', 'X-Access-Token', 'Proxy-Authorization', 'Authentication', 'X-Authorization', 'Cookie',
        'X-Forwarded-Authorization') {
        is status({ $name => $key }), 403, "$name is none";
        is status({ $name => "Bearer $key" }), 403, '… with a scheme neither';
    }
    for my $query ("?key=$key", "?api_key=$key", "?token=$key", "?access_token=$key", "?Authorization=Bearer%20$key") {
        is http($nginx, GET => "/v1/auth$query")->{status}, 403, 'a query is none: ' . $query =~ s/=.*//r;
    }
    is http($nginx, POST => '/v1/workspace/new', json => { name => 'x',
        key => $key, token => $key, Authorization => "Bearer $key" })->{status},
        403, 'nor a body';
    for (['first', $key, $wrong], ['second', $wrong, $key]) {
        my ($name, @two) = @$_;
        my ($got) = replies_in(raw($nginx, "GET /v1/workspaces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            . join('', map { "Authorization: Bearer $_\r\n" } @two) . "\r\n"));
        check_reply("two headers, the $name good", $got, '200/400/403/front');
    }
    my $got = ask_fcgi($exedra, GET => '/v1/auth', params => { REMOTE_USER => 'admin', AUTH_TYPE => 'Basic', EXEDRA_USER => 'admin' });
    check_reply('REMOTE_USER is no key', $got, 403, like => $NO);
    check_reply('nor is a variable without HTTP_', ask_fcgi($exedra, GET => '/v1/auth',
        params => { AUTHORIZATION => "Bearer $key" }), 403);
    $house->calm('other headers');
};

# ---- what was a key ----

subtest 'shut within a second' => sub {
    my $two = tenant($db, 'two');
    push @keys, $two->{key};
    my $ann = account($two, 'ann', role => 'admin');
    my $bob = account($two, 'bob', role => 'admin');
    my @of_two = map { new_key($two) } 1 .. 3;
    push @keys, $ann->{key}, $bob->{key};
    my $expires = new_key($two, expires => 1);
    my $made = time;
    is status($_), 200, 'open at first' for $two->{key}, $ann->{key}, $bob->{key}, @of_two, $expires;

    # done by exedractl; at the very next request it holds, on both workers
    my $shut = sub {
        my ($name, $shut, $open, @command) = @_;
        exedractl($db, @command);
        is_deeply [map { status($_) } (@$shut) x 4], [(403) x (4 * @$shut)], "$name: shut";
        check_reply('… as if it had never been', http($nginx, GET => '/v1/auth', key => $_), 403, like => $NO) for @$shut;
        is_deeply [map { status($_) } @$open], [(200) x @$open], '… and the others are open' if @$open;
    };
    $shut->('one key suspended', [$of_two[0]], [@of_two[1, 2], $two->{key}], qw(key suspend two), key_id($of_two[0]));
    $shut->('and resumed', [], [@of_two], qw(key resume two), key_id($of_two[0]));
    $shut->('one key deleted', [$of_two[1]], [@of_two[0, 2]], qw(key delete two), key_id($of_two[1]));
    $shut->('an account suspended', [$ann->{key}], [$bob->{key}, $two->{key}], qw(account suspend two ann));
    my $late = eval { new_key($two, account => 'ann') };
    is status($late), 403, 'a key made for it then is shut too' if $late;
    $shut->('and resumed', [], [$ann->{key}], qw(account resume two ann));
    my $anns_second = new_key($two, account => 'ann');
    $shut->('one of its keys suspended', [$anns_second], [$ann->{key}], qw(key suspend two), key_id($anns_second));
    exedractl($db, qw(account suspend two ann));
    $shut->('then the account, and resumed', [$anns_second], [$ann->{key}], qw(account resume two ann));
    $shut->('an account deleted', [$bob->{key}], [$ann->{key}], qw(account delete two bob));
    $shut->('the tenant suspended', [$two->{key}, $ann->{key}, @of_two[0, 2]], [$key], qw(tenant suspend two));
    $shut->('and resumed', [], [$two->{key}, $ann->{key}], qw(tenant resume two));
    workspace($exedra, $two->{key}, 'Gone with it');
    $shut->('the tenant deleted', [$two->{key}, $ann->{key}, @of_two[0, 2]], [$key], qw(tenant delete two));
    is psql($db, "SELECT count(*) FROM exedra.workspace WHERE name = 'Gone with it'"), 0, 'and what it had is gone';
    my $three = tenant($db, 'two');
    push @keys, $three->{key};
    is status($two->{key}), 403, 'a new tenant of the same name does not revive its keys';

    my $brief = new_key($acme, expires => 1);
    is status($brief), 200, 'a key for one second opens';
    $made = time;
    wait_for { status($brief) == 403 } 3, 'it to expire';
    cmp_ok time - $made, '<', 2, 'and is shut then';
    $house->calm('all that');
};

subtest 'an open stream of a key that is shut' => sub {
    my $model = start_model(deltas => [map { "word $_ " } 1 .. 60], pause => 0.1);
    my $slow = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'slow' });
    for my $what (qw(suspended deleted)) {
        my $brief = new_key($acme);
        my $stream = http_stream($slow, POST => '/v1/workspace/hall/stream-chat', key => $brief,
            json => { message => "Slowly, $what" });
        is $stream->{status}, 200, "a stream, then its key is $what";
        ok $stream->next(5), '… runs';
        exedractl($db, 'key', $what eq 'deleted' ? 'delete' : 'suspend', 'acme', key_id($brief));
        my $began = time;
        my @events = $stream->events(10);
        cmp_ok time - $began, '<', 3, '… is stopped soon';
        is psql($db, "SELECT state FROM exedra.chat WHERE prompt = 'Slowly, $what'"), 'stopped', '… and kept as that';
        unlike join(' ', map { $_->{data} } @events), qr/word 60/, '… not to its end';
    }
    ok $slow->stop, 'ends well';
};

# ---- who may what ----

subtest 'low roles' => sub {
    my %rank = (default => 1, manager => 2, admin => 3);
    my %account = map { $_ => account($acme, "is-$_", role => $_) } keys %rank;
    push @keys, map { $_->{key} } values %account;
    unchanged $db, 'what a role may not' => sub {
        for my $route (@routes) {
            for my $role (grep { $rank{$_} < $rank{$route->{role}} } keys %rank) {
                my $got = http($nginx, $route->{method} => $route->{target}, key => $account{$role}{key},
                    $route->{method} eq 'GET' ? () : (json => { name => 'evil', message => 'evil' }));
                check_reply("$route->{method} $route->{target} as $role", $got, 403, like => qr/role/);
                check_reply('… before its body is looked at', http($nginx, $route->{method} => $route->{target},
                    key => $account{$role}{key},
                    body => '{broken'), 403, like => qr/role/) if $route->{method} ne 'GET';
            }
        }
        for my $role (qw(default manager)) {
            check_reply("what $role says of himself is nothing", http($nginx, GET => '/v1/auth', key => $account{$role}{key},
                headers => { 'X-Role' => 'admin', Role => 'admin' }), 200);
        }
    };
    is http($nginx, GET => '/v1/workspaces', key => $account{default}{key})->{body}, '{"workspaces":[]}',
        'a member sees no workspace unasked';
    my $foreign = http($nginx, GET => '/v1/workspace/hall', key => $account{default}{key});
    is $foreign->{body}, http($nginx, GET => '/v1/workspace/none',
        key => $account{default}{key})->{body}, 'one he is not in looks like none';
    is http($nginx, POST => '/v1/workspace/hall/chat', key => $account{default}{key},
        json => { message => 'x' })->{status}, 400, 'and takes no question';
    $house->calm('roles');
};

subtest 'the tenant that the web server names' => sub {
    for (
        # EXEDRA_TENANT, status
        [acme => 200], ['' => 200], [undef, 200], [beta => 403], [Acme => 403], ['acme ' => 403], ['none' => 403],
        ["acme'--" => 403],
        ['%' => 403], ['x' x 70_000 => 403], ["\xff" => '403/422'],
    ) {
        my ($tenant, $status) = @$_;
        my $name = defined $tenant ? length $tenant > 40 ? 'a long one' : "'$tenant'" =~ s/[^ -~]/?/gr : 'none';
        my $got = ask_fcgi($exedra, GET => '/v1/workspaces', headers => { Authorization => "Bearer $key" },
            params => { EXEDRA_TENANT => $tenant });
        check_reply($name, $got, $status);
        unlike $got->{body}, qr/hall/, '… shows nothing' if $status ne '200';
    }
    check_reply('a header of the name', ask_fcgi($exedra, GET => '/v1/workspaces', headers => { Authorization => "Bearer $key" },
        params => { HTTP_EXEDRA_TENANT => 'beta' }), 200, like => qr/hall/);
    $house->calm('tenants');
};

# ---- where keys might lie about ----

subtest 'many keys' => sub {
    my $socket = $exedra->{socket};
    flood($socket, n => 2000, clients => 4, request => sub { request_bytes(GET => '/v1/auth', key => "sk-exd-before-$_[0]") });
    my $before = $exedra->pss_total_kb;
    my $n = asan() ? 4000 : 20_000;
    my $got = flood($socket, n => $n, clients => 4, request => sub { request_bytes(GET => '/v1/auth', key => 'sk-exd-'
        . sha256_hex($_[0])) });
    is_deeply $got, { 403 => $n }, "$n different keys are refused";
    cmp_ok $exedra->pss_total_kb - $before, '<', allow_for(8 * 1024), 'and not remembered: '
        . ($exedra->pss_total_kb - $before) . ' kB';
    is status($key), 200, 'the good one opens';
    $house->calm('many keys');
};

subtest 'no key is to be found' => sub {
    my $dump = run([Exedra::Postgres::bin_dir() . '/pg_dump', '-d', $db->conninfo('super')]);
    is $dump->{status}, 0, 'pg_dump';
    my %place = (
        'the dump'           => $dump->{out},
        "Exedra's log"       => $exedra->log_text,
        "nginx's access log" => slurp("$nginx->{dir}/access.log"),
        "PostgreSQL's log"   => slurp("$db->{cluster}{dir}/log"),
        'processes'          => join("\n", map { slurp("/proc/$_/cmdline") . slurp("/proc/$_/environ") } $exedra->pids),
        'sessions'           => psql($db, 'SELECT string_agg(query || application_name, chr(10)) FROM pg_stat_activity'),
    );
    for my $place (sort keys %place) {
        # in a query nobody asked to hide it
        my @found = grep { my $core = substr $_, 7; index($place{$place} =~ s{\?(?:key|api_key|token|access_token|Authorization)=\S+}{}gr, $core) >= 0 } @keys;
        is @found, 0, "$place: none of " . @keys . ' keys';
    }
    like $dump->{out}, qr/\Q@{[unpack 'H*', sha256($key)]}\E/, 'the dump holds the hash';
    unlike join("\n", @place{"Exedra's log", 'the dump'}), qr/sk-exd-wrong|sk-exd-before/, 'wrong keys are not noted either';
};

# ---- the database away ----

subtest 'no database' => sub {
    my $lost = start_exedra(settings => { 'db.url' => 'host=' . tmp_dir() . '/nowhere dbname=x user=x', 'db.timeout' => 2 });
    for my $route (@routes) {
        my ($method, $target) = @$route{qw(method target)};
        my @body = $method eq 'GET' ? () : (json => { name => 'x', message => 'x' });
        for my $with ($key, 'sk-exd-wrong') {
            my $got = http($lost, $method => $target, key => $with, @body);
            check_reply("$method $target", $got, 503, like => qr/The database cannot be reached/);
            ok $got->{headers}{'retry-after'}, '… with Retry-After';
        }
        check_reply('… without a key', http($lost, $method => $target, @body), "$route->{shut}/503");
    }
    check_reply("/$_", http($lost, GET => "/$_"), 200) for qw(ping livez);
    check_reply('/readyz', http($lost, GET => '/readyz'), 503);
    ok $lost->stop, 'ends well';
};

subtest 'the database goes and comes' => sub {
    my $cluster = $db->{cluster};
    my $super = sub { $cluster->sql('postgres', $_[0]) };
    my $cut = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '$db->{name}'";
    # connections that died while nobody used them are not noticed by anybody
    $super->($cut);
    is_deeply [map { status($key) } 1 .. 20], [(200) x 20], 'connections that were cut are made again';
    $super->($cut);
    is http($nginx, POST => '/v1/workspace/new', key => $key,
        json => { name => "After $_" })->{status}, 200, 'a change too' for 1 .. 4;

    $super->("ALTER DATABASE $db->{name} ALLOW_CONNECTIONS false");
    $super->($cut);
    my @got = map { http($nginx, GET => '/v1/auth', key => $_) } ($key, 'sk-exd-wrong') x 10;
    is_deeply [map { $_->{status} } @got], [(503) x 20], 'away: 503 for every key';
    ok !(grep { !$_->{headers}{'retry-after'} } @got), 'with Retry-After';
    is_deeply [grep { inside_of($_->{body}) } @got], [], 'and no word of why';
    is http($nginx, GET => '/livez')->{status}, 200, '/livez does not mind';
    is http($nginx, GET => '/readyz')->{status}, 503, '/readyz does';
    $super->("ALTER DATABASE $db->{name} ALLOW_CONNECTIONS true");
    is_deeply [map { status($key) } 1 .. 10], [(200) x 10], 'back: at once';
    is status('sk-exd-wrong'), 403, 'and a wrong key is wrong again';

    # cut while a request waits for its answer
    my $blocker = fork // die;
    if (!$blocker) {
        eval { psql($db, 'BEGIN; LOCK TABLE exedra.credential IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); ROLLBACK') };
        POSIX::_exit(0);
    }
    wait_for { psql($db, "SELECT count(*) FROM pg_locks WHERE relation = 'exedra.credential'::regclass AND mode = 'AccessExclusiveLock'") } 5, 'the lock';
    my @waiting = map { my $c = fcgi_open($exedra->{socket}); $c->send(request_bytes(GET => '/v1/auth',
        key => $key, keep => 0)); $c } 1 .. 8;
    push @waiting, map { my $c = fcgi_open($exedra->{socket});
        $c->send(request_bytes(POST => '/v1/workspace/hall/update', key => $key, keep => 0,
        json => { openAiHistory => 7 })); $c } 1 .. 4;
    sleep 0.3;
    $super->("$cut AND application_name = 'exedra'");
    my %statuses;
    $statuses{$_->reply(30)->{status}}++ for @waiting;
    waitpid $blocker, 0;
    is_deeply [grep { !/^(?:200|503)$/ } keys %statuses], [], 'cut in the middle: ' . json_text(\%statuses);
    is status($key), 200, 'and all is well after that';
    $house->settle;
    $house->calm('the cuts');
};

subtest 'a database that does not answer' => sub {
    my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 100) or die;
    my $lost = start_exedra(settings => { 'db.url' => 'host=127.0.0.1 sslmode=disable dbname=x user=x connect_timeout=2 port=' . $deaf->sockport,
        'db.timeout' => 2, 'db.pool' => 2 });
    my $began = time;
    my @waiting = map { my $c = fcgi_open($lost->{socket}); $c->send(request_bytes(GET => "/v1/auth",
        key => $key, keep => 0)); $c } 1 .. 5;
    my $live = http($lost, GET => '/livez');
    check_reply('/livez answers meanwhile', $live, 200);
    cmp_ok $live->{seconds}, '<', allow_for(0.5), 'at once';
    my %statuses;
    $statuses{$_->reply(30)->{status}}++ for @waiting;
    is_deeply \%statuses, { 503 => 5 }, '503 for all';
    cmp_ok time - $began, '<', 10, 'within the time-outs: ' . sprintf('%.1f s', time - $began);
    ok $lost->stop, 'ends well';
};

$house->close;
done_testing;
