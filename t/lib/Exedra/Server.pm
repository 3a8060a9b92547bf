# SPDX-License-Identifier: ISC
#
# The servers of a test: Exedra's pool, nginx or Apache in front of it, and Exedra as a CGI program.  Each lives in a directory
# of its own under the test's, is waited for until it answers, and is ended with the test; one that ends badly or
# leaves a sanitizer's report fails the test.
package Exedra::Server;
use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET ();
use Test::More ();
use Exedra::Fcgi qw(fcgi cgi_variables connect_to);
use Exedra::Process qw(tmp_dir slurp spew program build_dir spawn is_alive end_process wait_for child_pids pss_kb
    sanitizer_report);

our @EXPORT_OK = qw(start_exedra start_nginx start_apache start_cgi free_port write_settings);

my $owner = $$;
my $count = 0;
my @servers;

sub new_dir {
    my ($name) = @_;
    my $dir = tmp_dir() . '/' . $name . ++$count;
    mkdir $dir or die "$dir: $!\n";
    return $dir;
}

# A loopback port that was free a moment ago.
sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no free port: $!\n";
    return $socket->sockport;
}

# Writes exedra.conf and returns its path.  At one stroke: a reload may be reading it.
sub write_settings {
    my ($file, $settings) = @_;
    my @names = grep { defined $settings->{$_} } sort keys %$settings;
    spew("$file.new", join '', map { "$_ = $settings->{$_}\n" } @names);
    rename "$file.new", $file or die "$file: $!\n";
    return $file;
}

# The database, if there is one, and our own program that reads files.
sub usual_settings {
    my ($db) = @_;
    return ('extract.program' => build_dir() . '/exedra-extract', $db ? ('db.url' => $db->conninfo('runtime')) : ());
}

# ---- Exedra ----

