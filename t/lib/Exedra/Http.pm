# SPDX-License-Identifier: ISC
#
# Requests of a client.  To a web server it speaks HTTP/1.1 over a socket and sends targets and bytes just as
# they are given; to Exedra itself, FastCGI; to a CGI program, its environment.  A test reads the same three ways.
package Exedra::Http;
use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use Time::HiRes qw(time);
use Exedra::Fcgi qw(fcgi fcgi_open begin_record pairs cgi_reply cgi_variables connect_to FCGI_PARAMS FCGI_STDIN
    FCGI_STDOUT FCGI_END);
use Exedra::Process qw(run);

our @EXPORT_OK = qw(http http_stream raw cgi json_text json_value);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub json_text  { return $json->encode($_[0]) }
sub json_value { return $json->decode($_[0]) }

# One request to a server (start_nginx, start_exedra or start_cgi):
#   http($server, POST => '/v1/workspace/new', key => $key, json => { name => 'Papers' })
# `body` sends bytes as they are (characters as UTF-8), `headers` adds to or replaces ours (undef takes one away), `params` are FastCGI's.
# Returns { status, headers, body, json, seconds }: header names in lower case; `json` is undef if the
# body is none, or over 1 MiB: json_value() takes seconds for that.
sub http {
    my ($server, $method, $target, %with) = @_;
    my $began = time;
    %with = prepare(%with);
    my $got =
          $server->{http}   ? http_reply($server->{http}, http_bytes($method, $target, %with), $with{timeout}, $method)
        : $server->{socket} ? fcgi($server->{socket}, params => cgi_variables($method, $target, %with),
            stdin => $with{body}, timeout => $with{timeout})
        : cgi($server->{program}, { %{ $server->{env} }, %{ cgi_variables($method, $target, %with) } }, $with{body});
    return with_json({ %$got, seconds => time - $began });
}

