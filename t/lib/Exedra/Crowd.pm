# SPDX-License-Identifier: ISC
#
# Many clients at once in one process: each has asked something, in any of the four ways, and takes what comes as it comes.
# A test looks on, waits for what it wants to see, and lets clients leave in the middle.
#
#   my $crowd = Exedra::Crowd->new;
#   my $client = $crowd->ask($nginx, 'stream', key => $key, slug => 'hall', message => 'why?');
#   $crowd->until(sub { $client->{text_seen} }, 5, 'the first word');
#   $crowd->leave($client);
#
# A server may be a CGI program too: each client has a process of its own, { pid }.
package Exedra::Crowd;
use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);
use Exedra::Answer qw(question judge);
use Exedra::Fcgi qw(connect_to cgi_reply cgi_variables);
use Exedra::Hostile ();
use Exedra::Http ();
use Exedra::Process qw(spawn_reading tmp_dir);

sub new { return bless { open => {} }, $_[0] }

# Sends a question; takes what ask() takes.  Returns the client: { way, question, asked_at, bytes, first_at (of the first byte),
# text_seen (some text has come, of a stream), ended_at, left_at }.
sub ask {
    my ($self, $server, $way, %with) = @_;
    my ($target, $body) = question($way, %with);
    my $http = $server->{http};
    my %request = Exedra::Http::prepare(key => $with{key}, json => $body);
    return $self->run($server, { way => $way, question => $with{message} }, $target, %request) if $server->{program};
    my $bytes = $http ? Exedra::Http::http_bytes(POST => $target, %request)
        : Exedra::Hostile::request_bytes(POST => $target, key => $with{key}, json => $body, keep => 0);
    my $client = { way => $way, question => $with{message}, http => $http, bytes => '', socket => connect_to($http // $server->{socket}), asked_at => time };
    syswrite $client->{socket}, $bytes;
    $client->{socket}->blocking(0);
    $self->{open}{fileno $client->{socket}} = $client;
    return $client;
}

sub run {
    my ($self, $server, $client, $target, %request) = @_;
    my $env = { %{ $server->{env} }, %{ cgi_variables(POST => $target, %request) } };
    my ($pid, $out) = spawn_reading($server->{program}, stdin => $request{body}, env => $env, log => tmp_dir() . '/cgi.log');
    $out->blocking(0);
    %$client = (%$client, cgi => 1, pid => $pid, bytes => '', socket => $out, asked_at => time);
    $self->{open}{fileno $out} = $client;
    return $client;
}

# Takes what comes within so many seconds; returns as soon as something has.
sub turn {
    my ($self, $seconds) = @_;
    my $read = '';
    vec($read, $_, 1) = 1 for keys %{ $self->{open} };
    return if select($read, undef, undef, $seconds) <= 0;
    for my $fd (keys %{ $self->{open} }) {
        vec($read, $fd, 1) or next;
        my $client = $self->{open}{$fd};
        my $got = sysread $client->{socket}, $client->{bytes}, 1 << 20, length $client->{bytes};
        next if !defined $got && $!{EAGAIN};
        if ($got) {
            $client->{first_at} //= time;
            $client->{text_seen} ||= index($client->{bytes}, 'data: {') >= 0;
        } else {
            $client->{ended_at} = time;
            $self->drop($client);
        }
    }
}

sub drop {
    my ($self, $client) = @_;
    my $socket = delete $client->{socket} or return;
    delete $self->{open}{fileno $socket};
    close $socket;
}

# Goes on until the sub returns something true, and returns that; dies after so many seconds.
sub until {
    my ($self, $condition, $seconds, $what) = @_;
    my $deadline = time + $seconds;
    while (1) {
        my $got = $condition->();
        return $got if $got;
        die "waited $seconds s for $what\n" if time > $deadline;
        $self->turn(0.02);
    }
}

# Until nobody waits for anything.
sub finish {
    my ($self, $seconds) = @_;
    $self->until(sub { !%{ $self->{open} } }, $seconds, 'the end of all answers');
}

# So many seconds pass.
sub linger {
    my ($self, $seconds) = @_;
    my $until = time + $seconds;
    $self->turn($until - time) while time < $until;
}

# A client goes away, politely or with a reset.
sub leave {
    my ($self, $client, %with) = @_;
    setsockopt $client->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $with{reset} && $client->{socket};
    $client->{left_at} = time;
    $self->drop($client);
}

# What has come so far, as judge() tells it.
sub answer {
    my ($self, $client) = @_;
    my $reply = $client->{http} ? http_reply($client->{bytes}, !$client->{socket})
        : $client->{cgi} ? { %{ cgi_reply($client->{bytes}) }, whole => !$client->{socket} } : fcgi_reply($client->{bytes});
    return { way => $client->{way}, status => 0, text => '', raw => '', broken => 1 } if !$reply->{status};
    return judge($client->{way}, $reply);
}

sub http_reply {
    my ($bytes, $closed) = @_;
    my ($head, $rest) = split /\r\n\r\n/, $bytes, 2;
    return { status => 0 } if !defined $rest;
    $head =~ s{^HTTP/1\.[01] (\d+)}{Status: $1} or return { status => 0 };
    my $reply = cgi_reply("$head\r\n\r\n");
    if (($reply->{headers}{'transfer-encoding'} // '') =~ /chunked/) {
        $reply->{body} = '';
        while ($rest =~ /\G([0-9a-fA-F]+)\r\n/gc) {
            my ($size, $at) = (hex $1, pos $rest);
            $reply->{whole} = 1, last if $size == 0;
            $reply->{body} .= substr $rest, $at, $size;
            last if length $rest < $at + $size + 2;
            pos $rest = $at + $size + 2;
        }
    } else {
        $reply->{body} = $rest;
        my $length = $reply->{headers}{'content-length'};
        $reply->{whole} = defined $length ? length $rest >= $length : $closed;
    }
    return $reply;
}

sub fcgi_reply {
    my ($bytes) = @_;
    my ($at, $out, $whole) = (0, '', 0);
    while (length $bytes >= $at + 8) {
        my (undef, $type, undef, $length, $padding) = unpack 'CCnnC', substr $bytes, $at, 8;
        $out .= substr $bytes, $at + 8, $length if $type == 6 && length $bytes > $at + 8;
        $whole = 1 if $type == 3;
        $at += 8 + $length + $padding;
    }
    return { %{ cgi_reply($out) }, whole => $whole };
}

1;
