# SPDX-License-Identifier: ISC
#
# A language model's server for tests, in the OpenAI dialect: it says what it is told to, at the pace it is told to,
# and remembers what it was asked.
package Exedra::Model;
use strict;
use warnings;

use Exporter qw(import);
use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Time::HiRes qw(sleep);
use Exedra::Http qw(json_text json_value);
use Exedra::Process qw(tmp_dir lines_of adopt);

our @EXPORT_OK = qw(start_model);

my $count = 0;

# Starts it on a loopback port.
#   deltas   the pieces of every answer, [ 'Hello ', 'there.' ]
#   pause    seconds before each piece
#   answer   a sub instead, called with the socket and the request { method, target, headers, body, json }; it
#            writes the whole HTTP reply, or closes, or sleeps: in a process of its own for each connection
# Has { url } for llm.url, and requests().
sub start_model {
    my (%with) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1024) or die "no port: $!\n";
    my $self = bless { url => 'http://127.0.0.1:' . $listen->sockport . '/v1', file => tmp_dir() . '/model' . ++$count },
        __PACKAGE__;
    my $answer = $with{answer} // sub { say_it(@_, $with{deltas} // ['Hello ', 'there.'], $with{pause} // 0) };
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{CHLD} = 'IGNORE';
        my $select = IO::Select->new($listen);
        while (getppid == $parent) {
            my $client = $select->can_read(1) ? $listen->accept : next;
            next if !$client || fork;
            eval { serve($client, $self->{file}, $answer) };
            POSIX::_exit(0);
        }
        POSIX::_exit(0);
    }
    $self->{pid} = $pid;
    adopt($pid, 'model');
    return $self;
}

sub serve {
    my ($client, $file, $answer) = @_;
    while (my $request = read_request($client)) {
        open my $out, '>>', $file or die;
        syswrite $out, json_text($request) . "\n";
        close $out;
        $answer->($client, $request);
        return if $request->{headers}{connection} && $request->{headers}{connection} eq 'close';
    }
}

sub read_request {
    my ($client) = @_;
    local $/ = "\r\n";
    chomp(my $line = <$client> // return undef);
    my ($method, $target) = split / /, $line;
    my %headers;
    while (defined($line = <$client>) && $line ne "\r\n") {
        chomp $line;
        $headers{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*)$/;
    }
    read $client, my $body, $headers{'content-length'} // 0;
    return { method => $method, target => $target, headers => \%headers, body => $body,
        json => ($body // '') =~ /^\{/ ? eval { json_value($body) } : undef };
}

# The usual answers: a list of models, a chat as a stream or whole.
sub say_it {
    my ($client, $request, $deltas, $pause) = @_;
    my $usage = { prompt_tokens => 7, completion_tokens => scalar @$deltas, total_tokens => 7 + @$deltas };
    my %reply = (id => 'chatcmpl-1', created => 1700000000, model => $request->{json}{model} // 'test-model');
    if ($request->{target} !~ m{/chat/completions$}) {
        return reply_json($client, { object => 'list', data => [{ id => 'test-model', object => 'model' }] });
    }
    if (!$request->{json}{stream}) {
        sleep $pause * @$deltas;
        return reply_json($client, { %reply, object => 'chat.completion', usage => $usage, choices => [{ index => 0,
            finish_reason => 'stop', message => { role => 'assistant', content => join '', @$deltas } }] });
    }
    syswrite $client, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    my $event = sub {
        my $text = 'data: ' . (ref $_[0] ? json_text({ %reply, object => 'chat.completion.chunk', %{ $_[0] } }) : $_[0]) . "\n\n";
        defined syswrite $client, sprintf "%x\r\n%s\r\n", length $text, $text or POSIX::_exit(0);
    };
    for my $delta (@$deltas) {
        sleep $pause;
        $event->({ choices => [{ index => 0, delta => { content => $delta }, finish_reason => undef }] });
    }
    $event->({ choices => [{ index => 0, delta => {}, finish_reason => 'stop' }] });
    $event->({ choices => [], usage => $usage });
    $event->('[DONE]');
    syswrite $client, "0\r\n\r\n";
}

sub reply_json {
    my ($client, $value, $status) = @_;
    my $body = json_text($value);
    syswrite $client, 'HTTP/1.1 ' . ($status // '200 OK') . "\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}

# What it was asked so far, in order.
sub requests {
    my ($self) = @_;
    return map { json_value($_) } lines_of($self->{file});
}

1;