# Starts the pool on a socket of its own and waits until it answers.
#   db        its database, from database(); without one there is no db.url
#   settings  for exedra.conf; undef takes one of ours away
#   listen    'tcp' for a loopback port, or an address
#   args, env more for its command line, its environment
#   unready   1: do not wait
# Has { socket, pid, log (file), conf (file) }.
sub start_exedra {
    my (%with) = @_;
    my $dir = new_dir('exedra');
    my $listen = $with{listen} // "$dir/sock";
    $listen = '127.0.0.1:' . free_port() if $listen eq 'tcp';
    my %settings = (listen => $listen, processes => 2, usual_settings($with{db}), %{ $with{settings} // {} });
    my $self = bless {
        name => 'exedra', socket => $listen, log => "$dir/log", dir => $dir, settings => \%settings,
        conf => write_settings("$dir/exedra.conf", \%settings),
    }, 'Exedra::Server';
    my $program = program('exedra') // die 'no exedra in ' . build_dir() . "\n";
    $self->{pid} = spawn([$program, '-c', $self->{conf}, @{ $with{args} // [] }], log => $self->{log}, env => $with{env});
    push @servers, $self;
    $self->wait_ready if !$with{unready};
    return $self;
}

# Until a request is answered, whatever the answer.
sub wait_ready {
    my ($self) = @_;
    wait_for {
        $self->alive or die "exedra has ended:\n" . $self->log_text;
        eval { fcgi($self->{socket}, params => cgi_variables(GET => '/livez'), timeout => 5)->{status} };
    } 30, 'exedra to answer';
}

# The same configuration with other settings, then SIGHUP.
sub reload {
    my ($self, %settings) = @_;
    %{ $self->{settings} } = (%{ $self->{settings} }, %settings);
    write_settings($self->{conf}, $self->{settings});
    kill HUP => $self->{pid};
}

sub worker_pids {
    my ($self) = @_;
    return child_pids($self->{pid});
}

# Of the master and its workers.
sub pids {
    my ($self) = @_;
    return ($self->{pid}, $self->worker_pids);
}

sub pss_total_kb {
    my ($self) = @_;
    return pss_kb($self->pids);
}

# ---- nginx ----

# Starts nginx before Exedra, with the shipped include and nothing else of ours.
#   exedra   from start_exedra(), or the path of a socket
#   prefix   a URL prefix, such as /team
#   tenant   the tenant that it names
#   processes   how many workers: 1 if not said
#   server   more lines for the server block, http for the http block
# Has { http (host:port), url, pid, log (file) }.
sub start_nginx {
    my (%with) = @_;
    my $program = program('nginx') // die "nginx is missing: apt-get install nginx\n";
    my $dir = new_dir('nginx');
    my $socket = ref $with{exedra} ? $with{exedra}{socket} : $with{exedra};
    my $self = bless { name => 'nginx', dir => $dir, log => "$dir/error.log" }, 'Exedra::Server';
    spew("$dir/exedra.conf", nginx_include($socket, $with{prefix} // '', $with{tenant}));
    for my $try (1 .. 5) {
        my $port = free_port();
        spew("$dir/nginx.conf", nginx_conf($dir, $port, %with));
        $self->{pid} = spawn([$program, '-p', $dir, '-e', $self->{log}, '-c', "$dir/nginx.conf"], log => "$dir/out");
        $self->{http} = "127.0.0.1:$port";
        my $answers = eval { wait_for { !$self->alive || eval { connect_to($self->{http}) } } 10, 'nginx' };
        last if $answers && $self->alive;
        end_process(delete $self->{pid}, signal => 'KILL') if $self->{pid};
        last if $self->log_text !~ /Address already in use/;
    }
    die 'nginx does not start: ' . $self->log_text . "\n" if !$self->{pid};
    $self->{url} = "http://$self->{http}" . ($with{prefix} // '');
    push @servers, $self;
    return $self;
}

# The built include, with our socket, prefix and tenant where an admin would write his.
sub nginx_include {
    my ($socket, $prefix, $tenant) = @_;
    my $file = build_dir() . '/nginx/exedra.conf';
    my $text = slurp($file);
    my $address = $socket =~ m{^/} ? "unix:$socket" : $socket;
    $text =~ s/fastcgi_pass \S+;/fastcgi_pass $address;/g or die "$file: no fastcgi_pass\n";
    $text =~ s/\(\?<exedra_prefix>\)/(?<exedra_prefix>$prefix)/ or die "$file: no place for a prefix\n";
    return $text if !defined $tenant;
    $text =~ s/#(fastcgi_param EXEDRA_TENANT) .*;/$1 $tenant;/ or die "$file: no place for a tenant\n";
    return $text;
}

sub nginx_conf {
    my ($dir, $port, %with) = @_;
    my $temp = join '', map { "    ${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
    my ($http, $server) = map { $with{$_} // '' } qw(http server);
    my $processes = $with{processes} // 1;
    return <<END;
daemon off;
worker_processes $processes;
pid $dir/pid;
error_log $dir/error.log info;
events { worker_connections 16384; }
http {
    access_log $dir/access.log;
$temp    $http
    server {
        listen 127.0.0.1:$port backlog=4096;
        include exedra.conf;
        $server
    }
}
END
}

# ---- Apache ----

# Starts Apache, with the shipped include before Exedra, or with Exedra as a CGI program.
#   exedra   from start_exedra(), or the path of a socket; none without the include
#   prefix   a URL prefix, such as /team
#   mpm      event if not said, or prefork
#   modules  more of them, by name
#   site     more lines for the virtual host
#   main     more for the whole server; DIR in them is its directory
# Has { http (host:port), dir, pid, log (file) }.
sub start_apache {
    my (%with) = @_;
    my $dir = new_dir('apache');
    my $port = free_port();
    my $include = '';
    if ($with{exedra}) {
        spew("$dir/exedra.conf", apache_include(ref $with{exedra} ? $with{exedra}{socket} : $with{exedra}, $with{prefix} // ''));
        $include = "Include $dir/exedra.conf\n";
    }
    my @modules = ('mpm_' . ($with{mpm} // 'event'), qw(authz_core alias env proxy proxy_fcgi), @{ $with{modules} // [] });
    spew("$dir/httpd.conf", "ServerRoot $dir\nPidFile $dir/pid\nDefaultRuntimeDir $dir\nErrorLog $dir/error.log\nServerName localhost\nListen 127.0.0.1:$port\n"
        . join('', map { "LoadModule ${_}_module /usr/lib/apache2/modules/mod_$_.so\n" } @modules)
        . ($with{main} // '') =~ s/DIR/$dir/gr . "\n<VirtualHost *:$port>\nDocumentRoot $dir\n$include" . ($with{site} // '') . "\n</VirtualHost>\n");
    my $self = bless { name => 'apache', dir => $dir, log => "$dir/error.log", http => "127.0.0.1:$port" }, 'Exedra::Server';
    # It ends its whole process group, which is not to be ours.
    $self->{pid} = spawn([program('setsid'), program('apache2'), '-f', "$dir/httpd.conf", '-DFOREGROUND'], log => "$dir/out");
    push @servers, $self;
    wait_for { $self->alive or die 'apache does not start: ' . slurp("$dir/out") . $self->log_text . "\n"; eval { connect_to($self->{http}) } } 10, 'apache';
    return $self;
}

# The shipped include, with our socket and prefix where an admin would write his.
sub apache_include {
    my ($socket, $prefix) = @_;
    my $text = slurp('apache/exedra.conf');
    $text =~ s{unix:[^|]+\|}{unix:$socket|} or die "apache/exedra.conf: no socket\n";
    $text =~ s{"\^/\(}{"^$prefix/(}g == 2 or die "apache/exedra.conf: no place for a prefix\n";
    $text =~ s{(SCRIPT_NAME) ""}{$1 "$prefix"} or die "apache/exedra.conf: no SCRIPT_NAME\n";
    return $text;
}

# ---- CGI ----

# Exedra as a web server without FastCGI would run it, one process a request: http() takes it as a server.
sub start_cgi {
    my (%with) = @_;
    my $dir = new_dir('cgi');
    my %settings = (usual_settings($with{db}), %{ $with{settings} // {} });
    my $conf = write_settings("$dir/exedra.conf", \%settings);
    my $program = program('exedra') // die 'no exedra in ' . build_dir() . "\n";
    return { program => [$program, '-c', $conf], env => $with{env} // {} };
}

# ---- what servers have in common ----

sub alive {
    my ($self) = @_;
    return $self->{pid} ? is_alive($self->{pid}) : 0;
}

sub log_text {
    my ($self) = @_;
    return -e $self->{log} ? slurp($self->{log}) : '';
}

# Waits until the log has a line that matches, and returns its first capture or the line.
sub wait_log {
    my ($self, $pattern, $seconds) = @_;
    return wait_for { $self->log_text =~ /^(.*(?:$pattern).*)$/m ? $2 // $1 : undef } $seconds // 10, "a log line $pattern";
}

# Ends it with SIGTERM and returns what was wrong, '' when all is well.
sub end {
    my ($self, %with) = @_;
    my $pid = delete $self->{pid} or return '';
    my $status = end_process($pid, %with);
    my $report = $self->{name} eq 'exedra' ? sanitizer_report($self->log_text) : undef;
    my $expected = $with{expect} // 0;
    return $report ? "$self->{name}: $report"
        : !defined $status ? "$self->{name} did not end on SIGTERM"
        : $status != $expected ? sprintf('%s ended with status %d, signal %d', $self->{name}, $status >> 8, $status & 127)
        : '';
}

# Ends it with SIGTERM (`signal`, within `seconds`); fails the test if the exit status is not 0 (`expect`, as in $?) or
# a sanitizer has something to say.
sub stop {
    my ($self, %with) = @_;
    my $wrong = $self->end(%with);
    return 1 if $wrong eq '';
    Test::More::fail($wrong);
    Test::More::diag($self->log_text);
    return 0;
}

# After done_testing it is too late to fail a test: what is wrong then goes to the exit status.
END {
    my $status = $?;
    for my $server ($$ == $owner ? reverse @servers : ()) {
        my $wrong = $server->end(seconds => 15);
        next if $wrong eq '';
        print STDERR "# $wrong\n", map { "# $_\n" } grep { defined } (split /\n/, $server->log_text)[-60 .. -1];
        $status ||= 1;
    }
    $? = $status;
}

1;
