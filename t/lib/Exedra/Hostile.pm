# SPDX-License-Identifier: ISC
#
# What the tests of hostile input share (t/4*, 72, 73): a house with two tenants behind nginx, tables of cases, and the
# promises that hold after every input: the same workers, no sanitizer's report, descriptors back where they
# were, errors that are JSON and tell nothing of the inside, and a database that a refused request left alone.
package Exedra::Hostile;
use strict;
use warnings;

use Exporter qw(import);
use POSIX ();
use Test::More ();
use Time::HiRes qw(time sleep);
use Exedra::Fcgi qw(begin_record pairs cgi_variables FCGI_PARAMS FCGI_STDIN FCGI_STDOUT FCGI_END);
use Exedra::Http ();
use Exedra::Postgres qw(database psql);
use Exedra::Process qw(slurp program fds threads pss_kb wait_for sanitizer_report);
use Exedra::Server qw(start_exedra start_nginx);

our @EXPORT = qw(house asan allow_for targets check_reply inside_of unchanged ask_fcgi replies_in request_bytes flood
    cpu_s peak_kb within_cpu quiet_fd);

# ---- the build under test ----

my $asan;

# Is this the build with AddressSanitizer?  Then times and sizes are its own.
sub asan {
    $asan //= $ENV{EXEDRA_ASAN} // (slurp(program('exedra') // die "no exedra\n") =~ /__asan_init/ ? 1 : 0);
    return $asan;
}

# A limit of seconds or bytes: as it is, or several times that under AddressSanitizer.
sub allow_for { return asan() ? 20 * $_[0] : $_[0] }

# ---- a house ----

# Starts a pool and nginx before it, makes the tenants acme (with the workspace `hall`) and beta, and notes how things
# stand.  Takes what start_exedra() takes; `nginx => 0` goes without.
# Has { db, exedra, nginx, acme, beta, key (acme's), slug }.
sub house {
    my (%with) = @_;
    my $front = delete $with{nginx} // 1;
    my $db = $with{db} //= database();
    my $self = bless { db => $db, exedra => start_exedra(%with) }, __PACKAGE__;
    $self->{nginx} = start_nginx(exedra => $self->{exedra}) if $front;
    for my $name (qw(acme beta)) {
        $self->{$name} = Exedra::Test::tenant($db, $name);
    }
    $self->{key} = $self->{acme}{key};
    $self->{slug} = Exedra::Test::workspace($self->{exedra}, $self->{key}, 'Hall')->{slug};
    $self->settle;
    return $self;
}

