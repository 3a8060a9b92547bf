# SPDX-License-Identifier: ISC
#
# A private PostgreSQL: one cluster for a test run, on a Unix socket only, and a database for each test, cloned
# from a template that holds the schema.  ./runtests starts the cluster once, with_cluster() below; a test
# run by itself starts its own on first use.  How a test asks for rows is here too.
#
# Two set-ups, by EXEDRA_TEST_ROLES: `two` (default), an owner of the schema and a runtime role, or `one`, the same
# plain role for both.  None of them is a superuser.
package Exedra::Postgres;
use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(LOCK_EX);
use Errno ();
use File::Temp ();
use POSIX ();
use Time::HiRes qw(time);
use Exedra::Process qw(become_user program run spawn is_alive end_process child_pids slurp spew wait_for);

our @EXPORT_OK = qw(role_setup database psql psql_error);

my $owner = $$;
my %role = (
    one => { super => 'postgres', owner => 'exedra_one',   runtime => 'exedra_one' },
    two => { super => 'postgres', owner => 'exedra_owner', runtime => 'exedra_runtime' },
);

sub role_setup {
    my $setup = $ENV{EXEDRA_TEST_ROLES} // 'two';
    die "EXEDRA_TEST_ROLES is '$setup', not one or two\n" if !$role{$setup};
    return $setup;
}

# ---- the cluster ----

# The cluster that this test run shares, and those that we have started.
my ($shared, @clusters);

sub shared {
    $shared //= $ENV{EXEDRA_TEST_PG} ? bless({ dir => $ENV{EXEDRA_TEST_PG} }, __PACKAGE__) : __PACKAGE__->new;
    return $shared;
}

# A cluster of one's own: Exedra::Postgres->new.  `fsync => 1` for one that must survive being killed, by stop('KILL')
# and start; `settings` go to postgresql.conf.
sub new {
    my ($class, %with) = @_;
    my $bin = bin_dir();
    my $home = File::Temp->newdir('exedra-pg-XXXXXXXX', TMPDIR => 1);
    my $self = bless { home => $home, dir => "$home", bin => $bin }, $class;
    push @clusters, $self;

    my $made = run(["$bin/initdb", '-D', "$home/data", qw(-U postgres -A trust -E UTF8 --locale=C.UTF-8),
        qw(--no-sync --no-instructions)]);
    die "initdb: $made->{err}" if $made->{status};
    my %settings = (
        listen_addresses => '', unix_socket_directories => "$home", unix_socket_permissions => '0700',
        max_connections => 200, shared_buffers => '64MB', max_wal_size => '1GB', autovacuum => 'off',
        log_line_prefix => '%m [%p] %u@%d ', fsync => $with{fsync} ? 'on' : 'off',
        full_page_writes => $with{fsync} ? 'on' : 'off', %{ $with{settings} // {} },
    );
    spew("$home/data/postgresql.auto.conf", join '', map { "$_ = '$settings{$_}'\n" } sort keys %settings);
    $self->start;
    $self->sql('postgres', join '', map { "CREATE ROLE $_ LOGIN;\n" } qw(exedra_one exedra_owner exedra_runtime));
    return $self;
}

sub bin_dir {
    my @dirs = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin';
    for my $dir (@dirs, split /:/, $ENV{PATH}) {
        return $dir if -x "$dir/initdb" && -x "$dir/postgres";
    }
    die "PostgreSQL's server programs are missing: apt-get install postgresql\n";
}

sub start {
    my ($self) = @_;
    $self->{pid} = spawn(["$self->{bin}/postgres", '-D', "$self->{dir}/data"], log => "$self->{dir}/log");
    wait_for {
        is_alive($self->{pid}) or die "PostgreSQL has ended: " . slurp("$self->{dir}/log");
        !run([psql_command($self->conninfo('postgres', 'postgres'))], stdin => 'SELECT 1')->{status};
    } 60, "PostgreSQL in $self->{dir}";
}

# Ends the cluster: INT (fast), QUIT (at once, the default: nothing is to be kept) or KILL (a crash).
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return;
    my @children = child_pids($pid);
    end_process($pid, signal => $signal // 'QUIT');
    wait_for { !grep { is_alive($_) } @children } 10, 'the end of PostgreSQL';
}

# Starts a cluster, runs the command with it, ends it, and exits as the command did.
sub with_cluster {
    become_user('-MExedra::Postgres', '-e', 'Exedra::Postgres::with_cluster(@ARGV)', '--');
    my @command = @_;
    my $cluster = __PACKAGE__->new;
    local $ENV{EXEDRA_TEST_PG} = $cluster->{dir};
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        setpgrp 0, 0;                   # so that all it starts can be ended together
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        no warnings 'exec';
        exec { $command[0] } @command;
        print STDERR "$command[0]: $!\n";
        POSIX::_exit(127);
    }
    local @SIG{qw(INT TERM HUP)} = (sub { kill TERM => -$pid }) x 3;
    1 while waitpid($pid, 0) == -1 && $!{EINTR};
    my $status = $?;
    $cluster->stop;
    exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
}

