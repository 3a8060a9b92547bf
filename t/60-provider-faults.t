# A provider that does not answer, breaks off, refuses or speaks bad HTTP: each fault in all four ways of asking.  The client
# gets a clear error, with its status before the first byte and as an event behind it, never something that looks complete;
# the row says what became of the question; nothing of the provider's words, address or key leaks; the next question is fine.
use lib 't/lib';
use Exedra::Test;
use Exedra::Faults;
use Exedra::Provider;
use IO::Socket::INET ();

my $house = fault_house();
my $provider = $house->{provider};
my $db = $house->{db};

# Providers that cannot be called.  A backlog that is full lets no connection come about.
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 0) or die "no port: $!\n";
my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport) } 1, 2;
my %url = (closed => 'http://127.0.0.1:' . free_port() . '/v1', full => 'http://127.0.0.1:' . $full->sockport . '/v1', nameless => 'http://nobody.invalid/v1',
    tls => $provider->{url} =~ s/^http/https/r, strange => 'gopher://127.0.0.1/v1', nonsense => 'no url at all');
exedractl($db, qw(provider set acme), $_, 'http://127.0.0.1/v1') for sort keys %url;
# by hand: exedractl does not take them all
psql($db, "UPDATE exedra.provider SET url = '$url{$_}' WHERE name = '$_'") for sort keys %url;
my %by = map { $_ => { asked => 0, fields => { chatProvider => $_ } } } keys %url;

my $timeout = refused(504, 'upstream_timeout', asked => 1);
my $cut = refused(502, 'upstream_cut');
my $three = broken('One two three', 502, 'upstream_cut', asked => 1);
my $away = refused(503, 'upstream_unavailable');
my $busy = refused(429, 'upstream_busy');

# An HTTP date so many seconds from now.
sub date {
    my @at = gmtime(time + $_[0]);
    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT', (qw(Sun Mon Tue Wed Thu Fri Sat))[$at[6]], $at[3],
        (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$at[4]], $at[5] + 1900, @at[2, 1, 0];
}

# So much that it cannot have left before the provider answers.
sub big {
    my ($question) = @_;
    my $image = 'data:image/png;base64,' . 'A' x (6 << 20);
    return { attachments => [{ name => 'a.png', mime => 'image/png', contentString => $image }],
        messages => [{ role => 'user', content => [{ type => 'text', text => $question }, { type => 'image_url', image_url => { url => $image } }] }] };
}

