# Making and changing the schema: init and upgrade can be repeated, also while requests run, and fail whole for who may not.
# Where the database is not as it must be (another version, a role that no policy binds, a table without forced row-level
# security), Exedra answers 503 on every route that needs it and says in its log what to do; it never answers with data.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

my $db = database();                    # set up as EXEDRA_TEST_ROLES says
my $two = database(roles => 'two');     # where the workers' role is not the owner
$two->{role}{outsider} = 'exedra_one';  # a role that its schema knows nothing of
my @runtime = $db->{role}{owner} eq $db->{role}{runtime} ? () : ('--runtime-role', $db->{role}{runtime});

sub exedractl_status {
    my ($conninfo, @command) = @_;
    return run([program('exedractl'), '-d', $conninfo, @command]);
}

sub schema_of {
    my ($of) = @_;
    my $dump = run([program('pg_dump'), '--schema-only', '-d', $of->conninfo('super')]);
    die "pg_dump: $dump->{err}" if $dump->{status};
    return $dump->{out} =~ s/^\\(?:un)?restrict .*\n//gmr;
}

# A test: the schema is what it was, rights and all.  Tells the lines that came or went.
sub same_schema {
    my ($of, $before, $name) = @_;
    my %n;
    $n{$_}-- for split /\n/, $before;
    $n{$_}++ for split /\n/, schema_of($of);
    is_deeply [map { ($n{$_} > 0 ? '+ ' : '- ') . $_ } grep { $n{$_} != 0 } sort keys %n], [], $name;
}

subtest 'init and upgrade can be repeated' => sub {
    my $acme = tenant($db, 'acme');
    my $exedra = start_exedra(db => $db);
    workspace($exedra, $acme->{key}, 'Kept');
    my ($schema, $rows) = (schema_of($db), fingerprint($db));
    # Without --runtime-role, too, the workers' role keeps what it may: DROP TYPE ... CASCADE once took open_chat() along.
    for my $command (['init', @runtime], ['upgrade', @runtime], ['upgrade'], ['upgrade', @runtime]) {
        exedractl($db, @$command);
        same_schema($db, $schema, "@$command: the schema is the same after it");
        is http($exedra, GET => '/v1/workspaces', key => $acme->{key})->{status}, 200, 'a running pool goes on';
        is chat($exedra, $acme->{key}, 'none', 'Anything?')->{status}, 400, 'with all it does';
    }
    is fingerprint($db), $rows, 'and the rows are';
    ok $exedra->stop, 'nothing ended badly';
};

# Requests lock the tables in other orders than an upgrade that made every policy anew: PostgreSQL ended one or the other.
subtest 'upgrade while requests run' => sub {
    my $exedra = start_exedra(db => $db);
    my $key = key({ db => $db, name => 'acme' });
    my $over = tmp_dir() . '/over';
    my @clients = map { forked(sub { ask_until($over, $exedra, $key) }) } 1 .. 6;
    my $failed = grep { !eval { exedractl($db, 'upgrade', @runtime); 1 } } 1 .. 3;
    is $failed, 0, 'three upgrades succeed';
    spew($over, '');
    is_deeply [grep { waitpid($_, 0); $? } @clients], [], 'and no request of six clients fails';
    ok $exedra->stop, 'nothing ended badly';
};

sub forked {
    my ($sub) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    POSIX::_exit(eval { $sub->() } ? 0 : 1);
}

# Whether every answer until then is a 200.
sub ask_until {
    my ($over, $exedra, $key) = @_;
    my $failed = 0;
    while (!-e $over) {
        $failed += http($exedra, GET => $_, key => $key)->{status} != 200 for '/v1/workspaces', '/v1/workspace/kept', '/v1/documents';
        $failed += chat($exedra, $key, 'kept', 'Anything?')->{status} != 200;
    }
    return $failed == 0;
}

subtest 'who may not upgrade' => sub {
    my $schema = schema_of($two);
    my $version = psql($two, q{SELECT version || ', ' || oldest_program FROM exedra.schema_version});
    for my $as ('runtime', 'outsider') {
        my $got = exedractl_status($two->conninfo($as), 'upgrade');
        is $got->{status}, 1, "$as cannot";
        like $got->{err}, qr/\Aexedractl: [^\n]*(?:permission denied|must be owner)[^\n]*\n\z/, 'and is told why, in a line';
        is $got->{out}, '', 'on stderr';
    }
    same_schema($two, $schema, 'nothing has changed');
    psql($two, 'DELETE FROM exedra.schema_version');
    my $got = exedractl_status($two->conninfo('owner'), 'upgrade');
    is_deeply [@$got{qw(status err)}], [1, "exedractl: the table schema_version is empty; the schema is none of Exedra's, or damaged.\n"], 'nobody can where no version is';
    psql($two, "INSERT INTO exedra.schema_version (version, oldest_program) VALUES ($version)");
    my $empty = database(empty => 1, roles => 'two');
    is exedractl_status($empty->conninfo('runtime'), 'init')->{status}, 1, 'nor make the schema in a database of another';
    $got = exedractl_status($empty->conninfo('owner'), 'upgrade');
    is $got->{status}, 1, 'upgrade wants a schema';
    like $got->{err}, qr/exedractl init/, 'and names the command that makes one';
};