sub conninfo {
    my ($self, $name, $user) = @_;
    return "host=$self->{dir} port=5432 dbname=$name user=$user";
}

# SQL as the superuser; dies with the server's words.
sub sql {
    my ($self, $name, $sql) = @_;
    return query($self->conninfo($name, 'postgres'), $sql);
}

# ---- a test's database ----

my @databases;

# A fresh database with the schema in it (`empty => 1`: without), dropped when the test ends.
# `roles` is one or two, `cluster` one of one's own.
sub database {
    my (%with) = @_;
    my $cluster = $with{cluster} // shared();
    my $setup = $with{roles} // role_setup();
    my $name = sprintf 't%d_%x', $$, time * 1e6;
    my $template = $with{empty} ? 'template0' : $cluster->template($setup);
    $cluster->sql('postgres', "CREATE DATABASE $name TEMPLATE $template OWNER $role{$setup}{owner}");
    my $db = Exedra::Database->new($cluster, $name, $role{$setup});
    push @databases, $db;
    return $db;
}

# The name of the database that clones are made from; the first one to ask makes it.
sub template {
    my ($self, $setup) = @_;
    my $name = "template_$setup";
    return $name if $self->{ready}{$setup};
    open my $lock, '>>', "$self->{dir}/lock" or die "$self->{dir}/lock: $!\n";
    flock $lock, LOCK_EX or die "flock: $!\n";
    if ($self->sql('postgres', "SELECT count(*) FROM pg_database WHERE datname = '$name'") == 0) {
        $self->sql('postgres', "DROP DATABASE IF EXISTS unready_$setup WITH (FORCE)");
        $self->sql('postgres', "CREATE DATABASE unready_$setup TEMPLATE template0 OWNER $role{$setup}{owner}");
        my @init = ('init', $setup eq 'two' ? ('--runtime-role', $role{two}{runtime}) : ());
        my $exedractl = program('exedractl') // die "no exedractl in " . Exedra::Process::build_dir() . "\n";
        my $made = run([$exedractl, '-d', $self->conninfo("unready_$setup", $role{$setup}{owner}), @init]);
        die "exedractl @init: $made->{err}" if $made->{status} || $made->{signal};
        $self->sql('postgres', "ALTER DATABASE unready_$setup RENAME TO $name");
    }
    $self->{ready}{$setup} = 1;
    return $name;
}

# ---- SQL ----

sub psql_command {
    my ($conninfo) = @_;
    my $psql = program('psql') // die "psql is missing: apt-get install postgresql-client\n";
    return ($psql, qw(-X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -F), "\t", '-d', $conninfo, '-f', '-');
}

sub query {
    my ($conninfo, $sql) = @_;
    utf8::encode($sql) if utf8::is_utf8($sql);
    my $got = run([psql_command($conninfo)], stdin => $sql);
    die "SQL failed: $got->{err}\n" if $got->{status} || $got->{signal};
    chomp $got->{out};
    utf8::decode($got->{out});
    return $got->{out};
}

# The rows of one or more statements as text: columns with tabs, rows with line ends between them.
# `as` is 'owner', 'runtime' or 'super' (default: it sees through row-level security).  Dies on an error.
sub psql {
    my ($db, $sql, %with) = @_;
    return query($db->conninfo($with{as} // 'super'), $sql);
}

# The SQLSTATE that the SQL fails with; '' when it does not fail.
sub psql_error {
    my ($db, $sql, %with) = @_;
    my $got = run([psql_command($db->conninfo($with{as} // 'super'))], stdin => $sql);
    return '' if !$got->{status};
    return $got->{err} =~ /(?:ERROR|FATAL):\s+([0-9A-Z]{5}):/ ? $1 : die "psql: $got->{err}\n";
}

END {
    if ($$ == $owner) {
        local $?;
        eval { $_->drop for grep { !$_->{cluster}{home} } @databases };
        $_->stop for @clusters;
    }
}

# One database: { name, cluster, role => { super, owner, runtime } }.
package Exedra::Database;
use strict;
use warnings;

sub new {
    my ($class, $cluster, $name, $role) = @_;
    return bless { cluster => $cluster, name => $name, role => $role }, $class;
}

# What libpq wants to connect as one of the three.
sub conninfo {
    my ($self, $as) = @_;
    return $self->{cluster}->conninfo($self->{name}, $self->{role}{$as} // die "role $as?\n");
}

sub drop {
    my ($self) = @_;
    my $name = delete $self->{name} or return;
    $self->{cluster}->sql('postgres', "DROP DATABASE IF EXISTS $name WITH (FORCE)");
}

1;
