# SPDX-License-Identifier: ISC
#
# A few clients that ask all the time, each in a process of its own and one thing after the other, until they are told to stop;
# what came of everything they asked is looked at then.
#
#   my $askers = start_askers(3, sub { my ($client, $i) = @_; return { status => http(...)->{status} } });
#   ... something happens ...
#   my @results = $askers->stop;
package Exedra::Askers;
use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);
use Exedra::Process qw(tmp_dir lines_of spew adopt end_process);

our @EXPORT = qw(start_askers);

my $json = JSON::PP->new->utf8->canonical;
my $count = 0;

# Starts so many; each calls the sub for i = 0, 1, ... and pauses `pause` seconds (0.02) in between.  The sub returns a
# hash of plain values, or dies.
sub start_askers {
    my ($n, $do, %with) = @_;
    my $file = tmp_dir() . '/askers' . ++$count;
    my $self = bless { file => $file, pids => [], began => time }, __PACKAGE__;
    my $parent = $$;
    for my $client (0 .. $n - 1) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            eval { ask_on($file, $client, $do, $parent, $with{pause} // 0.02) };
            print STDERR "# asker $client: $@" if $@;
            POSIX::_exit(0);
        }
        push @{ $self->{pids} }, $pid;
        adopt($pid, 'asker');
    }
    return $self;
}

sub ask_on {
    my ($file, $client, $do, $parent, $pause) = @_;
    open my $out, '>>', "$file.$client" or die "$file: $!\n";
    for (my $i = 0; getppid == $parent && !-e "$file.stop"; $i++) {
        my $began = time;
        my $result = eval { $do->($client, $i) } // { died => $@ =~ s/\n.*//sr || 'nothing' };
        # one write a line: who is killed in the middle leaves no half of one
        syswrite $out, $json->encode({ %$result, client => $client, i => $i, began => $began, ended => time }) . "\n";
        sleep $pause;
    }
}

# What came so far, in the order in which it was asked: what the sub returned with { client, i, began, ended }, or { died }.
sub results {
    my ($self) = @_;
    my @results = map { $json->decode($_) } map { lines_of("$self->{file}.$_") } 0 .. $#{ $self->{pids} };
    return sort { $a->{began} <=> $b->{began} } @results;
}

# Lets each end what it is about, and returns the results.
sub stop {
    my ($self, $seconds) = @_;
    spew("$self->{file}.stop", '');
    end_process($_, signal => 'none', seconds => $seconds // 30) for @{ $self->{pids} };
    return $self->results;
}

1;
