# What a provider may do to its frames, in all four ways of asking: whatever the framing and wherever it is split, the text is
# the same; what is no text is made valid, left out or told as an error, and never ends a worker; endless answers end.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Faults;
use Exedra::Hostile;
use Exedra::Provider;

my $house = fault_house();
my $provider = $house->{provider};
my $db = $house->{db};
my $FFFD = "\x{fffd}";

my $invalid = refused(502, 'upstream_invalid', asked => 1);
my $three = broken('One two three', 502, 'upstream_invalid', asked => 1);
my $failed = broken('One two three', 502, 'upstream_error', asked => 1);
my $thought = "<think>Let me think.</think>So: yes.";
my $answers = check_faults($house,
    'framing' => [
        (map { $_ => good() } qw(good split crlf crlf-split cr mixed comments fields no-space many-lines bom unknown)),
        'drip' => good('dripping'),
        'framing' => good("data: [DONE]\n\ndata: {\"error\":1}\r\n\r\n</script>\e[31m\x01\x7f\x{85}\x{2028} end"),
        'spaces' => good("  \n\n  two  spaces\t\n"),
        'giant' => $three,
        'giant-event' => $three,
    ],
    'text that is none' => [
        # Design section 5: bad UTF-8 becomes U+FFFD, NUL is dropped; so do halves of a character in two deltas.
        'bad-utf8' => good("a$FFFD${FFFD}b"),
        'half-utf8' => good("a$FFFD${FFFD}c"),
        'nul' => good('ab'),
        'raw-nul' => either(),
        'surrogates' => good("a$FFFD${FFFD}b"),
        'deep' => $three,
        'keys' => either(),
        'nan' => $three,
        'twice' => either(),
        'odd-content' => good('ab'),
        'odd-frames' => either(),
        'odd-tools' => good('ab'),
        'empty' => empty(),
    ],
    'no stream' => [
        'json' => good(),
        'json-split' => good(),
        'json-null' => empty(),
        'json-none' => $invalid,
        'json-detail' => $invalid,
        'json-bom' => good(),
        'json-error' => refused(502, 'upstream_error'),
        'json-broken' => $invalid,
        'json-array' => $invalid,
        'json-cut' => refused(502, 'upstream_cut'),
        'html' => $invalid,
        'html-events' => $invalid,
        'done-only' => $invalid,
        'done-stranger' => $invalid,
        'endless-body' => $invalid,
    ],
    # Known by what it says: gateways lose the type, or put one of their own there; a POST makes 201 in some frameworks.
    'called another thing' => [
        'no-type' => good(),
        (map { ("stream-as:$_" => good()) } '', 'text/plain', 'application/json', 'application/octet-stream', 'text/html; charset=utf-8'),
        'stream-twice-called' => good('x'),
        'stream-created' => good(),
        'json-created' => good(),
        'json-events' => good(),
        'message-event' => good(),
        'message-beside' => good(),
    ],
    'which choice' => [
        'choices-two' => good('ab'),
        'choices-other' => good('ab', finish => 'stop'),
        'choices-from-one' => good(),
    ],
    'ends in other words' => [
        (map { ("ends:$_" => good('One two three', finish => 'length')) } qw(length max_tokens MAX_TOKENS model_length)),
        (map { ("ends:$_" => good('One two three', finish => 'content_filter')) } qw(content_filter SAFETY sensitive)),
        (map { ("ends:$_" => good('One two three', finish => 'stop')) } qw(stop STOP end_turn eos)),
        (map { ("ends:$_" => $failed) } qw(error ERROR abort network_error insufficient_system_resource)),
        # no end at all: what breaks off behind it is broken off
        (map { ("ends-not:$_" => broken('One two three', 502, 'upstream_cut', asked => 1), "ends-late:$_" => good(undef, finish => 'stop')) } '', 'null'),
    ],
    'errors in other words' => [
        (map { ("no-error:$_" => good()) } 'null', 'false', '""', '0'),
        (map { $_ => $failed } qw(error-choice error-flat error-plain)),
        (map { $_ => refused(502, 'upstream_error', asked => 1) } qw(error-object error-json-events)),
        # one that has said 200 before it knew tells its status so
        (map { ("$_:429" => refused(429, 'upstream_busy', asked => 1, retry => [1, 60]), "$_:503" => refused(503, 'upstream_unavailable', asked => 1),
            "$_:400" => refused(400, 'upstream_refused', asked => 1), "$_:404" => refused(502, 'upstream_model', asked => 1)) } qw(error-coded error-json-coded)),
        (map { ("error-coded:$_" => refused(502, 'upstream_error', asked => 1)) } 200, 401, 500, 40303, '"429"', 'null', '4294967725', -1),
        'error-coded-mid:429' => $failed,
    ],
    'usage' => [
        # Clamped or estimated; an answer that has come is not lost for it.
        (map { ("usage:$_" => good()) } '{"prompt_tokens":-1,"completion_tokens":-9223372036854775808}',
            '{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}',
            '{"prompt_tokens":9223372036854775808,"completion_tokens":5}',
            '{"prompt_tokens":1e300,"completion_tokens":1.5}', '{"prompt_tokens":"7","completion_tokens":"5"}',
            '{"prompt_tokens":null,"completion_tokens":null}', '{"prompt_tokens":{},"completion_tokens":[]}', '{}', 'null', '7', '"x"', '[]', 'true',
            '{"completion_tokens":5}', '{"prompt_tokens":2000000000,"completion_tokens":2000000000}', '{"prompt_tokens":0,"completion_tokens":0}', '{"prompt_tokens":7.0,"completion_tokens":5.0}'),
        map({ ("usage-in:$_" => good('x')) } qw(choice groq)), map({ ("usage-first:$_" => good('x')) } '{}', '{"prompt_tokens":null}', '{"prompt_tokens":0,"completion_tokens":0}'),
    ],
    'more than text' => [
        'reasoning' => good($thought, completion => 'So: yes.', chunks => 'So: yes.'),
        'reasoning-only' => good('<think>Hm.</think>', completion => '', chunks => ''),
        'length' => good('cut', finish => 'length'),
    ],
);