# The headers and the body that follow from `key` and `json`.
sub prepare {
    my (%with) = @_;
    utf8::encode($with{body}) if defined $with{body} && utf8::is_utf8($with{body});
    my %headers;
    $headers{Authorization} = "Bearer $with{key}" if defined $with{key};
    if (exists $with{json}) {
        $with{body} = json_text($with{json});
        $headers{'Content-Type'} = 'application/json';
    }
    %headers = (%headers, %{ $with{headers} // {} });
    delete @headers{grep { !defined $headers{$_} } keys %headers};
    return (%with, headers => \%headers);
}

sub with_json {
    my ($got) = @_;
    $got->{json} = length $got->{body} < 1 << 20 && $got->{body} =~ /^\s*[\[{]/ ? eval { json_value($got->{body}) } : undef;
    return $got;
}

sub http_bytes {
    my ($method, $target, %with) = @_;
    my %headers = (Host => 'localhost', Connection => 'close', %{ $with{headers} });
    $headers{'Content-Length'} //= length $with{body} if defined $with{body};
    return "$method $target HTTP/1.1\r\n" . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers) . "\r\n"
        . ($with{body} // '');
}

# Sends bytes to a web server just as they are and returns all that comes back, until it closes or `seconds` (5) pass.
sub raw {
    my ($server, $bytes, $seconds) = @_;
    my $socket = fcgi_open($server->{http} // $server->{socket});
    $socket->send($bytes);
    my $deadline = time + ($seconds // 5);
    eval { 1 while $socket->fill($deadline - time) };
    return $socket->{bytes};
}

sub http_reply {
    my ($address, $bytes, $seconds, $method) = @_;
    my $stream = Exedra::Stream->open_http($address, $bytes, $seconds // 30);
    my $body = $method eq 'HEAD' ? '' : $stream->rest($seconds // 30);
    $stream->close;
    return { status => $stream->{status}, headers => $stream->{headers}, body => $body };
}

# Runs a CGI program for one request: { status, headers, body, err, exit }.
sub cgi {
    my ($program, $env, $stdin) = @_;
    my $ran = run(ref $program ? $program : [$program], stdin => $stdin // '', env => $env);
    return with_json({ %{ cgi_reply($ran->{out}) }, err => $ran->{err}, exit => $ran->{status}, out => $ran->{out} });
}

# A request whose reply is read as it comes: see Exedra::Stream.  Takes what http() takes.
sub http_stream {
    my ($server, $method, $target, %with) = @_;
    %with = prepare(%with);
    my $seconds = $with{timeout} // 30;
    return Exedra::Stream->open_http($server->{http}, http_bytes($method, $target, %with), $seconds) if $server->{http};
    my $variables = cgi_variables($method, $target, %with);
    return Exedra::Stream->open_fcgi($server->{socket}, $variables, $with{body}, $seconds) if $server->{socket};
    return Exedra::Stream->open_cgi($server->{program}, { %{ $server->{env} }, %$variables }, $with{body}, $seconds);
}

# A reply under way: { status, headers }, and its events.
package Exedra::Stream;
use strict;
use warnings;

use Time::HiRes qw(time);

sub open_http {
    my ($class, $address, $bytes, $seconds) = @_;
    my $connection = Exedra::Fcgi::fcgi_open($address);
    $connection->send($bytes);
    my $deadline = time + $seconds;
    my $self = bless { connection => $connection, body => '', comments => 0, began => time }, $class;
    while ($connection->{bytes} !~ /\r?\n\r?\n/ || $connection->{bytes} =~ s{^HTTP/1\.[01] 1\d\d .*?\r\n\r\n}{}s) {
        $connection->fill($deadline - time) or die "the web server closed the connection: '$connection->{bytes}'\n";
    }
    my ($head, $rest) = split /\r?\n\r?\n/, $connection->{bytes}, 2;
    $head =~ s{^HTTP/1\.[01] (\d+)}{Status: $1} or die "not HTTP: $head\n";
    my $reply = Exedra::Fcgi::cgi_reply("$head\r\n\r\n");
    @$self{qw(status headers)} = @$reply{qw(status headers)};
    $connection->{bytes} = $rest;
    $self->{more} = ($self->{headers}{'transfer-encoding'} // '') =~ /chunked/i ? \&more_chunks
        : defined $self->{headers}{'content-length'} ? \&more_counted : \&more_until_closed;
    $self->{left} = $self->{headers}{'content-length'};
    return $self;
}

sub open_fcgi {
    my ($class, $address, $variables, $body, $seconds) = @_;
    my $connection = Exedra::Fcgi::fcgi_open($address);
    $connection->send(Exedra::Fcgi::begin_record(1),
        Exedra::Fcgi::stream(Exedra::Fcgi::FCGI_PARAMS, 1, Exedra::Fcgi::pairs($variables), 65528),
        Exedra::Fcgi::stream(Exedra::Fcgi::FCGI_STDIN, 1, $body // '', 65528));
    my $self = bless { connection => $connection, body => '', comments => 0, began => time,
        more => \&more_records }, $class;
    my $deadline = time + $seconds;
    while ($self->{body} !~ /\r?\n\r?\n/) {
        $self->more($deadline - time) or die "Exedra closed the connection: '$self->{body}'\n";
    }
    my $reply = Exedra::Fcgi::cgi_reply($self->{body});
    @$self{qw(status headers body)} = @$reply{qw(status headers body)};
    return $self;
}

# A CGI program of its own: { pid }, and { exit } (as in $?) when its output has ended.  `stdin` is text or a handle.
sub open_cgi {
    my ($class, $program, $env, $stdin, $seconds) = @_;
    my ($pid, $out) = Exedra::Process::spawn_reading($program, stdin => $stdin, env => $env, log => Exedra::Process::tmp_dir() . '/cgi.log');
    my $connection = bless { socket => $out, bytes => '' }, 'Exedra::Fcgi';
    my $self = bless { connection => $connection, body => '', comments => 0, began => time, more => \&more_output, pid => $pid }, $class;
    my $deadline = time + $seconds;
    while ($self->{body} !~ /\r?\n\r?\n/) {
        $self->more($deadline - time) or die "the program ended with $self->{exit}: '$self->{body}'\n";
    }
    my $reply = Exedra::Fcgi::cgi_reply($self->{body});
    @$self{qw(status headers body)} = @$reply{qw(status headers body)};
    return $self;
}

# Adds to {body} what comes next: false at the end of the reply; dies when nothing comes in time.
# {whole} says whether the reply ended as the protocol wants, or was cut.
sub more {
    my ($self, $seconds) = @_;
    return $self->{more}->($self, $seconds);
}

sub more_until_closed {
    my ($self, $seconds) = @_;
    my $from = $self->{connection};
    if ($from->{bytes} eq '') {
        $from->fill($seconds) or return 0 * ($self->{whole} = 1);
    }
    $self->{body} .= $from->{bytes};
    $from->{bytes} = '';
    return 1;
}

sub more_output {
    my ($self, $seconds) = @_;
    return 1 if $self->more_until_closed($seconds);
    $self->{exit} //= Exedra::Process::end_process($self->{pid}, signal => 'none', seconds => $seconds) // -1;
    return 0 * ($self->{whole} = $self->{exit} == 0);
}

sub more_counted {
    my ($self, $seconds) = @_;
    my $from = $self->{connection};
    return 0 * ($self->{whole} = 1) if $self->{left} <= 0;
    if ($from->{bytes} eq '') {
        $from->fill($seconds) or return $self->{whole} = 0;
    }
    my $take = substr $from->{bytes}, 0, $self->{left}, '';
    $self->{left} -= length $take;
    $self->{body} .= $take;
    return 1;
}

sub more_chunks {
    my ($self, $seconds) = @_;
    my $from = $self->{connection};
    my $deadline = time + $seconds;
    while (1) {
        if ($from->{bytes} =~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/) {
            my ($size, $line) = (hex $1, $+[0]);
            return 0 * ($self->{whole} = 1) if $size == 0;
            if (length $from->{bytes} >= $line + $size + 2) {
                $self->{body} .= substr $from->{bytes}, $line, $size;
                substr($from->{bytes}, 0, $line + $size + 2) = '';
                return 1;
            }
        }
        $from->fill($deadline - time) or return $self->{whole} = 0;
    }
}

sub more_records {
    my ($self, $seconds) = @_;
    my $record = $self->{connection}->next_record($seconds) or return $self->{whole} = 0;
    return 0 * ($self->{whole} = 1) if $record->{type} == Exedra::Fcgi::FCGI_END();
    $self->{body} .= $record->{content} if $record->{type} == Exedra::Fcgi::FCGI_STDOUT();
    return 1;
}

# The next event: { at (seconds since the request), data, event, json }, undef at the end.  Comment lines are
# counted in {comments}.  Dies when none comes within `seconds` (30).
sub next {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds // 30);
    while (1) {
        while ($self->{body} =~ s/^(.*?)\r?\n\r?\n//s) {
            my %event = (at => time - $self->{began}, data => undef);
            for my $line (split /\r?\n/, $1) {
                if ($line =~ /^:/) { $self->{comments}++ }
                elsif ($line =~ /^data: ?(.*)/) { $event{data} = defined $event{data} ? "$event{data}\n$1" : $1 }
                elsif ($line =~ /^(\w+): ?(.*)/) { $event{$1} = $2 }
            }
            next if !defined $event{data};
            $event{json} = $event{data} =~ /^[\[{]/ ? eval { Exedra::Http::json_value($event{data}) } : undef;
            return \%event;
        }
        $self->more($deadline - time) or return undef;
    }
}

# All events that are still to come.
sub events {
    my ($self, $seconds) = @_;
    my @events;
    while (my $event = $self->next($seconds)) {
        push @events, $event;
    }
    return @events;
}

# The rest of the body as bytes.
sub rest {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds // 30);
    1 while $self->more($deadline - time);
    return $self->{body};
}

# Goes away, in the middle if need be.
sub close {
    my ($self) = @_;
    $self->{connection}->close;
}

1;
