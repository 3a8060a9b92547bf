# SPDX-License-Identifier: ISC
#
# A provider that misbehaves: an OpenAI-compatible server on loopback whose models are named after what they do wrong.
#
#   my $provider = start_provider();
#   ... a workspace with chatModel `fin`, asked 'why?' ...
#   is $provider->asked('why?'), 1, 'asked once';
#
# It makes embeddings too, at /v1/embeddings and as Ollama does at /api/embed: vectors of hashed words, so that texts with the same
# words are near; models of that, too, are named after their faults.  At /v1/audio/transcriptions it hears what stands in a recording
# between square brackets, and at /v1/rerank it ranks what says "rank N" by N; so there.
#
# One process serves all connections, so hundreds of slow streams cost little.
package Exedra::Provider;
use strict;
use warnings;

use Digest::MD5 qw(md5);
use Exporter qw(import);
use IO::Socket::INET ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use Exedra::Process qw(tmp_dir lines_of spew adopt);

our @EXPORT = qw(start_provider vector_of $TEXT $KEY $WORDS);

# What a model says that behaves: two-, three- and four-byte characters, quotes, a line end.
our $TEXT = "Gr\x{fc}\x{df}e, \x{4e16}\x{754c}! \x{1f600} \"said\" a \\ slash\nand the end.";
# The key that it wants, and words of its own: neither may reach a client, nor may its address.
our $KEY = 'sk-upstream-3f9aSECRETc1';
our $WORDS = 'PROVIDER-WORDS';

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $count = 0;

# ---- the bytes of an answer ----

sub quoted { return $json->encode($_[0]) }

sub frame { return "data: $_[0]\n\n" }