# What Latin 1 does not have would fail one day, in the middle of a chat; SQL_ASCII takes any bytes.
subtest 'another encoding' => sub {
    my $cluster = $two->{cluster};
    for my $encoding (qw(LATIN1 SQL_ASCII)) {
        my $name = lc "t${$}_$encoding";
        $cluster->sql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING $encoding LC_COLLATE 'C' LC_CTYPE 'C' OWNER $two->{role}{owner}");
        my $got = exedractl_status($cluster->conninfo($name, $two->{role}{owner}), 'init');
        is_deeply [@$got{qw(status err)}], [1, "exedractl: the database has the encoding $encoding; it must be UTF8, as by createdb -E UTF8 -T template0.\n"], "$encoding is refused";
        is $cluster->sql($name, "SELECT count(*) FROM pg_namespace WHERE nspname = 'exedra'"), 0, 'and nothing is there';
        $cluster->sql('postgres', "DROP DATABASE $name");
    }
};

# Functions run as the owner of the schema: nothing would keep tenants apart in them.
subtest 'an owner that no policy binds' => sub {
    my $warned = qr/^exedractl: warning: this role is a superuser or has BYPASSRLS, [^\n]*PGOPTIONS='-c role=exedra_owner'\.$/m;
    my $empty = database(empty => 1, roles => 'two');
    my $got = exedractl_status($empty->conninfo('super'), 'init');
    is $got->{status}, 0, 'a superuser may init';
    like $got->{err}, $warned, 'and is told who does better';
    my $other = database(empty => 1, roles => 'two');
    local $ENV{PGOPTIONS} = "-c role=$other->{role}{owner}";
    $got = exedractl_status($other->conninfo('super'), 'init');
    is $got->{status}, 0, "in a plain role's place";
    unlike $got->{err}, qr/warning/, 'nothing is to be told';
    is psql($other, "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'exedra'"), $other->{role}{owner}, 'and that one owns it';
};

# ---- Exedra on a database that is not as it must be ----

# Requests of all routes that need the database: the statuses there are.
sub statuses {
    my ($exedra, $key) = @_;
    my %seen;
    for my $route (grep { $_->{needs} !~ /no-database/ && $_->{method} ne 'OPTIONS' } routes()) {
        (my $target = $route->{pattern}) =~ s/\{[^}]*\}/kept/g;
        my $got = http($exedra, $route->{method} => $target, key => $key, $route->{method} eq 'POST'
            ? (json => { name => 'New', message => 'Anything?', textContent => 'x', metadata => { title => 'x' } }) : ());
        my $result = $got->{body} =~ /kept|sql|relation|exedra\.|exedractl/i ? 'tells too much' : $got->{status};
        push @{ $seen{$result} }, "$route->{method} $route->{pattern}";
    }
    return \%seen;
}

# Exedra refuses all of it with 503, and its log has a line like this.
sub refuses {
    my ($exedra, $key, $log, $what) = @_;
    my $seen = statuses($exedra, $key);
    is_deeply [keys %$seen], [503], $what or diag json_text($seen);
    my $got = http($exedra, GET => '/v1/auth', key => $key);
    ok $got->{headers}{'retry-after'}, 'with Retry-After';
    like $got->{body}, qr/The database is not set up for this program\./, 'and a reason that does not pass by waiting';
    is http($exedra, GET => '/livez')->{status}, 200, '/livez is none of that';
    like $exedra->log_text, $log, 'the log says what to do';
}

subtest 'another version of the schema' => sub {
    my $exedra = start_exedra(db => $db);
    my $key = key({ db => $db, name => 'acme' });
    my ($version, $oldest) = split /\t/, psql($db, 'SELECT version, oldest_program FROM exedra.schema_version');
    for my $case (['version = 0', 'an older one', qr/exedractl upgrade/], ['version = 99, oldest_program = 99', 'one that has left us behind', qr/install the newer program/]) {
        my $before = length $exedra->log_text;
        psql($db, "UPDATE exedra.schema_version SET $case->[0]");
        my $rows = fingerprint($db);
        refuses($exedra, $key, $case->[2], $case->[1]);
        like substr($exedra->log_text, $before), qr/\blevel=error\b.*remedy="[^"]*$case->[2]/, 'as an error';
        is fingerprint($db), $rows, 'nothing is written';
    }
    psql($db, "UPDATE exedra.schema_version SET version = 99, oldest_program = $version");
    is http($exedra, GET => '/v1/auth', key => $key)->{status}, 200, 'a newer one that still serves us';
    psql($db, "UPDATE exedra.schema_version SET version = $version, oldest_program = $oldest");
    ok $exedra->stop, 'nothing ended badly';
};

subtest 'a role that no policy binds' => sub {
    my $free = "exedra_free_$$";
    psql($two, "CREATE ROLE $free LOGIN BYPASSRLS; SELECT exedra.grant_runtime('$free')");
    my $key = tenant($two, 'kept')->{key};
    for my $url ($two->conninfo('super'), $two->{cluster}->conninfo($two->{name}, $free)) {
        my $exedra = start_exedra(settings => { 'db.url' => $url });
        refuses($exedra, $key, qr/superuser or has BYPASSRLS/, $url =~ /free/ ? 'BYPASSRLS' : 'a superuser');
        ok $exedra->stop, 'nothing ended badly';
    }
    psql($two, "DROP OWNED BY $free; DROP ROLE $free");
};

subtest 'a table without forced row-level security' => sub {
    my $key = key({ db => $db, name => 'acme' });
    for my $how ('DISABLE', 'NO FORCE') {
        psql($db, "ALTER TABLE exedra.workspace $how ROW LEVEL SECURITY");
        my $exedra = start_exedra(db => $db);
        refuses($exedra, $key, qr/tables="?workspace\b.*exedractl upgrade/, "$how: a new connection is refused");
        exedractl($db, 'upgrade', @runtime);
        is http($exedra, GET => '/v1/auth', key => $key)->{status}, 200, 'upgrade mends it';
        ok $exedra->stop, 'nothing ended badly';
    }
};

done_testing;