check_faults($house,
    'no connection' => [
        'closed' => refused(502, 'upstream_unreachable', %{ $by{closed} }),
        'SYN is dropped' => refused(504, 'upstream_timeout', %{ $by{full} }),
        'a name of nobody' => { %{ either() }, %{ $by{nameless} } },
        'TLS with one that has none' => refused(502, undef, %{ $by{tls} }),
        'another scheme' => refused(502, 'upstream_unreachable', %{ $by{strange} }),
        'no URL' => refused(502, 'upstream_unreachable', %{ $by{nonsense} }),
    ],
    'no answer' => [
        'silent' => $timeout,
        'silent-body' => $timeout,
        'half-status' => $cut,
        'half-head' => refused(502, undef),
        'garbage' => refused(502, undef),
        # three times, but on a connection that was kept libcurl itself asks once more
        'reset-at-once' => { %$cut, asked => [3, 6] },
        'fin-at-once' => { %$cut, asked => [3, 6] },
        'nothing' => refused(502, undef, asked => 1),
        '204' => refused(502, undef, asked => 1, name => 'no content'),
        'upload-reset' => { %{ either() }, body => \&big },
        'upload-413' => { %{ either() }, body => \&big },
        'much' => { %{ good() }, body => \&big },
    ],
    'it breaks off' => [
        (map { $_ => $three } qw(fin fin-open fin-chunk reset)),
        'fin-frame' => broken('One two three', 502, undef, asked => 1),
        'silent-mid' => broken('One two three', 504, 'upstream_timeout', asked => 1),
        'no-done' => good(),
        'no-end' => good(),
        'done-twice' => good(),
        'done-alone' => good(),
        'finish-hang' => good(),
        'done-hang' => good(),
    ],
    'it refuses' => [
        'status:400' => refused(400, 'upstream_refused', asked => 1),
        # clients shorten the conversation when they are told so
        (map { ("too-long:$_" => refused(400, 'context_length_exceeded', asked => 1)) } qw(openai llama vllm wrapped)),
        'too-long-in-200' => refused(400, 'context_length_exceeded', asked => 1),
        'too-long:other' => refused(400, 'upstream_refused', asked => 1),
        'status:401' => refused(502, 'upstream_error', asked => 1),
        'status:403' => refused(502, 'upstream_error', asked => 1),
        'status:404' => refused(502, 'upstream_model', asked => 1),
        'status:408' => refused(502, 'upstream_error'),
        'status:413' => refused(400, 'upstream_refused', asked => 1),
        'status:422' => refused(400, 'upstream_refused', asked => 1),
        'status:500' => refused(502, 'upstream_error', asked => 3),
        'status:501' => refused(502, 'upstream_error', asked => 1),
        'status:502' => refused(502, 'upstream_error', asked => 3),
        'status:503' => { %$away, asked => 3, retry => [1, 60] },
        'status:504' => refused(502, 'upstream_error', asked => 3),
        'status:529' => { %$away, retry => [1, 60] },
        'later:503 1' => { %$away, asked => 3, retry => [1, 1] },
        'later:503 60' => { %$away, asked => 1, retry => [60, 60] },
        "redirect:$provider->{port}" => refused(502, 'upstream_error', asked => 1),
        'error-frame' => refused(502, 'upstream_error', asked => 1),
        'error-text' => refused(502, 'upstream_error', asked => 1),
        'error-mid' => broken('One two three', 502, 'upstream_error', asked => 1),
        'error-event' => broken('One two three', 502, 'upstream_error', asked => 1),
    ],
    'it is busy' => [
        'status:429' => { %$busy, asked => 3, retry => [1, 60] },
        'later:429 2' => { %$busy, asked => 3, retry => [2, 2] },
        'later:429 ' . date(60) => { %$busy, asked => 1, retry => [20, 60], name => 'in a minute' },
        'later:429 ' . date(-1e9) => { %$busy, asked => 3, retry => [1, 60], name => 'long ago' },
        'later:429 -1' => { %$busy, retry => [1, 60] },
        'later:429 1e9' => { %$busy, retry => [1, 3600] },
        'later:429 1000000000' => { %$busy, asked => 1, retry => [1, 3600] },
        'later:429 99999999999999999999' => { %$busy, asked => 1, retry => [1, 3600] },
        'later:429 abc' => { %$busy, retry => [1, 60] },
        'later:429 ' => { %$busy, retry => [1, 60] },
        'later:429 2;x' => { %$busy, retry => [1, 60] },
    ],
    # What failed before its first byte is asked for again, three times at most; the answer is then as if nothing had been.
    'it fails at first' => [
        (map { ("flaky:$_,1" => good(undef, asked => 2), "flaky:$_,2" => good(undef, asked => 3)) } qw(429 500 502 503 504)),
        'flaky:reset,1' => good(undef, asked => 2),
        'flaky:503,2,Retry-After: 1' => good(undef, asked => 3),
        'flaky:500,3' => refused(502, 'upstream_error', asked => 3),
        'flaky:503,1,Retry-After: 30' => refused(503, 'upstream_unavailable', asked => 1, retry => [30, 30]),
    ],
    'HTTP' => [
        'continue' => good(),
        'hints' => good(),
        'gzip' => good(),
        'deflate' => good(),
        'gzip-wrong' => refused(502, undef),
        'encoding' => refused(502, undef),
        # Nobody asked for these, and what they take to be undone is not bounded: 128 MB for 13 kB of zstd.
        (map { ("coded:$_" => refused(502, 'upstream_cut', asked => 1)) } 'Content-Encoding: zstd', 'Content-Encoding: BR', 'content-encoding:gzip,zstd', 'Transfer-Encoding: zstd, chunked'),
        (map { ("coded:$_" => good()) } 'Content-Encoding: identity', 'Content-Encoding: ', 'X-Content-Encoding: zstd'),
        'gzip-bomb' => refused(502, 'upstream_invalid', asked => 1),
        'length-short' => broken('One two ', 502, undef, asked => 1),
        'length-long' => $three,
        'length-negative' => either(),
        'length-two' => either(),
        'chunk-bad' => $three,
        'chunk-huge' => $three,
        'chunk-minus' => $three,
        'endless-head' => refused(502, undef),
    ],
);

is psql($db, 'SELECT count(*) FROM exedra.usage WHERE prompt_tokens < 0 OR completion_tokens < 0'), 0, 'the ledger is never negative';
is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
is_deeply [grep { ($_->{headers}{authorization} // '') ne "Bearer $KEY" } $provider->requests], [], 'every call had the key';
is_deeply [grep { ($_->{headers}{'accept-encoding'} // '') !~ /^gzip, deflate$/ } $provider->requests], [], 'and asks for what is undone in little memory only';
is_deeply [grep { defined $_->{headers}{expect} } $provider->requests], [], 'and was sent at once: there are servers that refuse Expect with 417';
# A provider's own words may hold it.
ok index($house->{exedra}->log_text, $KEY) < 0, 'the log does not hold the key';

# What may be told of an error is: 400 alone says little.
like $house->{exedra}->log_text, qr/event=provider_error .*provider=\S+ type=x code=y /, 'the log has the type and the code of a refusal';

# Why no connection came about is known to nobody but libcurl.
my @lines = grep { /event=provider_(?:unreachable|retry) / } split /\n/, $house->{exedra}->log_text;
my %retried = map { /event=provider_retry id=(\S+)/ ? ($1 => 1) : () } @lines;
for (['closed', qr/connect/i, 1], ['nameless', qr/resolve/i, 1], ['tls', qr/SSL/, 1], ['strange', qr/protocol/i, 0], ['nonsense', qr/URL/, 0]) {
    my ($name, $cause, $again) = @$_;
    my @own = grep { /level=warning .*event=provider_unreachable .*provider=$name / } @lines;
    is scalar(grep { /cause="[^"]*$cause[^"]*"/ } @own), 4, "$name: the log has the cause of each" or diag @own;
    is scalar(grep { / id=(\S+)/ && $retried{$1} } @own), $again ? 4 : 0, $again ? '… after more than one try' : '… after one try';
}
$house->close;
done_testing;