# A chunk with this delta, given as the inside of its JSON object.
sub delta {
    my ($inside, %with) = @_;
    return '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{' . $inside
        . '},"finish_reason":' . ($with{finish} ? "\"$with{finish}\"" : 'null') . '}]' . ($with{more} // '') . '}';
}

sub content { return frame(delta('"content":' . quoted($_[0]))) }

# A text as frames of a few characters each.
sub spoken {
    my ($text) = @_;
    return map { content($_) } $text =~ /(.{1,3})/gs;
}

my $usage = frame('{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}');
my $role = frame(delta('"role":"assistant","content":""'));
my $finish = frame(delta('', finish => 'stop'));
my $done = frame('[DONE]');

# Pieces of calls of tools, a chunk each.
sub called { return events($role, map({ frame(delta("\"tool_calls\":[$_]")) } @_), frame(delta('', finish => 'tool_calls')), $usage, $done) }

# The frames of a good answer, [DONE] and all.
sub whole { return ($role, spoken($_[0] // $TEXT), $finish, $usage, $done) }

sub head {
    my ($status, @headers) = @_;
    return join("\r\n", "HTTP/1.1 $status", @headers) . "\r\n\r\n";
}

sub chunked { return map { ref || $_ eq '' ? $_ : sprintf("%x\r\n%s\r\n", length, $_) } @_ }

# A 200 with these frames (or other steps) as an event stream, in chunks; the connection stays.
sub events { return (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), chunked(@_), "0\r\n\r\n", ['keep']) }

# The same up to the end of the connection, which comes where `@_` says so.
sub open_events { return (head('200 OK', 'Content-Type: text/event-stream', 'Connection: close'), @_) }

sub reply {
    my ($status, $type, $body, @headers) = @_;
    return (head($status, "Content-Type: $type", 'Content-Length: ' . length($body), @headers) . $body, ['keep']);
}

sub object {
    my ($message, %with) = @_;
    return '{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
        . $message . '},"finish_reason":' . quoted($with{finish} // 'stop') . '}],"usage":{"prompt_tokens":7,"completion_tokens":5}}';
}

my %reason = (400 => 'Bad Request', 401 => 'Unauthorized', 429 => 'Too Many Requests', 500 => 'Internal Server Error', 503 => 'Service Unavailable');

# A refusal in the provider's own words, which name our key and its address.
sub refusal {
    my ($status, $request, @headers) = @_;
    my ($key) = ($request->{headers}{authorization} // '') =~ /(\S+)$/;
    return reply($status . ' ' . ($reason{$status} // 'Status'), 'application/json', '{"error":{"message":' . quoted("$WORDS: the key "
        . ($key // 'none') . " at http://$request->{headers}{host}/v1 was not liked") . ',"type":"x","code":"y"}}', @headers);
}

# ---- the models ----

# Each is called with what stands behind the colon of its name, and the request; it returns steps: bytes to write, or
# [pause => seconds], [each => sub that gives bytes or undef], ['gate'], ['fin'], ['reset'], ['hang'], ['keep'] (for another request).
my %model;
my $gate;                       # a file that is there when it is open
my %tries;                      # question => how often it has come

my @three = (content('One '), content('two '), content('three'));

%model = (
    good => sub { events(whole()) },
    # no answer
    silent => sub { ['hang'] },
    'silent-body' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), ['hang']) },
    'half-status' => sub { ('HTTP/1.1 20', [pause => 0.02], ['reset']) },
    'half-head' => sub { ("HTTP/1.1 200 OK\r\nContent-Type: text/event-str", ['fin']) },
    garbage => sub { ("\x00\x01\x02 this is no HTTP\r\n\r\nat all\r\n", ['fin']) },
    'reset-at-once' => sub { ['reset'] },
    'fin-at-once' => sub { ['fin'] },
    # an answer that breaks off
    fin => sub { events($role, @three) },
    'fin-open' => sub { open_events($role, @three, ['fin']) },
    'fin-chunk' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), chunked($role, @three), ['fin']) },
    'fin-frame' => sub { open_events($role, @three, 'data: {"choices":[{"index":0,"delta":{"content":"fo', ['fin']) },
    reset => sub { open_events($role, @three, [pause => 0.05], ['reset']) },
    'silent-mid' => sub { open_events($role, @three, ['hang']) },
    'no-done' => sub { open_events($role, spoken($TEXT), $finish, ['fin']) },
    'no-end' => sub { my @frames = whole(); $frames[-1] = 'data: [DONE]'; open_events(@frames, ['fin']) },
    'done-twice' => sub { events(whole(), $done, content('more'), frame('{"error":{"message":"late"}}'), $done) },
    'done-alone' => sub { events($role, spoken($TEXT), $done) },
    'finish-hang' => sub { open_events($role, spoken($TEXT), $finish, ['hang']) },
    'done-hang' => sub { open_events(whole(), ['hang']) },
    # framing
    drip => sub { my $pause = $_[0] || 0.002; open_events(map({ ($_, [pause => $pause]) } split //, join '', whole('dripping')), ['fin']) },
    split => sub { events(map { split // } whole()) },
    crlf => sub { events(map { s/\n/\r\n/gr } whole()) },
    'crlf-split' => sub { events(map { split //, s/\n/\r\n/gr } whole()) },
    cr => sub { events(map { s/\n/\r/gr } whole()) },
    mixed => sub { my $i = 0; events(map { my $end = ("\n", "\r\n", "\r")[$i++ % 3]; s/\n/$end/gr } whole()) },
    comments => sub { events(": hello\n\n", map({ (": ping\n", $_, ":\n\n") } whole())) },
    fields => sub { my $i = 0; events("retry: 10\n\n", map { $i++; "event: message\nid: $i\nretry: 5\nunknown: x\nnothing\n$_" } whole()) },
    'no-space' => sub { events(map { s/^data: /data:/r } whole()) },
    'many-lines' => sub { events(map { s/,"choices"/,\ndata: "choices"/r } whole()) },
    bom => sub { events("\xef\xbb\xbf", whole()) },
    unknown => sub { events(frame('x') =~ s/^/event: execute\n/r, "event: ping\ndata: {}\n\n", map { ($_, "event: execute\ndata: {\"choices\":[{\"delta\":{\"content\":\"evil\"}}]}\n\n") } whole()) },
    giant => sub { open_events($role, @three, 'data: {"choices":[{"delta":{"content":"', [each => sub { 'A' x 65536 }]) },
    'giant-event' => sub { open_events($role, @three, [each => sub { 'data: ' . 'A' x 65000 . "\n" }]) },
    endless => sub { my $one = content('0123456789abcdef' x 4000); (open_events($role), [each => sub { $one }]) },
    'endless-tools' => sub {
        my $one = frame(delta('"tool_calls":[{"index":0,"function":{"arguments":"' . 'a' x 64000 . '"}}]'));
        (open_events($role), frame(delta('"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}]')), [each => sub { $one }]);
    },
    'endless-body' => sub { (head('200 OK', 'Content-Type: application/json', 'Connection: close'), '{"a":"', [each => sub { 'A' x 65536 }]) },
    'endless-head' => sub { ("HTTP/1.1 200 OK\r\n", [each => sub { 'X-More: ' . 'A' x 60000 . "\r\n" }]) },
    # what is in the frames
    'bad-utf8' => sub { events($role, frame(delta("\"content\":\"a\xff\xfeb\"")), $finish, $usage, $done) },
    'half-utf8' => sub { events($role, frame(delta("\"content\":\"a\xe4\xb8\"")), frame(delta("\"content\":\"\x96c\"")), $finish, $usage, $done) },
    nul => sub { events($role, frame(delta('"content":"a\u0000b"')), $finish, $usage, $done) },
    'raw-nul' => sub { events($role, frame(delta("\"content\":\"a\0b\"")), $finish, $usage, $done) },
    surrogates => sub { events($role, frame(delta('"content":"a\ud83d"')), frame(delta('"content":"\ude00b"')), $finish, $usage, $done) },
    deep => sub { events($role, @three, frame('{"choices":' . '[' x 10_000 . ']' x 10_000 . '}'), $finish, $done) },
    keys => sub { events($role, @three, frame('{' . join(',', map { "\"k$_\":1" } 1 .. 60_000) . '}'), $finish, $done) },
    nan => sub { events($role, @three, frame('{"choices":[{"delta":{"content":NaN}}]}'), $finish, $done) },
    twice => sub { events($role, frame(delta('"content":"a","content":"b"')), $finish, $done) },
    'odd-content' => sub {
        events($role, content('a'), map({ frame(delta("\"content\":$_")) } 'null', '7', '["x"]', '{"x":1}', 'true'),
            map({ frame($_) } '{"choices":[{"index":0}]}', '{"choices":[{"index":0,"delta":null,"finish_reason":null}]}', '{"choices":[{"index":0,"delta":[]}]}',
                '{"choices":[]}', '{"choices":null}', '{"choices":{}}', '{"choices":[null]}', '{"choices":[7]}', '{"x":1}', '{}', '{"usage":null,"error":null}',
                '{"choices":[{"index":0,"delta":{},"finish_reason":7}]}'), content('b'), $finish, $usage, $done);
    },
    'odd-frames' => sub { events($role, content('a'), map({ frame($_) } '[]', '7', '"x"', 'null', 'true'), content('b'), $finish, $usage, $done) },
    'odd-tools' => sub {
        events($role, content('a'), map({ frame(delta("\"tool_calls\":$_")) } 'null', '7', '"x"', '{}', '[]', '[null]', '[7]', '[[]]', '[{}]', '[{"index":"0"}]',
            '[{"index":-1,"function":{"name":"f","arguments":"{}"}}]', '[{"index":99999999999,"function":{"name":"f"}}]', '[{"index":0,"function":7}]',
            '[{"index":0,"id":7,"function":{"name":[],"arguments":{}}}]'), content('b'), $finish, $usage, $done);
    },
    framing => sub { events(whole("data: [DONE]\n\ndata: {\"error\":1}\r\n\r\n</script>\e[31m\x01\x7f\x{85}\x{2028} end")) },
    spaces => sub { events(whole("  \n\n  two  spaces\t\n")) },
    empty => sub { events($role, $finish, $usage, $done) },
    # the wrong kind of answer
    json => sub { reply('200 OK', 'application/json; charset=utf-8', object('"content":' . quoted($TEXT))) },
    'json-split' => sub { (head('200 OK', 'Content-Type: application/json', 'Transfer-Encoding: chunked'), chunked(split //, object('"content":' . quoted($TEXT))), "0\r\n\r\n", ['keep']) },
    'json-tools' => sub { reply('200 OK', 'application/json', object('"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]', finish => 'tool_calls')) },
    'json-none' => sub { reply('200 OK', 'application/json', '{"choices":[]}') },
    'json-null' => sub { reply('200 OK', 'application/json', object('"content":null')) },
    'json-error' => sub { reply('200 OK', 'application/json', '{"error":{"message":' . quoted("$WORDS $KEY") . '}}') },
    'json-broken' => sub { reply('200 OK', 'application/json', '{"choices":[{"message":{"content":"half') },
    'json-array' => sub { reply('200 OK', 'application/json', '[1]') },
    'json-cut' => sub { (head('200 OK', 'Content-Type: application/json', 'Content-Length: 5000'), object('"content":"x"'), ['fin']) },
    html => sub { reply('200 OK', 'text/html', "<html><title>$WORDS</title>Sign in to the captive portal</html>") },
    'html-events' => sub { reply('200 OK', 'text/event-stream', "<html><title>$WORDS</title>\n\n</html>") },
    'no-type' => sub { (head('200 OK', 'Connection: close'), whole(), ['fin']) },
    nothing => sub { reply('200 OK', 'text/event-stream', '') },
    204 => sub { (head('204 No Content'), ['keep']) },
    redirect => sub { (head('307 Temporary Redirect', "Location: http://127.0.0.1:$_[0]/v1/chat/completions", 'Content-Length: 0'), ['keep']) },
    # refusals
    status => sub { refusal($_[0], $_[1]) },
    later => sub { my ($status, $when) = $_[0] =~ /^(\d+) (.*)/; refusal($status, $_[1], "Retry-After: $when") },
    flaky => sub {
        my ($status, $times, @more) = split /,/, $_[0];
        return events(whole()) if $tries{$_[1]{question}} > $times;
        return $status eq 'reset' ? ['reset'] : refusal($status, $_[1], @more);
    },
    'error-frame' => sub { events(frame('{"error":{"message":' . quoted("$WORDS $KEY http://$_[1]{headers}{host}") . ',"type":"x","code":"y"}}')) },
    'error-text' => sub { events($role, frame('{"error":"' . $WORDS . '"}')) },
    'error-mid' => sub { events($role, @three, frame('{"error":{"message":' . quoted("$WORDS $KEY") . '}}'), $finish, $done) },
    'error-event' => sub { events($role, @three, frame('{"error":{"message":"' . $WORDS . '"}}') =~ s/^/event: error\n/r) },
    # ends, errors and counts in the words of others than OpenAI, a stream or an object that is called another thing
    ends => sub { my ($said) = @_; events($role, @three, frame(delta('', finish => $said)), $done) },
    'ends-not' => sub { my ($said) = @_; open_events($role, map({ s/"finish_reason":null/"finish_reason":"$said"/r } @three), ['fin']) },
    'ends-late' => sub { my ($said) = @_; events($role, map({ s/"finish_reason":null/"finish_reason":"$said"/r } spoken($TEXT)), $finish, $done) },
    'no-error' => sub { my ($said) = @_; events(map { s/(?<=\})$/,"error":$said}/mr =~ s/\},"error"/,"error"/r } $role, spoken($TEXT), $finish) },
    'error-choice' => sub { reply('200 OK', 'application/json', object('"content":"One two three"') =~ s/"finish_reason":/"error":{"code":502,"message":"$WORDS"},"finish_reason":/r) },
    'error-flat' => sub { events($role, @three, "event: error\n" . frame("{\"message\":\"$WORDS\"}"), $done) },
    'error-plain' => sub { events($role, @three, "event: error\n" . frame($WORDS), $done) },
    'error-object' => sub { events(frame("{\"object\":\"error\",\"message\":\"$WORDS\",\"code\":50001}"), $done) },
    'error-coded' => sub { my ($code) = @_; events(": PROCESSING\n\n", frame('{"error":{"message":' . quoted("$WORDS $KEY") . ",\"code\":$code},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}"), $done) },
    # the prompt does not fit, in the words of several services
    'too-long' => sub {
        my $sentence = "$WORDS: This model's maximum context length is 4096 tokens. $KEY";
        my %said = (openai => '{"error":{"message":"x","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
            llama => '{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":256}}',
            vllm => '{"object":"error","message":' . quoted($sentence) . ',"type":"BadRequestError","param":null,"code":400}', wrapped => '{"error":{"message":' . quoted($sentence) . ',"type":"BadRequestError","code":400}}',
            other => '{"error":{"message":"maximum context length","type":"context","code":400}}');
        return reply('400 Bad Request', 'application/json', $said{$_[0]});
    },
    'too-long-in-200' => sub { reply('200 OK', 'application/json', '{"error":{"code":400,"message":"' . $WORDS . '","type":"exceed_context_size_error"}}') },
    'error-coded-mid' => sub { my ($code) = @_; events($role, @three, frame("{\"error\":{\"message\":\"$WORDS\",\"code\":$code}}")) },
    'error-json-coded' => sub { my ($code) = @_; reply('200 OK', 'application/json', "\n\n{\"error\":{\"message\":\"$WORDS\",\"code\":$code}}") },
    'error-json-events' => sub { reply('200 OK', 'text/event-stream', '{"error":{"message":' . quoted("$WORDS $KEY") . ',"code":"429"}}') },
    'json-detail' => sub { reply('200 OK', 'application/json', '{"detail":"Not authenticated"}') },
    'done-only' => sub { events($done) },
    'done-stranger' => sub { events(frame("{\"text\":\"$WORDS\",\"error_code\":50001}"), $done) },
    'message-event' => sub { events(frame(object('"content":' . quoted($TEXT))), $done) },
    'message-beside' => sub { my $all = ''; events((map { my $text = $_; $all .= $text; frame(delta('"content":' . quoted($text)) =~ s/\},"finish_reason"/},"message":{"role":"assistant","content":@{[quoted($all)]}},"finish_reason"/r) } $TEXT =~ /(.{1,3})/gs), $finish, $done) },
    'choices-two' => sub { events($role, frame('{"choices":[{"index":0,"delta":{"content":"a"}},{"index":0,"delta":{"content":"b"}}]}'), $finish, $done) },
    'choices-other' => sub { events($role, content('a'), frame('{"choices":[{"index":1,"delta":{"content":"other"},"finish_reason":"length"}]}'), content('b'), $finish, $done) },
    'choices-from-one' => sub { events(map { s/"index":0/"index":1/r } $role, spoken($TEXT), $finish, $done) },
    'usage-in' => sub { my ($place) = @_; my $counted = '"usage":{"prompt_tokens":7,"completion_tokens":5}'; events($role, content('x'), frame($place eq 'choice'
        ? "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",$counted}]}" : delta('', finish => 'stop', more => ",\"x_groq\":{\"id\":\"r\",$counted}")), $done) },
    'usage-first' => sub { my ($last) = @_; events($role, content('x'), $usage, frame(delta('', finish => 'stop', more => ",\"usage\":$last")), $done) },
    'stream-as' => sub { my ($type) = @_; (head('200 OK', ($type ? "Content-Type: $type" : ()), 'Connection: close'), whole(), ['fin']) },
    'stream-twice-called' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Content-Type: text/plain', 'Connection: close'), map({ ($_, [pause => 0.001]) } split //, ": hello\n\n" . join '', whole('x')), ['fin']) },
    'stream-created' => sub { (head('201 Created', 'Content-Type: text/event-stream', 'Connection: close'), whole(), ['fin']) },
    'json-created' => sub { reply('201 Created', 'application/json', object('"content":' . quoted($TEXT))) },
    'json-events' => sub { reply('200 OK', 'text/event-stream', object('"content":' . quoted($TEXT)) . "\n\n") },
    'json-bom' => sub { reply('200 OK', 'application/json', "\xef\xbb\xbf" . object('"content":' . quoted($TEXT))) },
    # signs of life, three a second, for as many seconds as it says: comments, or chunks with nothing in them
    alive => sub { my ($seconds) = @_; events($role, map({ ($_ % 2 ? ": PROCESSING\n\n" : $role, [pause => 0.3]) } 1 .. $seconds / 0.3), content('x'), $finish, $usage, $done) },
    # HTTP
    continue => sub { ("HTTP/1.1 100 Continue\r\n\r\n" x 100, events(whole())) },
    hints => sub { (("HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Type: text/html\r\nRetry-After: 9\r\n\r\n") x 100, events(whole())) },
    gzip => sub { packed('gzip', join '', whole()) },
    deflate => sub { packed('deflate', join '', whole()) },
    coded => sub { my ($how) = @_; (head('200 OK', 'Content-Type: text/event-stream', $how, 'Connection: close'), whole(), ['fin']) },
    'gzip-wrong' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Content-Encoding: gzip', 'Connection: close'), whole(), ['fin']) },
    'gzip-bomb' => sub { our @bomb; @bomb = packed('gzip', 'data: ' . 'A' x (16 << 20)) if !@bomb; @bomb },
    encoding => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Content-Encoding: nonsense', 'Connection: close'), whole(), ['fin']) },
    'length-short' => sub { my $all = join '', $role, @three, $finish, $done; (head('200 OK', 'Content-Type: text/event-stream', 'Content-Length: ' . (length($all) - length("$finish$done") - 3)), $all, ['fin']) },
    'length-long' => sub { my $all = join '', $role, @three; (head('200 OK', 'Content-Type: text/event-stream', 'Content-Length: ' . (length($all) + 100)), $all, ['fin']) },
    'length-negative' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Content-Length: -5'), whole(), ['fin']) },
    'length-two' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Content-Length: 10', 'Content-Length: 20000'), whole(), ['fin']) },
    'chunk-bad' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), chunked($role, @three), "zz\r\nwhat\r\n", ['fin']) },
    'chunk-huge' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), chunked($role, @three), "ffffffffffffffffff\r\n", ['fin']) },
    'chunk-minus' => sub { (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), chunked($role, @three), "-5\r\n", ['fin']) },
    # what it counted
    usage => sub { events($role, spoken($TEXT), $finish, frame("{\"choices\":[],\"usage\":$_[0]}"), $done) },
    # more than text
    reasoning => sub {
        events($role, map({ frame(delta('"reasoning_content":' . quoted($_))) } 'Let me ', 'think.'), content('So: '), content('yes.'), $finish, $usage, $done);
    },
    'reasoning-only' => sub { events($role, frame(delta('"reasoning_content":"Hm."')), $finish, $usage, $done) },
    tools => sub {
        events(map({ frame(delta($_)) } '"role":"assistant","content":null',
            '"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]',
            '"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]', '"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]',
            '"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]'),
            frame(delta('', finish => 'tool_calls')), $usage, $done);
    },
    # calls of tools as others than OpenAI send them
    'tools-gemini' => sub { called(map { "{\"id\":\"call_$_\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"n\\\":$_}\"}}" } 1, 2) },
    'tools-same-all' => sub { my ($id) = @_; called(map { "{\"index\":0,\"id\":\"$id\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"n\\\":$_}\"}}" } 1, 2) },
    'tools-same-id' => sub { called(map { "{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"n\\\":$_}\"}}" } 1, 2) },
    'tools-same-index' => sub { called(map { "{\"index\":0,\"id\":\"call_$_\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"n\\\":$_}\"}}" } 1, 2) },
    'tools-far-index' => sub { called(map { ("{\"index\":$_,\"id\":\"call_$_\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}", "{\"index\":$_,\"function\":{\"arguments\":\"{\\\"n\\\":$_}\"}}") } 1, 2) },
    'tools-empty' => sub { called('{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}', map { "{\"index\":0,\"id\":\"\",\"type\":\"\",\"function\":{\"name\":\"\",\"arguments\":\"$_\"}}" } '{\"n\":', '1}') },
    'tools-repeats' => sub { called(map { "{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"$_\"}}" } '', '{\"n\":', '1}') },
    'tools-new-ids' => sub { called('{"index":0,"id":"call_1","type":"function","function":{"name":"f"}}', map { "{\"index\":0,\"id\":\"" . rand() . "\",\"function\":{\"arguments\":\"$_\"}}" } '{\"n\":', '1}') },
    'tools-late-name' => sub { called('{"index":0,"id":"call_1"}', '{"index":0,"id":"call_1","function":{"arguments":"{\"n\":"}}', '{"index":0,"function":{"name":"f","arguments":"1}"}}') },
    'tools-no-id' => sub { called('{"index":0,"function":{"name":"f","arguments":"{\"n\":"}}', '{"index":0,"function":{"arguments":"1}"}}') },
    'tools-object' => sub { called('{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":{"n":1}}}') },
    'tools-extra' => sub { called('{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"n\":1}"},"extra_content":{"google":{"thought_signature":"SIG"}}}') },
    'tools-custom' => sub { called('{"index":0,"id":"call_1","type":"custom","custom":{"name":"f","input":"one "}}', '{"index":0,"custom":{"input":"text"}}') },
    'tools-null' => sub { called('{"index":null,"id":"call_1","type":"function","custom":null,"function":{"name":"f","arguments":"{\"n\":1}"}}') },
    'tools-ghost' => sub { called('{"index":0,"id":"","function":{"name":"","arguments":""}}', '{"index":1,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"n\":1}"}}') },
    'tools-only-ghost' => sub { events($role, content('x'), frame(delta('"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":""}}]')), $finish, $usage, $done) },
    'tools-mixed' => sub { called(map { "{\"id\":\"call_$_->[0]\",\"function\":{\"name\":\"f\",\"arguments\":\"$_->[1]\"}}" } [1, '{\"n\":'], [2, '{\"n\":'], [1, '1}'], [2, '2}']) },
    'tools-other-name' => sub { called(map { "{\"index\":0,\"function\":{\"name\":\"$_\",\"arguments\":\"{}\"}}" } 'f', 'g') },
    'tools-large' => sub { called('{"index":0,"id":"call_' . 'i' x 600 . '","function":{"name":"f","arguments":"{\"t\":\"' . 'x' x 70_000 . '\"}"}}') },
    # a letter a piece
    'tools-many' => sub { my ($n) = @_; my $piece = frame(delta('"tool_calls":[{"index":0,"function":{"arguments":"a"}}]'));
        events($role, frame(delta('"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"many","arguments":""}}]')), ($piece x 100) x ($n / 100), frame(delta('', finish => 'tool_calls')), $done) },
    'tools-cut' => sub { events($role, frame(delta('"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]'))) },
    refuses => sub { events($role, map({ frame(delta('"refusal":' . quoted($_))) } 'I will ', 'not.'), $finish, $usage, $done) },
    'json-refuses' => sub { reply('200 OK', 'application/json', object('"content":null,"refusal":"I will not."')) },
    'reasoning-short' => sub { events($role, map({ frame(delta('"reasoning":' . quoted($_))) } 'Let me ', 'think.'), content('So.'), $finish, $usage, $done) },
    magistral => sub { events($role, map({ frame(delta("\"content\":$_")) } '[{"type":"thinking","thinking":[{"type":"text","text":"Let me think."}]}]', '[{"type":"text","text":"So."}]'), $finish, $usage, $done) },
    'usage-details' => sub { events($role, content('x'), $finish, frame('{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":null},"completion_tokens_details":{"reasoning_tokens":40}}}'), $done) },
    length => sub { events($role, spoken('cut'), frame(delta('', finish => 'length')), $usage, $done) },
    filter => sub { events($role, frame(delta('', finish => 'content_filter')), $usage, $done) },
    # As the question says: `say NAME n=20 pause=0.05` are the words NAME-0 NAME-1 ..., a frame each; reset=7, fin=7 or hang=7
    # break off behind that many, with half=1 in the middle of the next; first=2 waits so long before the first; gate=7 waits behind
    # that many until the test opens the gate.
    say => sub {
        my ($name, $rest) = $_[1]{question} =~ /^say (\S+)(.*)/ or return events(whole());
        my %with = (n => 20, pause => 0, first => 0, $rest =~ /(\w+)=([\d.]+)/g);
        my @steps = (head('200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'), [pause => $with{first}]);
        for my $i (0 .. $with{n} - 1) {
            for my $way (qw(reset fin hang)) {
                next if !defined $with{$way} || $with{$way} != $i;
                push @steps, substr((chunked(content("$name-$i ")))[0], 0, 40), [pause => 0.005] if $with{half};
                return (@steps, [$way]);
            }
            push @steps, ['gate'] if defined $with{gate} && $with{gate} == $i;
            push @steps, chunked(content("$name-$i ")), [pause => $with{pause}];
        }
        return (@steps, chunked($finish, $usage, $done), "0\r\n\r\n", ['keep']);
    },
);