# Where requests go: nginx where there is one.
sub front { return $_[0]{nginx} // $_[0]{exedra} }

sub http {
    my ($self, @request) = @_;
    return Exedra::Http::http($self->front, @request);
}

# Notes the state that calm() compares with.
sub settle {
    my ($self) = @_;
    $self->{workers} = join ' ', $self->{exedra}->worker_pids;
    $self->{fds} = $self->descriptors;
}

# Descriptors of master and workers, but for connections to the database: those come as they are needed and stay.
sub descriptors {
    my ($self) = @_;
    my $count = 0;
    $count += fds($_) for $self->{exedra}->pids;
    return $count - psql($self->{db}, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'exedra'");
}

# Fails the test unless the house is as it was: call it at the end of every table.
sub calm {
    my ($self, $after) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $exedra = $self->{exedra};
    my @wrong;
    push @wrong, 'workers are ' . join(' ', $exedra->worker_pids) . ", were $self->{workers}"
        if join(' ', $exedra->worker_pids) ne $self->{workers};
    my $report = sanitizer_report($exedra->log_text);
    push @wrong, $report if $report;
    my $ping = eval { $self->http(GET => '/ping', timeout => 10) } // { status => $@, seconds => 0 };
    push @wrong, "/ping: $ping->{status}" if $ping->{status} ne '200';
    push @wrong, "/ping took $ping->{seconds} s" if $ping->{seconds} > allow_for(1);
    my $fds;
    eval { wait_for { ($fds = $self->descriptors) <= $self->{fds} } 10, 'descriptors' };
    push @wrong, "$fds descriptors, were $self->{fds}" if $fds > $self->{fds};
    return Test::More::ok(!@wrong, "after $after: all is calm") || Test::More::diag(join "\n", @wrong);
}

# At the end of a file: calm, and every server ends well.
sub close {
    my ($self) = @_;
    $self->calm('everything');
    Test::More::ok($_->stop, "$_->{name} ends well") for grep { $_ } @$self{qw(nginx exedra)};
}

# ---- routes ----

# The rows of the route table, each with a `target`: its pattern with a workspace that is there and names that nothing
# has, unless they are given.  `shut` is the status and `words` the pattern of what a caller without a good key gets.
sub targets {
    my (%names) = @_;
    %names = (slug => 'hall', %names);
    my @routes = Exedra::Test::routes();
    for my $route (@routes) {
        ($route->{target} = $route->{pattern}) =~ s/\{(\w+)[^}]*\}/$names{$1} \/\/ 'none'/ge;
        # What the web server's include passes under /api only.
        $route->{target} = "/api$route->{target}" if $route->{pattern} !~ m{^/(?:v1/|(?:ping|livez|readyz|metrics|health(?:/db)?)$)};
        @$route{qw(shut words)} = $route->{form} eq 'openai' ? (401, qr/"code":"invalid_api_key"/)
            : $route->{form} eq 'detail' ? (401, qr/^\{"detail":"(?:Not authenticated|Your session has expired or the token is invalid\. Please sign in again\.)"\}$/)
            : (403, qr/^\{"error":"No valid api key found\."\}$/);
    }
    return @routes;
}

# ---- replies ----

# What a reply must not tell.
my $inside = qr{
      \b(?:SELECT|INSERT|UPDATE|DELETE)\b.{0,200}\b(?:FROM|INTO|SET|WHERE)\b | \bexedra\.[a-z_]+\( | \bpg_\w+ | \bPGRES | libpq
    | SQLSTATE | \btsquery\b | \brelation\b | syntax\ error\ at | /(?:tmp|usr|home|work|var|etc|run|proc)/ | \.(?:c|sql|h):\d
    | \berrno\b | No\ such\ file | Connection\ (?:refused|reset) | Broken\ pipe | Sanitizer | \bbacktrace\b
}xs;

# The words of the inside that a text holds, or undef.
sub inside_of { return $_[0] =~ /($inside)/ ? $1 : undef }

# What is wrong with a reply, '' when nothing is.
#   status   '200', or some of them: '400/422'; 'front' allows nginx's own words (not JSON) for an error
#   like     a pattern for the body
#   text     1: this error is plain text by contract
#   echo     1: the error may repeat what was sent
sub wrong_with {
    my ($got, $status, %with) = @_;
    return 'no reply' if !$got || !$got->{status};
    my $front = $status =~ s{/front$}{};
    return "status $got->{status}, not $status" if !grep { $_ eq $got->{status} } split m{/}, $status;
    my $body = $got->{body} // '';
    return 'the body does not fit' if $with{like} && $body !~ $with{like};
    my $told = !$with{echo} && $got->{status} >= 400 ? inside_of($body) : undef;
    return "it tells of '$told'" if defined $told;
    return '' if $got->{status} < 400 || $with{text} || ($front && $body =~ /<center>nginx/);
    my ($type, $sniff) = map { $got->{headers}{$_} // '' } qw(content-type x-content-type-options);
    return 'no X-Content-Type-Options' if $sniff ne 'nosniff' && !$front && $got->{status} != 413;
    return 'the error is no JSON' if ref $got->{json} ne 'HASH' || $type !~ m{^application/json};
    return 'the error has no words' if !grep { ref $_ || length } grep { defined } @{ $got->{json} }{qw(error message detail)};
    return '';
}

sub check_reply {
    my ($name, $got, $status, %with) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $wrong = wrong_with($got, $status, %with);
    return Test::More::pass($name) if $wrong eq '';
    Test::More::fail($name);
    Test::More::diag("$wrong: " . ($got ? "$got->{status} " . substr($got->{body} // '', 0, 300) : ''));
    return 0;
}

# One request by FastCGI records with variables that no web server would send: takes what cgi_variables() and fcgi()
# take.  `json` in the reply as http() has it.
sub ask_fcgi {
    my ($server, $method, $target, %with) = @_;
    my $params = cgi_variables($method, $target, %with);
    return Exedra::Http::with_json(Exedra::Fcgi::fcgi($server->{socket}, %with, params => $params));
}

# All replies in what raw() has returned, in order: [{ status, headers, body, json }].  Bodies with a length only,
# chunks, or up to the end.
sub replies_in {
    my ($bytes) = @_;
    my @replies;
    while ($bytes =~ s{^HTTP/1\.[01] (\d+)([^\r\n]*)\r\n(.*?\r\n)\r\n}{}s) {
        my ($status, $head) = ($1, "Status: $1$2\r\n$3");
        next if $status < 200;
        my $reply = Exedra::Fcgi::cgi_reply("$head\r\n");
        if (defined(my $length = $reply->{headers}{'content-length'})) {
            $reply->{body} = substr $bytes, 0, $length, '';
        } elsif (($reply->{headers}{'transfer-encoding'} // '') =~ /chunked/) {
            $reply->{body} = '';
            while ($bytes =~ s/^([0-9a-fA-F]+)\r\n//) {
                my $size = hex $1;
                $reply->{body} .= substr $bytes, 0, $size, '';
                $bytes =~ s/^\r\n//;
                last if !$size;
            }
        } elsif ($status != 204 && $status != 304) {
            ($reply->{body}, $bytes) = ($bytes, '');
        }
        push @replies, Exedra::Http::with_json($reply);
    }
    return @replies;
}

# ---- the database ----

my @tables;

# All that the tables hold, in a few words: the same as long as nothing changed.
sub fingerprint {
    my ($db) = @_;
    @tables = split /\n/, psql($db, "SELECT relname FROM pg_class
        WHERE relnamespace = 'exedra'::regnamespace AND relkind = 'r' ORDER BY 1") if !@tables;
    # When a key was used last is noted once a minute.
    return psql($db, join ' UNION ALL ', map {
        my $row = $_ eq 'credential' ? q{(to_jsonb(t) - 'used_at')::text} : 't::text';
        "SELECT '$_', count(*), md5(string_agg($row, ',' ORDER BY $row)) FROM exedra.$_ t"
    } @tables);
}

# Runs the sub and fails the test if it changed the database.
sub unchanged {
    my ($db, $name, $do) = @_;
    my $before = fingerprint($db);
    $do->();
    my $after = fingerprint($db);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is($after, $before, "$name: the database is as it was");
}

# ---- load ----

# A whole request as the bytes of its records, to be sent many times.
sub request_bytes {
    my ($method, $target, %with) = @_;
    %with = Exedra::Http::prepare(%with);
    return begin_record(1, 1, $with{keep} // 1)
        . Exedra::Fcgi::stream(FCGI_PARAMS, 1, pairs(cgi_variables($method, $target, %with)), 65528)
        . Exedra::Fcgi::stream(FCGI_STDIN, 1, $with{body} // '', 65528);
}

my $kept;                       # a client's connection

# Sends `n` requests over `clients` connections that are kept (`keep => 0`: a connection each), each client in a process
# of its own, one request after the other.  `request` is called with the request's number and gives request_bytes().
# Returns how often each status came, { 200 => 1000 }; 0 counts requests without an answer.
sub flood {
    my ($address, %with) = @_;
    my $clients = $with{clients} // 4;
    my @readers;
    for my $client (0 .. $clients - 1) {
        pipe(my $reader, my $writer) or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            my %count;
            for (my $i = $client; $i < $with{n}; $i += $clients) {
                $count{ask($address, $with{request}->($i))}++;
                undef $kept if defined $with{keep} && !$with{keep};
            }
            syswrite $writer, join ' ', %count;
            POSIX::_exit(0);
        }
        push @readers, [$pid, $reader];
    }
    my %sum;
    for (@readers) {
        my ($pid, $reader) = @$_;
        my %count = split / /, do { local $/; <$reader> // '' };
        $sum{$_} += $count{$_} for keys %count;
        waitpid $pid, 0;
    }
    return \%sum;
}

# One request over this process's kept connection: the status, 0 when the connection ends without one.
sub ask {
    my ($address, $bytes) = @_;
    for my $try (1, 2) {
        my $fresh = !$kept;
        $kept //= Exedra::Fcgi::connect_to($address);
        my ($got, $at, $status) = ('', 0, 0);
        syswrite $kept, $bytes;
        while (1) {
            my $more = sysread $kept, $got, 65536, length $got;
            if (!$more) {
                undef $kept;
                last;
            }
            $status ||= $got =~ /Status: (\d+)/ ? $1 : 0;
            while (length $got >= $at + 8) {
                my (undef, $type, undef, $length, $padding) = unpack 'CCnnC', substr $got, $at, 8;
                return $status if $type == FCGI_END && length $got >= $at + 16;
                last if length $got < $at + 8 + $length + $padding;
                $at += 8 + $length + $padding;
            }
        }
        return $status if $status || $fresh;
    }
    return 0;
}

# ---- what it costs ----

# Processor seconds that processes have used so far.
sub cpu_s {
    my $ticks = 0;
    for my $pid (@_) {
        my $stat = slurp("/proc/$pid/stat");
        $stat =~ s/^.*\) //s;
        my @fields = split / /, $stat;
        $ticks += $fields[11] + $fields[12];
    }
    return $ticks / 100;
}

# Runs the sub and fails the test if the workers of the house needed more than so many processor seconds.
sub within_cpu {
    my ($self, $seconds, $name, $do) = @_;
    my @pids = $self->{exedra}->pids;
    my $before = cpu_s(@pids);
    my $result = $do->();
    my $used = cpu_s(@pids) - $before;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::cmp_ok($used, '<=', allow_for($seconds) + 0.02, "$name: $used s of processor time");
    return $result;
}

# The most that the processes have taken since the last call, together.
sub peak_kb {
    my $sum = 0;
    for my $pid (@_) {
        $sum += slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : 0;
        if (open my $reset, '>', "/proc/$pid/clear_refs") {
            syswrite $reset, '5';
        }
    }
    return $sum;
}

# Nothing comes from a connection within so many seconds.
sub quiet_fd {
    my ($socket, $seconds) = @_;
    vec(my $bits = '', fileno $socket, 1) = 1;
    return select($bits, undef, undef, $seconds) == 0;
}

1;
