# SPDX-License-Identifier: ISC
#
# Programs that a test starts: run to the end, or kept running and ended with the test, whatever way the
# test ends.  Also what /proc tells about them.  Nothing here knows what the programs are for.
package Exedra::Process;
use strict;
use warnings;

use Errno ();
use Exporter qw(import);
use File::Spec ();
use File::Temp ();
use IO::Select ();
use POSIX ();
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(become_user tmp_dir slurp lines_of spew program build_dir run spawn spawn_reading adopt is_alive end_process wait_for
    child_pids pss_kb fds threads sanitizer_report);

# The user that tests run as when root starts them: PostgreSQL refuses root, and nothing tested here needs
# it.  Debian's base-passwd names `daemon` for programs that write files and have no user of their own.
my $unprivileged = 'daemon';

# As root, start this very script again as another user.  The tree may lie where that user cannot go; all
# paths into it are relative to the current directory, which stays open to it.
sub become_user {
    return if $> != 0;
    my @again = @ARGV;
    my @inc = map { ('-I', File::Spec->abs2rel($_)) } grep { /\bt\/lib$/ } @INC;
    chomp(my $files = `sh -c 'ulimit -Hn'`);
    $files = 65536 if $files eq 'unlimited' || $files > 65536;
    exec 'prlimit', "--nofile=$files:$files", 'setpriv', "--reuid=$unprivileged", "--regid=$unprivileged",
        '--clear-groups', '--no-new-privs', $^X, @inc, @_ ? @_ : File::Spec->abs2rel($0), @again
        or die "cannot become $unprivileged: $!\n";
}

# ---- files ----

my $tmp_dir;

# The test's own directory, removed when it ends.  Short: socket paths have 107 bytes.
sub tmp_dir {
    $tmp_dir //= File::Temp->newdir('exedra-XXXXXXXX', TMPDIR => 1);
    return "$tmp_dir";
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar(<$in>) // '';
}

# The lines of a file that others write to meanwhile; none when it is not there yet.  What is being written is no line yet.
sub lines_of {
    my ($file) = @_;
    return -e $file ? slurp($file) =~ /^(.+)\n/mg : ();
}

sub spew {
    my ($file, $text) = @_;
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    return $file;
}

# Where the programs were built: relative to the current directory if it can be said so.
sub build_dir {
    my $dir = $ENV{EXEDRA_BUILD} // 'build';
    return File::Spec->file_name_is_absolute($dir) ? File::Spec->abs2rel($dir) : $dir;
}