sub packed {
    my ($how, $body) = @_;
    require IO::Compress::Gzip;
    require IO::Compress::Deflate;
    my $packed;
    ($how eq 'gzip' ? \&IO::Compress::Gzip::gzip : \&IO::Compress::Deflate::deflate)->(\$body, \$packed);
    return (head('200 OK', 'Content-Type: text/event-stream', "Content-Encoding: $how", 'Content-Length: ' . length $packed) . $packed, ['keep']);
}

# ---- embeddings ----

our $DIMENSION = 64;

# The vector of a text: each of its words adds to a few places.
sub vector_of {
    my ($text, $dimension) = @_;
    $dimension //= $DIMENSION;
    my @at = (0) x $dimension;
    utf8::encode($text) if utf8::is_utf8($text);
    for my $word (lc($text) =~ /[a-z0-9\x80-\xff]+/g) {
        $at[$_ % $dimension] += $_ & 0x80000000 ? 1 : -1 for unpack 'N4', md5($word);
    }
    $at[0] += 0.001;
    return \@at;
}

sub as_numbers { return '[' . join(',', map { sprintf '%.6g', $_ } @{ $_[0] }) . ']' }
sub as_base64 { return '"' . encode_base64(pack('f<*', @{ $_[0] }), '') . '"' }

