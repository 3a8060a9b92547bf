# SPDX-License-Identifier: ISC
#
# A FastCGI client that builds its records by hand, so that it can build wrong ones too.  And how a CGI reply,
# which is what comes back, is taken apart.
package Exedra::Fcgi;
use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use Socket ();
use Time::HiRes qw(time);

our @EXPORT_OK = qw(fcgi fcgi_open record begin_record pairs cgi_reply cgi_variables connect_to
    FCGI_BEGIN FCGI_ABORT FCGI_END FCGI_PARAMS FCGI_STDIN FCGI_STDOUT FCGI_STDERR FCGI_GET_VALUES);

use constant {
    FCGI_BEGIN => 1, FCGI_ABORT => 2, FCGI_END => 3, FCGI_PARAMS => 4, FCGI_STDIN => 5, FCGI_STDOUT => 6,
    FCGI_STDERR => 7, FCGI_GET_VALUES => 9,
};

# ---- records ----

# One record.  `version`, `length` (what the header claims) and `padding` can be made to lie.
sub record {
    my ($type, $id, $content, %with) = @_;
    my $padding = $with{padding} // '';
    return pack('CCnnCx', $with{version} // 1, $type, $id, $with{length} // length $content,
        $with{claimed_padding} // length $padding) . $content . $padding;
}

# The record that opens a request; role 1 is the responder, flag 1 keeps the connection.
sub begin_record {
    my ($id, $role, $flags) = @_;
    return record(FCGI_BEGIN, $id, pack('nCx5', $role // 1, $flags // 0));
}

# Names and values as FCGI_PARAMS carries them; a hash, or an array when order or repetition matters.
sub pairs {
    my ($params) = @_;
    my @list = ref $params eq 'HASH' ? map { ($_, $params->{$_}) } sort keys %$params : @$params;
    my $bytes = '';
    while (my ($name, $value) = splice @list, 0, 2) {
        $bytes .= pack(length $_ < 128 ? 'C' : 'N', length $_ < 128 ? length $_ : length($_) | 1 << 31) for $name, $value;
        $bytes .= $name . $value;
    }
    return $bytes;
}

# Bytes as a stream of records of one type, closed by the empty one.
sub stream {
    my ($type, $id, $bytes, $size) = @_;
    my $out = '';
    for (my $at = 0; $at < length $bytes; $at += $size) {
        $out .= record($type, $id, substr $bytes, $at, $size);
    }
    return $out . record($type, $id, '');
}

# ---- a connection ----

# Connects to /path/of.sock or host:port; dies with errno's text.
sub connect_to {
    my ($address) = @_;
    my $socket = $address =~ m{^/}
        ? IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $address)
        : IO::Socket::INET->new(PeerAddr => $address, Proto => 'tcp');
    die "connect to $address: $!\n" if !$socket;
    $socket->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1) if $address !~ m{^/};
    return $socket;
}

# A connection whose records one sends and reads one by one.
sub fcgi_open {
    my ($address) = @_;
    return bless { socket => connect_to($address), bytes => '' }, __PACKAGE__;
}

sub send {
    my ($self, @bytes) = @_;
    my $bytes = join '', @bytes;
    my $at = 0;
    while ($at < length $bytes) {
        my $sent = syswrite $self->{socket}, $bytes, length($bytes) - $at, $at;
        return 0 if !defined $sent;             # the other end has gone: what it answered is still to be read
        $at += $sent;
    }
    return 1;
}

# The next record as { type, id, content }; undef at the end of the connection.  Dies after `seconds` (30).
sub next_record {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds // 30);
    while (1) {
        if (length $self->{bytes} >= 8) {
            my (undef, $type, $id, $length, $padding) = unpack 'CCnnC', $self->{bytes};
            if (length $self->{bytes} >= 8 + $length + $padding) {
                my $content = substr $self->{bytes}, 8, $length;
                substr($self->{bytes}, 0, 8 + $length + $padding) = '';
                return { type => $type, id => $id, content => $content };
            }
        }
        $self->fill($deadline - time) or return undef;
    }
}

# Waits for more bytes: how many came, 0 at the end.
sub fill {
    my ($self, $seconds) = @_;
    my $bits = '';
    vec($bits, fileno $self->{socket}, 1) = 1;
    my $ready = select $bits, undef, undef, $seconds > 0 ? $seconds : 0;
    die "no answer from FastCGI in time\n" if $ready == 0;
    return sysread($self->{socket}, $self->{bytes}, 65536, length $self->{bytes}) // 0;
}

sub close {
    my ($self) = @_;
    close delete $self->{socket} if $self->{socket};
}

# ---- a request ----

# The variables that a web server would send with this request; `params` adds to them, undef takes away.
sub cgi_variables {
    my ($method, $target, %with) = @_;
    my ($path, $query) = split /\?/, $target, 2;
    my %variables = (
        GATEWAY_INTERFACE => 'CGI/1.1', SERVER_PROTOCOL => 'HTTP/1.1', SERVER_SOFTWARE => 'exedra-test',
        REQUEST_METHOD => $method, REQUEST_URI => $target, SCRIPT_NAME => '', QUERY_STRING => $query // '',
        SERVER_NAME => 'localhost', SERVER_PORT => 80, REMOTE_ADDR => '127.0.0.1', REMOTE_PORT => 40000,
        HTTP_HOST => 'localhost', HTTP_PROXY => '',
    );
    while (my ($name, $value) = each %{ $with{headers} // {} }) {
        (my $variable = uc $name) =~ tr/-/_/;
        $variable = "HTTP_$variable" if $variable !~ /^CONTENT_(?:TYPE|LENGTH)$/;
        $variables{$variable} = $value;
    }
    $variables{CONTENT_LENGTH} //= length $with{body} if defined $with{body};
    %variables = (%variables, %{ $with{params} // {} });
    delete @variables{grep { !defined $variables{$_} } keys %variables};
    return \%variables;
}

# One request: `params` (hash or array), `stdin`, and if need be role, flags, id, size (of a record of the body).
# Returns { status, headers, body, stderr, app_status, protocol_status, ended }; `ended` is false when the connection
# closed without the end record.
sub fcgi {
    my ($address, %with) = @_;
    my $connection = fcgi_open($address);
    my $id = $with{id} // 1;
    $connection->send(begin_record($id, $with{role}, $with{flags}), stream(FCGI_PARAMS, $id, pairs($with{params}), 65528),
        stream(FCGI_STDIN, $id, $with{stdin} // '', $with{size} // 65528));
    my $got = $connection->reply($with{timeout});
    $connection->close;
    return $got;
}

# What comes back for the request under way.
sub reply {
    my ($self, $seconds) = @_;
    my ($stdout, %got) = ('', stderr => '', ended => 0);
    my $deadline = time + ($seconds // 30);
    while (my $record = $self->next_record($deadline - time)) {
        $stdout .= $record->{content} if $record->{type} == FCGI_STDOUT;
        $got{stderr} .= $record->{content} if $record->{type} == FCGI_STDERR;
        next if $record->{type} != FCGI_END;
        @got{qw(app_status protocol_status ended)} = (unpack('NC', $record->{content}), 1);
        last;
    }
    return { %{ cgi_reply($stdout) }, %got };
}

# Takes a CGI program's output apart: { status, headers, body }; status is 0 when there is no header at all.
sub cgi_reply {
    my ($output) = @_;
    my ($head, $body) = split /\r?\n\r?\n/, $output, 2;
    return { status => 0, headers => {}, body => $output } if !defined $body;
    my %headers;
    for my $line (split /\r?\n/, $head) {
        my ($name, $value) = $line =~ /^([^:]+):\s*(.*)$/ or next;
        $name = lc $name;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    my $status = delete $headers{status} // '200';
    return { status => ($status =~ /^(\d+)/)[0], headers => \%headers, body => $body };
}

1;