# The path of one of ours in the build directory, or of another's in the usual places; undef when there is none.
sub program {
    my ($name) = @_;
    my @dirs = $name =~ /^exedra/ ? (build_dir()) : (split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin');
    for my $dir (@dirs) {
        return "$dir/$name" if -x "$dir/$name" && !-d _;
    }
    return undef;
}

# ---- running ----

# What a program inherits from the test that it must not: our SIGPIPE, and settings of the caller's.
sub start {
    my ($command, $stdin, $stdout, $stderr, $env) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM HUP CHLD);
    delete @ENV{grep { /^EXEDRA_SET_/ } keys %ENV};
    while (my ($name, $value) = each %{ $env // {} }) {
        if (defined $value) { $ENV{$name} = $value } else { delete $ENV{$name} }
    }
    open STDIN, '<&', $stdin or POSIX::_exit(126);
    open STDOUT, '>&', $stdout or POSIX::_exit(126);
    open STDERR, '>&', $stderr or POSIX::_exit(126);
    no warnings 'exec';
    exec { $command->[0] } @$command;
    print STDERR "$command->[0]: $!\n";
    POSIX::_exit(127);
}

# Runs a command to its end.  Returns { status, signal, out, err, seconds }; `stdin` is text, `env` adds to the
# environment (undef takes away).  One that takes longer than `timeout` seconds is killed and the test dies.
sub run {
    my ($command, %with) = @_;
    my $began = time;
    my $deadline = $began + ($with{timeout} // 60);
    open my $stdin, '+>', undef or die "temporary file: $!";
    syswrite_all($stdin, $with{stdin}) if defined $with{stdin};
    sysseek $stdin, 0, 0;
    pipe(my $out_read, my $out_write) or die "pipe: $!";
    pipe(my $err_read, my $err_write) or die "pipe: $!";
    my $pid = start($command, $stdin, $out_write, $err_write, $with{env});
    close $_ for $stdin, $out_write, $err_write;

    my %text = ($out_read => '', $err_read => '');
    my $select = IO::Select->new($out_read, $err_read);
    while ($select->count) {
        my $left = $deadline - time;
        my @ready = $left > 0 ? $select->can_read($left) : ();
        if (!@ready) {
            next if $left > 0 && $!{EINTR};
            kill KILL => $pid;
            waitpid $pid, 0;
            die "@$command: no end after " . ($with{timeout} // 60) . " s\n$text{$err_read}\n";
        }
        for my $from (@ready) {
            my $got = sysread $from, $text{$from}, 65536, length $text{$from};
            $select->remove($from) if !$got;
        }
    }
    waitpid $pid, 0;
    return {
        status => $? >> 8, signal => $? & 127, out => $text{$out_read}, err => $text{$err_read},
        seconds => time - $began,
    };
}

sub syswrite_all {
    my ($to, $bytes) = @_;
    my $at = 0;
    while ($at < length $bytes) {
        $at += syswrite($to, $bytes, 1 << 20, $at) // die "write: $!";
    }
}

# ---- programs that stay ----

my %running;                    # pid => what it is called
my $owner = $$;

# Starts a command that stays, its stdout and stderr appended to the file `log`; `stdin` may be a handle.
# It gets SIGTERM when this test dies, even by SIGKILL.
sub spawn {
    my ($command, %with) = @_;
    my $stdin = $with{stdin};
    open $stdin, '<', '/dev/null' or die "/dev/null: $!" if !$stdin;
    open my $log, '>>', $with{log} or die "$with{log}: $!";
    my $pid = start([program('setpriv'), '--pdeathsig', 'TERM', @$command], $stdin, $log, $log, $with{env});
    $running{$pid} = $command->[0];
    return $pid;
}

# Starts a command whose output is read as it comes: its pid and the handle.  `stdin` is text or a handle; stderr is
# appended to `log`.
sub spawn_reading {
    my ($command, %with) = @_;
    my $stdin = $with{stdin} // '';
    if (!ref $stdin) {
        open my $file, '+>', undef or die "temporary file: $!";
        syswrite_all($file, $stdin);
        sysseek $file, 0, 0;
        $stdin = $file;
    }
    open my $log, '>>', $with{log} or die "$with{log}: $!";
    pipe(my $read, my $write) or die "pipe: $!";
    my $pid = start([program('setpriv'), '--pdeathsig', 'TERM', @$command], $stdin, $write, $log, $with{env});
    $running{$pid} = $command->[0];
    return ($pid, $read);
}

# A child that was forked elsewhere and is to end with the test.
sub adopt {
    my ($pid, $name) = @_;
    $running{$pid} = $name;
}

# Sends the signal (TERM), waits at most `seconds` (30), kills if that was too short.
# Returns what waitpid left in $?, or undef when it had to be killed.
sub end_process {
    my ($pid, %with) = @_;
    delete $running{$pid} or return 0;
    kill $with{signal} // 'TERM', $pid if ($with{signal} // '') ne 'none';
    my $deadline = time + ($with{seconds} // 30);
    while (time < $deadline) {
        return $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.005;
    }
    kill KILL => $pid;
    waitpid $pid, 0;
    return undef;
}

# The first line of a sanitizer's report in a text, if there is one.
sub sanitizer_report {
    my ($text) = @_;
    return $text =~ /^(.*(?:ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error: ).*)$/m ? $1 : undef;
}

# Calls the sub until it returns something true, and returns that; dies after so many seconds.
sub wait_for(&$$) {
    my ($condition, $seconds, $what) = @_;
    my $deadline = time + $seconds;
    my $pause = 0.002;
    while (1) {
        my $got = $condition->();
        return $got if $got;
        die "waited $seconds s for $what\n" if time > $deadline;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.05;
    }
}

# ---- /proc ----

# False for one that has ended, even if nobody has asked for its status yet.
sub is_alive {
    my ($pid) = @_;
    return (eval { slurp("/proc/$pid/stat") } // '') =~ /\) [^ZX] / ? 1 : 0;
}

sub child_pids {
    my ($parent) = @_;
    my @children;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        my $line = <$in> // next;
        push @children, $1 if $line =~ /^(\d+) \(.*\) [^Z] (\d+) /s && $2 == $parent;
    }
    return sort { $a <=> $b } @children;
}

# Proportional set size of processes together, in kB: what they really cost, shared pages counted once.
sub pss_kb {
    my $sum = 0;
    for my $pid (@_) {
        slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+) kB/m or die "no Pss of $pid\n";
        $sum += $1;
    }
    return $sum;
}

sub fds {
    my ($pid) = @_;
    opendir my $dir, "/proc/$pid/fd" or die "/proc/$pid/fd: $!\n";
    return scalar grep { /^\d+$/ } readdir $dir;
}

# Without the two that ThreadSanitizer has in a worker (./runtests tsan).
sub threads {
    my ($pid) = @_;
    slurp("/proc/$pid/status") =~ /^Threads:\s+(\d+)/m or die "no threads of $pid\n";
    return $1 - ($ENV{EXEDRA_TSAN} ? 2 : 0);
}

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';

END {
    if ($$ == $owner) {
        local $?;
        kill TERM => keys %running;
        end_process($_, signal => 'none', seconds => 5) for keys %running;
    }
}

1;