subtest 'reasoning' => sub {
    for my $way (qw(completion chunks)) {
        is $answers->{"reasoning, $way"}{reasoning}, 'Let me think.', "$way: apart from the text";
        is $answers->{"reasoning, $way"}{text}, 'So: yes.', '… which is the answer';
        is $answers->{"reasoning-only, $way"}{reasoning}, 'Hm.', '… alone';
    }
    is $answers->{"reasoning-only, $_"}{text}, '<think>Hm.</think>', "$_: between marks" for qw(chat stream);
};

subtest 'what is counted' => sub {
    my $kind = sub { psql($db, "SELECT u.prompt_tokens || ' ' || u.completion_tokens || ' ' || u.estimated FROM exedra.usage u
        JOIN exedra.chat c ON c.id = u.chat_id WHERE c.prompt = '$_[0], completion'") };
    is $kind->($_), '7 5 false', "what the provider says: $_" for 'good', 'usage:{"prompt_tokens":7.0,"completion_tokens":5.0}', 'usage-in:choice', 'usage-in:groq', 'usage-first:{}',
        'usage-first:{"prompt_tokens":null}', 'usage-first:{"prompt_tokens":0,"completion_tokens":0}';
    # Nothing can have been asked with no token at all: who says so has not counted.
    like $kind->('usage:{"prompt_tokens":0,"completion_tokens":0}'), qr/^[1-9]\d* [1-9]\d* true$/, 'none at all are none counted';
    like $kind->("usage:$_"), qr/^\d+ \d+ true$/, "estimated: $_" for '{}', 'null', '{"prompt_tokens":"7","completion_tokens":"5"}',
        '{"prompt_tokens":-1,"completion_tokens":-9223372036854775808}';
    is psql($db, 'SELECT count(*) FROM exedra.usage WHERE prompt_tokens < 0 OR completion_tokens < 0 OR prompt_tokens > 1e10'), 0, 'never negative, never absurd';
    is_deeply [map { $_->{usage}{total_tokens} } grep { $_->{usage} && ($_->{usage}{total_tokens} // -1) < 0 } values %$answers], [], 'nor told so';
};

# Text without end is cut at 16 MiB, like calls of tools; the provider is then left.  Not in the table: it is much to read.
subtest 'endless' => sub {
    my @slugs = map { workspace($house->{exedra}, $house->{key}, $_, chatModel => $_, openAiPrompt => 'Be brief.')->{slug} } qw(endless endless-tools);
    my $before = peak_kb($house->{exedra}->worker_pids);
    my @got = in_parallel(5, sub {
        my ($way, $slug) = @{ $_[0] };
        my ($streams, $openai) = map { scalar($way =~ $_) } qr/^(?:stream|chunks)$/, qr/^(?:completion|chunks)$/;
        my $body = { $openai ? (model => $slug, messages => [{ role => 'user', content => "$slug, $way" }], stream => $streams ? \1 : \0) : (message => "$slug, $way") };
        my $stream = http_stream($house->{exedra}, POST => $openai ? '/v1/chat/completions' : "/v1/workspace/$slug/" . ($streams ? 'stream-chat' : 'chat'),
            key => $house->{key}, json => $body, timeout => 60);
        my ($length, $tail) = (0, $stream->{body});
        my $deadline = time + 60;
        while ($stream->more(10)) {
            $length += length($stream->{body}) - length $tail;
            $tail = $stream->{body} = length $stream->{body} > 2000 ? substr $stream->{body}, -2000 : $stream->{body};
            die "no end\n" if time > $deadline || $length > 100 << 20;
        }
        return { status => $stream->{status}, length => $length, tail => $tail };
    }, (map { [$_, $slugs[0]] } @WAYS), ['chunks', $slugs[1]]);
    for my $i (0 .. 3) {
        my ($way, $got) = ($WAYS[$i], $got[$i]);
        is $got->{wrong}, undef, "$way: it ends";
        is $got->{status}, 200, '… as an answer';
        cmp_ok $got->{length} // 0, '>', 15 << 20, '… of 16 MiB';
        cmp_ok $got->{length} // 0, '<', 22 << 20, '… and no more';
        my $ending = { chat => qr/"type":"textResponse"|"metrics":\{/, stream => qr/finalizeResponseStream/, completion => qr/"finish_reason":"length"/,
            chunks => qr/"finish_reason":"length".*\[DONE\]/s }->{$way};
        like $got->{tail} // '', $ending, '… that says so';
        my $end = ($provider->ends("endless, $way"))[-1];
        is $end && $end->{end}, 'them', 'the provider is left';
    }
    is $got[4]{wrong}, undef, 'calls of tools end too';
    is psql($db, "SELECT string_agg(state || ' ' || length(answer) / 1048576, ', ') FROM exedra.chat WHERE prompt LIKE 'endless, %'"),
        join(', ', ('done 16') x 4), 'all of it is on record';
    my $grown = peak_kb($house->{exedra}->worker_pids) - $before;
    cmp_ok $grown, '<', allow_for(600_000), "it takes memory for it: $grown kB";
};

for my $model (qw(giant giant-event endless-body)) {
    my ($most) = sort { $b <=> $a } map { $_->{sent} } map { $provider->ends("$model, $_") } @WAYS;
    cmp_ok $most, '<', 16 << 20, "$model: given up after $most bytes";
}
is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
$house->close;
done_testing;
