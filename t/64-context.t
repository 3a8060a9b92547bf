# A conversation ten times as long as the model's window: what the model is shown then, in which order, and that it fits.  A quarter
# of the window (4,096 tokens at most) is kept for the answer; then come the system prompt, the question, the newest of the history, the
# passages (design, section 5).  The question is never cut: one that is too long is refused.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Contract qw(fingerprint stored shape_is %shape);
use Exedra::Hostile qw(allow_for);
use Exedra::Provider;
use MIME::Base64 qw(encode_base64);

my $provider = start_provider();
my $db = database();
my $WINDOW = 1024;
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $provider->{url}, 'llm.model' => 'plain model', 'llm.context' => $WINDOW, 'outbound.allow' => '127.0.0.0/8', drain => 10 });
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
exedractl($db, qw(provider set acme wide), $provider->{url}, '--model', 'm', '--context', 40_000);
exedractl($db, qw(provider set acme narrow), $provider->{url}, '--model', 'm', '--context', 512);
my $n = 0;

sub room {
    my ($name, %fields) = @_;
    return workspace($exedra, $key, $name, openAiPrompt => 'Be brief.', chatMode => 'chat', openAiHistory => 1000, %fields)->{slug};
}

# So many exchanges on record, of so many bytes each: `Q7 qqq...` and `A7 aaa...`.
sub remember {
    my ($slug, $count, $bytes) = @_;
    psql($db, "INSERT INTO exedra.chat (tenant_id, workspace_id, origin, mode, prompt, answer, state)
        SELECT w.tenant_id, w.id, 'api', 'chat', rpad('Q' || i || ' ', $bytes / 2, 'q'), rpad('A' || i || ' ', $bytes / 2, 'a'), 'done'
          FROM exedra.workspace w, generate_series(1, $count) i WHERE w.slug = '$slug' ORDER BY i");
}

sub tokens { my ($text) = @_; utf8::encode($text) if utf8::is_utf8($text); return int((length($text) + 3) / 4) }

# What is kept for the answer, and what may be sent.
sub allowance { my ($window) = @_; return $window - ($window / 4 < 4096 ? int($window / 4) : 4096) }

# What the model was shown for this question.
sub sent { return $provider->last_request($_[0])->{json}{messages} }
sub sum { my $sum = 0; $sum += tokens($_->{content} // '') for @_; return $sum }

sub fits {
    my ($messages, $window, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return cmp_ok sum(@$messages), '<=', allowance($window), $name;
}

subtest 'a history' => sub {
    my $slug = room('Long');
    remember($slug, 80, 600);                   # 48 kB for a window of 4
    for my $way (qw(chat stream)) {
        my $question = "and now, $way? " . 'x' x 100;
        is ask($exedra, $way, key => $key, slug => $slug, message => $question)->{text}, $TEXT, "$way: an answer";
        my @sent = @{ sent($question) };
        fits(\@sent, $WINDOW, 'what was sent fits');
        is_deeply [@sent[0, -1]], [{ role => 'system', content => 'Be brief.' }, { role => 'user', content => $question }], 'the prompt first, the question last';
        my @history = @sent[1 .. $#sent - 1];
        is_deeply [map { $_->{role} } @history], [map { ('user', 'assistant') } 1 .. @history / 2], 'whole exchanges between them';
        my @numbers = map { $_->{content} =~ /^[QA](\d+) / ? $1 : () } @history;
        my $first = $numbers[0] // 81;
        is_deeply \@numbers, [map { ($_, $_) } $first .. 80], 'the newest, oldest first, without a gap';
        cmp_ok sum(@sent) + 150, '>', allowance($WINDOW), 'as many as fit';
    }
};

subtest 'passages' => sub {
    my $slug = room('Books', topN => 50);
    # a word that stands in more than half of the passages counts for nothing: so two of three are about something else
    document($exedra, $key, "book$_", join("\n\n", map { ($_ % 3 ? 'Nothing here. ' : "Whale number $_ swims. ") . 'The sea is wide and deep. ' x 30 } 1 .. 36), $slug) for 1 .. 4;
    my $question = 'Which whale swims?';
    my $got = ask($exedra, 'completion', key => $key, slug => $slug, message => $question);
    cmp_ok length(join '', map { $_->{text} } @{ $got->{sources} }), '>', 10 * 4 * $WINDOW / 3, 'much is found';
    my @sent = @{ sent($question) };
    fits(\@sent, $WINDOW, 'what was sent fits');
    like $sent[0]{content}, qr/^Be brief\.\nContext:\n\[CONTEXT 0\]:\n/, 'passages stand behind the prompt';
    my @blocks = $sent[0]{content} =~ /\[CONTEXT (\d+)\]:\n.*?\n\[END CONTEXT \g1\]\n\n/gs;
    cmp_ok scalar(@blocks), '>=', 2, 'some do: ' . scalar @blocks;
    is_deeply \@blocks, [0 .. $#blocks], 'counted from 0';
    is scalar(() = $sent[0]{content} =~ /\[CONTEXT \d+\]:/g), scalar @blocks, '… all whole';
    remember($slug, 80, 600);
    ask($exedra, 'chat', key => $key, slug => $slug, message => 'Which whale swims now?');
    @sent = @{ sent('Which whale swims now?') };
    fits(\@sent, $WINDOW, 'with a long history too');
    cmp_ok scalar(@sent), '>', 6, 'which comes before passages';
    cmp_ok scalar(() = $sent[0]{content} =~ /\[CONTEXT \d+\]:/g), '<', scalar(@blocks), '… that have what is left';
};

# Contract of AnythingLLM, section 4.5: an attachment of this kind is read like an upload, shown whole behind what is pinned, told as a
# source, and kept nowhere.
subtest 'documents that come along' => sub {
    my $slug = room('Letters', topN => 2);
    my $attached = sub { my ($name, $content) = @_; return { name => $name, mime => 'application/anythingllm-document', contentString => $content } };
    my $packed = sub { my ($text) = @_; utf8::encode($text); return encode_base64($text, $_[1] // '') };
    my $asked = sub {
        my ($way, $question, @attachments) = @_;
        return ask($exedra, $way, key => $key, slug => $slug, message => $question, body => { attachments => \@attachments });
    };
    my $kept = sub { my $json = stored($db, $_[0]); utf8::encode($json); return json_value($json) };
    my $image = { name => 'a.png', mime => 'image/png', contentString => 'data:image/png;base64,iVBORw0KGgo=' };
    my $text = "The lamp in the attic is green: \x{4e16}\x{754c} > \x{ff} ?\n";
    my %form = (plain => $packed->($text), uri => 'data:text/plain;base64,' . $packed->($text), lines => $packed->($text, "\r\n"), url => $packed->($text) =~ tr{+/=}{-_}dr);
    isnt $form{url}, $form{plain} =~ tr/=//dr, 'both alphabets';
    for my $way (qw(chat stream)) {
        for my $form (sort keys %form) {
            my $question = "which lamp, $way, $form?";
            my $got = $asked->($way, $question, $image, $attached->('letter to a.txt', $form{$form}));
            is $got->{status}, 200, $question or diag $got->{raw};
            is sent($question)->[0]{content}, "Be brief.\nContext:\n[CONTEXT 0]:\n$text\n[END CONTEXT 0]\n\n", 'the model is shown it';
            shape_is $got->{sources}, [{ text => 'string', %{ $shape{metadata} }, location => qr{^direct-uploads/letter-to-a\.txt-[0-9a-f-]{36}\.json$}, isDirectUpload => 'bool' }], 'a source';
            is_deeply [@{ $got->{sources}[0] }{qw(text title docSource isDirectUpload)}],
                ["${text}...continued on in source document...", 'letter to a.txt', 'a text file uploaded by the user.', JSON::PP::true()], '… as the contract has it';
            like $got->{raw}, qr/"sources":\[\{"text":.*,"isDirectUpload":true\}\]/, '… text first';
            is_deeply $kept->('attachments'), [$image], 'the image stays with the chat, and nothing else';
            is_deeply $kept->('sources'), $got->{sources}, 'the source too';
        }
    }
    my $thread = http($exedra, POST => "/v1/workspace/$slug/thread/new", key => $key)->{json}{thread}{slug};
    my $got = http($exedra, POST => "/v1/workspace/$slug/thread/$thread/chat", key => $key, json => { message => 'in a thread?', attachments => [$attached->('t.txt', $form{plain})] });
    is $got->{json}{sources}[0]{title}, 't.txt', 'in a thread';
    $asked->('chat', 'and then?');
    unlike json_text(sent('and then?')), qr/attic/, 'the next question goes without it';

    my $long = "\x{6f22}" x 20_000;
    $got = $asked->('chat', 'long?', $attached->('long.txt', $packed->($long)), $attached->('b.txt', $packed->("Another.\n")));
    my @sent = @{ sent('long?') };
    fits(\@sent, $WINDOW, 'one that is too long fits');
    like $sent[0]{content}, qr/\[CONTEXT 0\]:\n\x{6f22}{500,}\n\[END CONTEXT 0\]\n\n$/, '… its beginning';
    is_deeply [map { [$_->{title}, length $_->{text}] } @{ $got->{sources} }], [['long.txt', 1000 + length '...continued on in source document...'], ['b.txt', length("Another.\n...continued on in source document...")]],
        '… a thousand characters in the source; the others are told too';

    document($exedra, $key, $_->[0], $_->[1], $slug) for ['pinned', 'A zebra has stripes.'], ['found', 'An okapi has stripes too.'];
    my $pinned = http($exedra, GET => "/v1/workspace/$slug", key => $key)->{json}{workspace}[0]{documents}[0]{docpath};
    http($exedra, POST => "/v1/workspace/$slug/update-pin", key => $key, json => { docPath => $pinned, pinStatus => JSON::PP::true() });
    $got = $asked->('chat', 'Which okapi or zebra?', $attached->('along.txt', $packed->('A gnu has none.')));
    is_deeply [map { $_->{title} } @{ $got->{sources} }], [qw(pinned.txt along.txt found.txt)], 'pinned, along, found: in this order';
    like sent('Which okapi or zebra?')->[0]{content}, qr/CONTEXT 0\]:\nA zebra.*CONTEXT 1\]:\nA gnu.*CONTEXT 2\]:\n.*An okapi/s, '… for the model too';
    http($exedra, POST => "/v1/workspace/$slug/update-pin", key => $key, json => { docPath => $pinned, pinStatus => JSON::PP::false() });
    my $query = sub { return ask($exedra, 'chat', key => $key, slug => $_[0], message => 'quantum?', body => { mode => 'query', attachments => [$attached->('q.txt', $form{plain})] }) };
    is $query->($slug)->{text}, $TEXT, 'query mode: an answer from it where nothing else is found';
    like $query->(room('Bare'))->{text}, qr/^There is no relevant information/, '… but not in a workspace that holds nothing';

    wait_for { psql($db, "SELECT count(*) FROM exedra.job WHERE kind <> 'merge_words'") == 0 } 30, 'work in the background to be done';
    my $before = fingerprint($db);
    my $requests = scalar(() = $provider->requests);
    my $png = 'data:application/pdf;base64,iVBORw0KGgoAAAANSUhEUgAA...';
    for (['no base64', '%%%'], ['the example of the published document', $png], ['a URI without base64', 'data:text/plain,hello'], ['a piece too short', 'A'], ['nothing', '===='],
        ['of no kind', encode_base64(pack('C*', 0 .. 31, 128 .. 255), '')]) {
        my ($what, $content) = @$_;
        for my $way (qw(chat stream)) {
            $got = $asked->($way, 'unread?', $attached->('my bad.zzz', $content));
            is $got->{status}, 422, "$way, $what: refused" or diag $got->{raw};
            like $got->{error}{message}, qr/^The attachment my bad\.zzz cannot be read: \w/, '… by its name';
        }
        is http($exedra, POST => '/v1/workspace/nowhere/chat', key => $key, json => { message => 'x', attachments => [$attached->('x', $content)] })->{status}, 400, '… the workspace comes first';
    }
    is $asked->('chat', 'mode?', $attached->('x', '%%%'), { name => 'y' })->{status}, 422, 'and what has no content';
    is ask($exedra, 'chat', key => $key, slug => $slug, message => 'mode?', body => { mode => 'x', attachments => [$attached->('x', '%%%')] })->{status}, 400, 'a mode that is none comes first';
    is fingerprint($db), $before, 'nothing is on record';
    is scalar(() = $provider->requests), $requests, 'nobody was asked';
};

subtest 'what a caller brings along' => sub {
    my $slug = room('Given');
    my @given = map { ({ role => 'user', content => "Q$_ " . 'q' x 300 }, { role => 'assistant', content => "A$_ " . 'a' x 300 }) } 1 .. 80;
    for my $model ($slug, 'plain model') {
        for my $way (qw(completion chunks)) {
            my $question = "given to $model, $way?";
            my $got = ask($exedra, $way, key => $key, slug => $model, message => $question, messages => [{ role => 'system', content => 'Mine.' }, @given, { role => 'user', content => $question }]);
            is $got->{status}, 200, $question;
            my @sent = @{ sent($question) };
            fits(\@sent, $WINDOW, 'what was sent fits');
            is_deeply [@sent[0, -1]], [{ role => 'system', content => 'Mine.' }, { role => 'user', content => $question }], 'the system message first, the question last';
            my @rest = @sent[1 .. $#sent - 1];
            cmp_ok scalar(@rest), '>', 2, 'some of the history: ' . scalar @rest;
            is_deeply \@rest, [@given[@given - @rest .. $#given]], 'the newest';
            is $rest[0]{role}, 'user', '… from a question on';
        }
    }
};

# A result of a tool makes no sense without its call: whatever is left out, the model never gets one alone.
subtest 'calls of tools' => sub {
    my $slug = room('Tools');
    my $call = sub { return { role => 'assistant', content => '', tool_calls => [map { { id => $_, type => 'function', function => { name => 'f', arguments => $_[1] // '{}' } } } @{ $_[0] }] } };
    my $result = sub { return { role => 'tool', tool_call_id => $_[0], content => $_[1] } };
    my @long = map { ({ role => 'user', content => "Q$_ " . 'q' x 400 }, $call->(["a$_"]), $result->("a$_", 'r' x 400), { role => 'assistant', content => 'a' x 200 }) } 1 .. 20;
    my %cases = (
        'in the middle' => [@long, { role => 'user', content => 'end 1' }],
        'at the end' => [@long, { role => 'user', content => 'go' }, $call->(['z']), $result->('z', 'end 2')],
        'two at the end' => [@long, { role => 'user', content => 'go' }, $call->(['y', 'z']), $result->('y', 'r'), $result->('z', 'end 3')],
        'behind a long question' => [{ role => 'user', content => 'q' x 2900 }, $call->(['z']), $result->('z', 'end 4 ' . 'r' x 400)],
        'behind long arguments' => [{ role => 'user', content => 'go' }, $call->(['z'], '{"x":"' . 'x' x 3000 . '"}'), $result->('z', 'end 5')],
        'behind another long result' => [{ role => 'user', content => 'go' }, $call->(['y', 'z']), $result->('y', 'r' x 3000), $result->('z', 'end 6')],
    );
    for my $what (sort keys %cases) {
        my $last = $cases{$what}[-1]{content};
        my $got = ask($exedra, 'completion', key => $key, slug => $slug, message => $last, messages => $cases{$what});
        if ($got->{status} == 400) {
            is $got->{error}{code}, 'context_length_exceeded', "$what: refused";
            next;
        }
        is $got->{status}, 200, "$what: an answer";
        my @sent = @{ sent($last) };
        my (%open, @alone);
        for my $message (@sent) {
            $open{$_->{id}} = 1 for @{ $message->{tool_calls} // [] };
            push @alone, $message if $message->{role} eq 'tool' && !$open{$message->{tool_call_id}};
        }
        is_deeply [map { $_->{tool_call_id} } @alone], [], '… no result without its call';
        is((grep { $_->{role} ne 'system' } @sent)[0]{role}, 'user', '… and a question first');
    }
};

subtest 'a question that is too long' => sub {
    my $slug = room('Much');
    my $most = 4 * (allowance($WINDOW) - tokens('Be brief.'));
    for my $way (@WAYS) {
        my $openai = $way =~ /^comp|chunks/;
        my $length = $most - ($openai ? length '{"role":"user","content":""}' : 0);
        my $question = "$way " . 'x' x ($length - length "$way ");
        my $got = ask($exedra, $way, key => $key, slug => $slug, message => $question);
        is $got->{status}, 200, "$way: one that just fits";
        is_deeply [map { length $_->{content} } @{ sent($question) }], [9, $length], '… goes whole';
        for my $more (5, 40_000, 1_000_000) {
            my $asked = scalar(() = $provider->requests);
            $got = ask($exedra, $way, key => $key, slug => $slug, message => $question . 'x' x $more);
            is $got->{status}, 400, "$more more: 400";
            like $got->{error}{message}, qr/context window of $WINDOW tokens/, '… that says why';
            is_deeply [@{ $got->{error} }{qw(type param code)}], ['invalid_request_error', 'messages', 'context_length_exceeded'], '… as OpenAI does' if $openai;
            like $got->{raw}, qr/"type":"abort"/, '… as an abort' if !$openai;
            is scalar(() = $provider->requests), $asked, '… and nobody is asked';
        }
    }
    is psql($db, "SELECT DISTINCT state || ' ' || reason FROM exedra.chat WHERE length(prompt) > $most"), 'failed context_length_exceeded', 'on record as failed';
    my $wide = "\x{6f22}" x ($most / 3 + 1);
    is ask($exedra, 'chat', key => $key, slug => $slug, message => $wide)->{status}, 400, 'bytes count, not characters';
    my $prompt = room('Wordy', openAiPrompt => 'p' x 5000);
    my $got = ask($exedra, 'completion', key => $key, slug => $prompt, message => 'short');
    is_deeply [$got->{status}, $got->{error}{code}], [400, 'context_length_exceeded'], 'a prompt that leaves no room';
    my $image = 'data:image/png;base64,' . 'A' x 100_000;
    is ask($exedra, 'chat', key => $key, slug => $slug, message => 'seen?', body => { attachments => [{ name => 'a', mime => 'image/png', contentString => $image }] })->{status}, 200, 'an image is no text';
    is ask($exedra, 'completion', key => $key, slug => $slug, message => 'seen?', messages => [{ role => 'user', content => [{ type => 'text', text => 'seen?' }, { type => 'image_url', image_url => { url => $image } }] }])->{status},
        200, '… in either dialect';
};

subtest 'other windows' => sub {
    for (['wide', 40_000], ['narrow', 512]) {
        my ($name, $window) = @$_;
        my $slug = room($name, chatProvider => $name);
        remember($slug, 700, $name eq 'wide' ? 600 : 200);
        ask($exedra, 'chat', key => $key, slug => $slug, message => "how much, $name?");
        my @sent = @{ sent("how much, $name?") };
        fits(\@sent, $window, "a provider's window of $window");
        cmp_ok sum(@sent), '>', allowance($window) - 400, '… is used: ' . sum(@sent);
    }
};

# Hostile case L009.
subtest 'ten thousand exchanges' => sub {
    my $slug = room('Old', openAiHistory => 5, chatProvider => 'wide');
    remember($slug, 10_000, 100);
    my $got = ask($exedra, 'chat', key => $key, slug => $slug, message => 'the last?');
    is_deeply [map { $_->{content} =~ /^Q(\d+)/ ? $1 : () } @{ sent('the last?') }], [9996 .. 10_000], 'the newest five are sent';
    cmp_ok $got->{seconds}, '<', allow_for(0.5), "in $got->{seconds} s";
};

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
ok $exedra->stop, 'exedra ends well';
done_testing;