# The answer with these vectors, each as JSON, in the form of the API that was asked.
sub embedding_reply {
    my ($request, @vectors) = @_;
    return reply('200 OK', 'application/json', $request->{ollama}
        ? '{"model":"m","embeddings":[' . join(',', @vectors) . '],"total_duration":1,"prompt_eval_count":7}'
        : '{"object":"list","data":[' . join(',', map { "{\"object\":\"embedding\",\"index\":$_,\"embedding\":$vectors[$_]}" } 0 .. $#vectors)
            . '],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}');
}

# A good answer; `each` changes the list of vectors before they are written, `as` is numbers or base64 whatever was asked.
sub embedded {
    my ($request, %with) = @_;
    my $dimension = $with{dimension} || $request->{json}{dimensions} || $DIMENSION;
    my @vectors = map { vector_of(ref $_ ? join(' ', @$_) : $_, $dimension) } @{ $request->{inputs} };
    @vectors = $with{each}->(@vectors) if $with{each};
    my $how = $with{as} // (($request->{json}{encoding_format} // '') eq 'base64' ? 'base64' : 'numbers');
    return embedding_reply($request, map { ref $_ ? $how eq 'base64' ? as_base64($_) : as_numbers($_) : $_ } @vectors);
}

# As for chats: called with what stands behind the colon of its name, and the request, in which `inputs` are the texts and `call` is how
# often this model has been called.
my %embedder;
my %calls;
my $broken = sub { my ($value) = @_; return sub { embedded($_[1], as => 'numbers', each => sub { map { as_numbers($_) =~ s/-?\d[\d.e+-]*/$value/r } @_ }) } };

%embedder = (
    good => sub { embedded($_[1], dimension => $_[0]) },
    # both forms, whatever was asked
    numbers => sub { embedded($_[1], as => 'numbers') },
    base64 => sub { embedded($_[1], as => 'base64') },
    slashes => sub { embedded($_[1], as => 'base64', each => sub { map { as_base64($_) =~ s{/}{\\/}gr } @_ }) },
    spaced => sub { my @steps = embedded($_[1]); $steps[0] =~ s/\r\n\r\n.*//s; my $n = 0;
        my $body = join ' , ', map { " { \"embedding\" : " . as_numbers(vector_of($_)) =~ s/,/ ,\n\t/gr . ' , "index" : ' . $n++ . ' } ' } @{ $_[1]{inputs} };
        reply('200 OK', 'application/json', " { \"usage\" : { \"total_tokens\":1,\"prompt_tokens\" : 7 } ,\n\"data\" : [ $body ] , \"x\" : [ { } , \"]}\" ] } ") },
    reversed => sub { my @vectors = map { as_numbers(vector_of($_)) } @{ $_[1]{inputs} };
        reply('200 OK', 'application/json', '{"data":[' . join(',', map { "{\"embedding\":$vectors[$_],\"index\":$_}" } reverse 0 .. $#vectors) . ']}') },
    'no-index' => sub { my @vectors = map { as_numbers(vector_of($_)) } @{ $_[1]{inputs} };
        reply('200 OK', 'application/json', '{"data":[' . join(',', map { "{\"embedding\":$_}" } @vectors) . ']}') },
    # the wrong number of vectors
    fewer => sub { embedded($_[1], each => sub { @_[1 .. $#_] }) },
    more => sub { embedded($_[1], each => sub { (@_, $_[0]) }) },
    none => sub { embedded($_[1], each => sub { () }) },
    'index-twice' => sub { my $v = as_numbers(vector_of('x')); reply('200 OK', 'application/json', '{"data":[' . join(',', ("{\"embedding\":$v,\"index\":0}") x @{ $_[1]{inputs} }) . ']}') },
    'index-odd' => sub { my $v = as_numbers(vector_of('x')); reply('200 OK', 'application/json', "{\"data\":[{\"embedding\":$v,\"index\":-1}]}") },
    # the wrong dimension
    mixed => sub { embedded($_[1], each => sub { (@_[0 .. $#_ - 1], [1, 2, 3]) }) },
    changing => sub { embedded($_[1], dimension => $DIMENSION + $_[1]{call} - 1) },
    'changes-later' => sub { embedded($_[1], dimension => $_[1]{call} > $_[0] ? 32 : $DIMENSION) },
    deaf => sub { embedded($_[1], dimension => $DIMENSION) },      # to `dimensions`
    empty => sub { embedded($_[1], each => sub { map { '[]' } @_ }) },
    long => sub { embedded($_[1], dimension => 8193) },
    # what is no vector
    nan => $broken->('NaN'), 'nan-small' => $broken->('nan'), infinity => $broken->('-Infinity'), huge => $broken->('1e39'), over => $broken->('1e999'),
    null => $broken->('null'), 'null-vector' => sub { embedded($_[1], each => sub { map { 'null' } @_ }) }, zeros => sub { embedded($_[1], each => sub { map { [(0) x @$_] } @_ }) },
    'nan-base64' => sub { embedded($_[1], as => 'base64', each => sub { map { my @v = @$_; $v[3] = 9**9**9 - 9**9**9; \@v } @_ }) },
    # what is no answer
    words => $broken->('"x"'), nested => $broken->('[1]'), 'odd-base64' => sub { embedded($_[1], each => sub { map { '"AAA"' } @_ }) }, 'not-base64' => sub { embedded($_[1], each => sub { map { '"*?"' } @_ }) },
    'half-float' => sub { embedded($_[1], each => sub { map { '"' . encode_base64('12345', '') . '"' } @_ }) },
    object => sub { embedded($_[1], each => sub { map { '{}' } @_ }) }, 'no-data' => sub { reply('200 OK', 'application/json', '{"object":"list"}') },
    'data-odd' => sub { reply('200 OK', 'application/json', '{"data":{"embedding":[1]}}') }, array => sub { reply('200 OK', 'application/json', '[[1,2]]') },
    html => sub { reply('200 OK', 'text/html', "<html>$WORDS</html>") }, nothing => sub { reply('200 OK', 'application/json', '') },
    'json-broken' => sub { reply('200 OK', 'application/json', '{"data":[{"embedding":[1,2') },
    'error-200' => sub { reply('200 OK', 'application/json', '{"error":{"message":' . quoted("$WORDS $KEY") . '}}') },
    endless => sub { (head('200 OK', 'Content-Type: application/json', 'Connection: close'), '{"data":[{"embedding":[1', [each => sub { ',1' x 32768 }]) },
    # late, never, cut
    late => sub { ([pause => $_[0]], embedded($_[1])) },
    never => sub { ['hang'] },
    'silent-mid' => sub { (head('200 OK', 'Content-Type: application/json', 'Content-Length: 100000'), '{"data":[', ['hang']) },
    cut => sub { (head('200 OK', 'Content-Type: application/json', 'Content-Length: 100000'), '{"data":[', ['fin']) },
    reset => sub { ['reset'] },
    gate => sub { (['gate'], embedded($_[1])) },
    # refusals
    status => sub { refusal($_[0], $_[1]) },
    later => $model{later},
    flaky => sub { my ($status, $times) = split /,/, $_[0]; $tries{$_[1]{question}} > $times ? embedded($_[1]) : $status eq 'reset' ? ['reset'] : refusal($status, $_[1]) },
    'fails-later' => sub { my ($status, $times) = split /,/, $_[0]; $_[1]{call} <= $times ? embedded($_[1]) : refusal($status, $_[1]) },
    short => sub { my $most = $_[0]; (grep { length > $most } @{ $_[1]{inputs} }) ? refusal(400, $_[1]) : embedded($_[1]) },
);

# What to do for a request for embeddings: as the model's name says.
sub embedding_script {
    my ($request, $name, $rest) = @_;
    my $input = $request->{json}{input} // [];
    $request->{ollama} = $request->{target} =~ m{/api/embed$};
    $request->{inputs} = ref $input ? ref $input->[0] || $input->[0] !~ /^\d+$/ ? $input : [$input] : [$input];
    $request->{question} = 'embed ' . (ref $request->{inputs}[0] ? join ' ', @{ $request->{inputs}[0] } : $request->{inputs}[0] // '');
    $request->{call} = ++$calls{$request->{json}{model} // ''};
    $tries{$request->{question}}++;
    return ($embedder{$name} // $embedder{good})->($rest, $request);
}

# ---- transcriptions and rankings ----

# As above: what stands behind the colon of the model's name, and the request, in which `heard` is what was said, or `json` what is to be
# ranked.
my %faulty = (
    html => sub { reply('200 OK', 'text/html', "<html>$WORDS</html>") }, nothing => sub { reply('200 OK', 'application/json', '') },
    array => sub { reply('200 OK', 'application/json', '[1]') }, 'json-broken' => sub { reply('200 OK', 'application/json', '{"text":"half') },
    'error-200' => sub { reply('200 OK', 'application/json', '{"error":{"message":' . quoted("$WORDS $KEY") . '}}') },
    endless => sub { (head('200 OK', 'Content-Type: application/json', 'Connection: close'), '{"text":"', [each => sub { 'a' x 65536 }]) },
    late => sub { ([pause => $_[0]], $_[2]->(undef, $_[1])) }, gate => sub { (['gate'], $_[2]->(undef, $_[1])) },
    never => sub { ['hang'] }, reset => sub { ['reset'] },
    cut => sub { (head('200 OK', 'Content-Type: application/json', 'Content-Length: 100000'), '{"text":"', ['fin']) },
    status => sub { refusal($_[0], $_[1]) }, later => $model{later},
    flaky => sub { my ($status, $times) = split /,/, $_[0]; $tries{$_[1]{question}} > $times ? $_[2]->(undef, $_[1]) : $status eq 'reset' ? ['reset'] : refusal($status, $_[1]) },
);

sub said { my ($text, $more) = @_; return reply('200 OK', 'application/json', '{"text":' . quoted($text) . ($more // '') . '}') }

my %transcriber = (
    %faulty,
    good => sub {
        my $heard = $_[1]{heard};
        my $format = $_[1]{json}{response_format} // 'json';
        return $format eq 'json' ? said($heard) : $format eq 'verbose_json' ? said($heard, ',"task":"transcribe","duration":1.5,"segments":[]')
            : reply('200 OK', 'text/plain; charset=utf-8', $format eq 'text' ? "$heard\n" : "1\n00:00:00,000 --> 00:00:01,500\n$heard\n");
    },
    counted => sub { said($_[1]{heard}, ',"usage":{"type":"tokens","input_tokens":14,"output_tokens":45,"total_tokens":59}') },
    seconds => sub { said($_[1]{heard}, ',"usage":{"type":"duration","seconds":3}') },
    empty => sub { said('') }, blank => sub { said(" \n ") }, number => sub { reply('200 OK', 'application/json', '{"text":7}') },
    'no-text' => sub { reply('200 OK', 'application/json', '{"task":"transcribe"}') },
    'bad-utf8' => sub { reply('200 OK', 'application/json', "{\"text\":\"a\xff\\u0000b\"}") },
);

# The fields of a form, several of one name with a space between them; of the file what it is called, said to be and holds.
sub form_of {
    my ($request) = @_;
    my ($boundary) = ($request->{headers}{'content-type'} // '') =~ /boundary=(\S+)/ or return {};
    my %form;
    for my $part (split /\r\n--\Q$boundary\E/, "\r\n$request->{body}") {
        my ($head, $value) = split /\r\n\r\n/, $part, 2;
        my ($name) = ($head // '') =~ /; name="([^"]*)"/ or next;
        my ($filename) = $head =~ /; filename="([^"]*)"/;
        $form{$name} = !defined $filename ? (exists $form{$name} ? "$form{$name} $value" : $value)
            : { filename => $filename, type => $head =~ /^Content-Type: (\S+)/mi, size => length $value, md5 => Digest::MD5::md5_hex($value) };
        $request->{heard} = $1 if defined $filename && $value =~ /\[([^\]]*)\]/;
    }
    return \%form;
}

sub transcription_script {
    my ($request) = @_;
    $request->{json} = form_of($request);
    $request->{heard} = JSON::PP->new->utf8->allow_nonref->decode('"' . ($request->{heard} // '') . '"');
    $request->{question} = "hear $request->{heard}";
    $tries{$request->{question}}++;
    my ($name, $rest) = split /:/, $request->{json}{model} // '', 2;
    return ($transcriber{$name // ''} // $transcriber{good})->($rest, $request, $transcriber{good});
}

# Results for these indexes with these scores.
sub ranked {
    my ($scores, $more) = @_;
    return reply('200 OK', 'application/json', '{"results":[' . join(',', map { qq({"index":$_->[0],"relevance_score":$_->[1]}) } @$scores) . ']' . ($more // '') . '}');
}

# [index, score] of each document, the best first, as many as were asked for.
sub scores_of {
    my ($request) = @_;
    my @documents = @{ $request->{json}{documents} };
    my @all = sort { $b->[1] <=> $a->[1] } map { [$_, $documents[$_] =~ /rank (\d+)/ ? $1 / 100 : 0] } 0 .. $#documents;
    return @all[0 .. ($request->{json}{top_n} // @all) - 1];
}

my %ranker = (
    %faulty,
    good => sub { ranked([scores_of($_[1])], ',"usage":{"total_tokens":23}') },
    logits => sub { ranked([map { [$_->[0], $_->[1] * 20 - 10] } scores_of($_[1])]) },
    fewer => sub { ranked([(scores_of($_[1]))[0]]) },
    shuffled => sub { ranked([reverse scores_of($_[1])]) },
    none => sub { ranked([]) }, 'index-odd' => sub { ranked([[9999, 0.5]]) }, 'index-half' => sub { ranked([[0.5, 0.5]]) }, 'index-minus' => sub { ranked([[-1, 0.5]]) },
    'index-twice' => sub { ranked([[0, 0.5], [0, 0.4]]) }, 'no-score' => sub { reply('200 OK', 'application/json', '{"results":[{"index":0}]}') },
    text => sub { ranked([[0, '"x"']]) }, nan => sub { ranked([[0, 'NaN']]) }, null => sub { reply('200 OK', 'application/json', '{"results":[null]}') },
);

sub ranking_script {
    my ($request) = @_;
    $request->{question} = 'rank ' . ($request->{json}{query} // '');
    $tries{$request->{question}}++;
    my ($name, $rest) = split /:/, $request->{json}{model} // '', 2;
    return ($ranker{$name // ''} // $ranker{good})->($rest, $request, $ranker{good});
}

# ---- the server ----

# Starts it on a loopback port.  `models` and `embedders` add names of one's own.
# Has { url (for llm.url), port, address }, a gate, and what it was asked: requests(), asked(), ends().
sub start_provider {
    my (%with) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 4096, Blocking => 0) or die "no port: $!\n";
    my $port = $listen->sockport;
    my $self = bless { url => "http://127.0.0.1:$port/v1", port => $port, address => "127.0.0.1:$port", file => tmp_dir() . '/provider' . ++$count },
        __PACKAGE__;
    $self->{gate} = "$self->{file}.gate";
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        %model = (%model, %{ $with{models} // {} });
        %embedder = (%embedder, %{ $with{embedders} // {} });
        $gate = $self->{gate};
        eval { serve($listen, $self->{file}, $parent) };
        print STDERR "# provider: $@" if $@;
        POSIX::_exit(0);
    }
    close $listen;
    $self->{pid} = $pid;
    adopt($pid, 'provider');
    return $self;
}

my ($log, %open, $number);

sub note {
    my ($line) = @_;
    syswrite $log, $json->encode({ %$line, at => time }) . "\n";
}

# One loop over all connections.
sub serve {
    my ($listen, $file, $parent) = @_;
    open $log, '>>', $file or die "$file: $!\n";
    while (getppid == $parent) {
        my ($read, $write, $due) = ('', '', 1);
        vec($read, fileno $listen, 1) = 1;
        my $now = time;
        for my $fd (keys %open) {
            my $one = $open{$fd};
            vec($read, $fd, 1) = 1;
            vec($write, $fd, 1) = 1 if $one->{out} ne '';
            next if !$one->{due};
            $due = $one->{due} - $now if $one->{due} - $now < $due;
        }
        my $ready = select $read, $write, undef, $due > 0 ? $due : 0;
        $now = time;
        for my $fd (keys %open) {
            my $one = $open{$fd} or next;
            if ($ready > 0 && vec($read, $fd, 1)) {
                take($one) or next;
            }
            next if !($ready > 0 && vec($write, $fd, 1)) && !($one->{due} && $one->{due} <= $now);
            delete $one->{due} if $one->{due} && $one->{due} <= $now;
            advance($one);
        }
        next if $ready <= 0 || !vec($read, fileno $listen, 1);
        while (my $client = $listen->accept) {
            $client->blocking(0);
            setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
            $open{fileno $client} = { socket => $client, n => ++$number, in => '', out => '', sent => 0 };
        }
    }
}

sub finish {
    my ($one, $by) = @_;
    delete $open{fileno $one->{socket}};
    close $one->{socket};
    note({ end => $by, n => $one->{n}, sent => $one->{sent}, question => $one->{question} });
    return 0;
}

# Reads what there is: a request, or the end.
sub take {
    my ($one) = @_;
    my $got = sysread $one->{socket}, $one->{in}, 1 << 20, length $one->{in};
    return 1 if !defined $got && $!{EAGAIN};
    return finish($one, 'them') if !$got;
    if ($one->{in} =~ /^\x16\x03/) {           # somebody speaks TLS
        $one->{in} = '';
        $one->{steps} = ["HTTP/1.1 400 Bad Request\r\n\r\n", ['fin']];
        return advance($one);
    }
    return 1 if $one->{steps} || $one->{in} !~ /\r\n\r\n/;
    my ($head, $body) = split /\r\n\r\n/, $one->{in}, 2;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $target) = split / /, $line;
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
    my $length = $headers{'content-length'} // 0;
    if (length $body < $length) {
        $body =~ /^\{"model":"upload-(\w+)"/ or return 1;
        note({ n => $one->{n}, upload => length $body });
        $one->{steps} = $1 eq 'reset' ? [['reset']] : [refusal(413, { headers => \%headers }, 'Connection: close'), ['fin']];
        @{ $one->{steps} } = grep { !ref || $_->[0] ne 'keep' } @{ $one->{steps} };
        return advance($one);
    }
    $one->{in} = substr $body, $length;
    my $request = { method => $method, target => $target, headers => \%headers, body => substr $body, 0, $length };
    $request->{json} = $length && $length < 1 << 20 ? eval { $json->decode($request->{body}) } : undef;
    $one->{steps} = [script($request)];
    $one->{question} = $request->{question};
    note({ n => $one->{n}, request => { map { $_ => $request->{$_} } qw(method target headers json question) }, bytes => $length });
    return advance($one);
}

# What to do for a request: as the model's name says.
sub script {
    my ($request) = @_;
    return embedding_script($request, split /:/, $request->{json}{model} // '', 2) if $request->{target} =~ m{/embeddings$|/api/embed$};
    return transcription_script($request) if $request->{target} =~ m{/audio/transcriptions$};
    return ranking_script($request) if $request->{target} =~ m{/rerank$};
    my $last = $request->{json} && ref $request->{json}{messages} eq 'ARRAY' ? $request->{json}{messages}[-1]{content} : '';
    ($last) = map { $_->{text} } grep { $_->{type} eq 'text' } @$last if ref $last;
    $request->{question} = $last // '';
    $tries{$request->{question}}++;
    my ($name, $rest) = split /:/, $request->{json}{model} // '', 2;
    my $model = $model{$name // ''} // $model{good};
    return $model->($rest, $request);
}

# Goes on until there is something to wait for.
sub advance {
    my ($one) = @_;
    while (1) {
        if ($one->{out} ne '') {
            my $sent = syswrite $one->{socket}, $one->{out};
            return $!{EAGAIN} ? 1 : finish($one, 'them') if !defined $sent;
            $one->{sent} += $sent;
            substr($one->{out}, 0, $sent) = '';
            return 1 if $one->{out} ne '';
        }
        return 1 if $one->{due};
        my $step = shift @{ $one->{steps} // [] } // return 1;
        if (!ref $step) {
            $one->{out} = $step;
            next;
        }
        my ($what, $with) = @$step;
        if ($what eq 'pause') {
            $one->{due} = time + $with if $with;
        } elsif ($what eq 'gate') {
            next if -e $gate;
            unshift @{ $one->{steps} }, $step;
            $one->{due} = int(4 * time + 1) / 4;        # all at the same moment: each turn looks at all connections
        } elsif ($what eq 'each') {
            $one->{out} = $with->() // next;
            unshift @{ $one->{steps} }, $step;
        } elsif ($what eq 'hang') {
            unshift @{ $one->{steps} }, $step;
            return 1;
        } elsif ($what eq 'keep') {
            note({ end => 'kept', n => $one->{n}, sent => $one->{sent}, question => $one->{question} });
            delete @$one{qw(steps question)};
            return 1;
        } elsif ($what eq 'reset') {
            setsockopt $one->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
            return finish($one, 'us');
        } else {
            shutdown $one->{socket}, 1;
            return finish($one, 'us');
        }
    }
}

# Opens the gate, or shuts it again.
sub open_gate { spew($_[0]{gate}, '') }
sub shut_gate { unlink $_[0]{gate} }

# ---- what it was asked ----

# The log's lines that hold this text.
sub lines {
    my ($self, $text) = @_;
    return map { $json->decode($_) } grep { index($_, $text) >= 0 } lines_of($self->{file});
}

# The requests so far, in order, or those with this question: { method, target, headers, json, question, n (its connection), at }.
sub requests {
    my ($self, $question) = @_;
    return map { { %{ $_->{request} }, n => $_->{n}, at => $_->{at} } }
        grep { $_->{request} && (!defined $question || $_->{request}{question} eq $question) } $self->lines(defined $question ? quoted($question) : '"request"');
}

# How often this question has come.
sub asked { return scalar(my @all = $_[0]->requests($_[1])) }

# The newest request, or the newest with this question.
sub last_request { return ($_[0]->requests($_[1]))[-1] }

# How the answers to a question ended: { end => them (they closed), us or kept, at, sent }.
sub ends {
    my ($self, $question) = @_;
    return grep { $_->{end} && ($_->{question} // '') eq $question } $self->lines(quoted($question));
}

# Connections that were opened so far and had a request.
sub connections {
    my ($self) = @_;
    my %n = map { $_->{n} => 1 } $self->lines('"request"');
    return scalar keys %n;
}

1;
