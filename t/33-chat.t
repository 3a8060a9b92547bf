# A question and its answer without a model (contract, sections 2.6, 2.7, 4.1, 4.2, 5, endpoints 35 and 36; design, section 5):
# what is quoted, the events of a stream in their order and to the byte, the JSON answer, refusals, what is wrong with a
# question and in which order it is told, and what the database holds afterwards: the chat and its line in the ledger.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
workspace($exedra, $key, $_) for 'Library', 'Empty', 'Cut';
my %text = (
    krill => 'The blue whale eats krill. It eats four tonnes a day.', sperm => 'The sperm whale dives for squid.',
    grey => 'The grey whale travels far.', orca => 'An orca is no whale, say some.', river => 'The Danube flows to the Black Sea.',
);
document($exedra, $key, $_, $text{$_}, 'library') for sort keys %text;

my $default_refusal = 'There is no relevant information in this workspace to answer your query.';

# What `quote` answers: [text, title] of each passage.
sub quotes {
    my @quotes;
    push @quotes, [$1, $2] while $_[0] =~ /\G(.*?)\n\(([^()\n]+)\)(?:\n\n|\z)/gs;
    return @quotes;
}

subtest 'a stream' => sub {
    my $got = stream($exedra, $key, 'library', 'What does the blue whale eat?');
    is $got->{status}, 200, 'begins';
    is_deeply { map { $_ => $got->{headers}{$_} } qw(content-type cache-control access-control-allow-origin x-accel-buffering content-length) },
        { 'content-type' => 'text/event-stream', 'cache-control' => 'no-cache', 'access-control-allow-origin' => '*',
        'x-accel-buffering' => 'no', 'content-length' => undef },
        'with these headers';
    my @lines = map { plain($_->{data}) } @{ $got->{raw} };
    my @events = @{ $got->{events} };
    my $uuid = $events[0]{uuid};
    my $chunk = sub { '{"uuid":"<uuid>","sources":[],"type":"textResponseChunk","textResponse":' . json_text($_[0])
        . ",\"close\":$_[1],\"error\":false}" };
    is scalar @events, 5, 'five events';
    is $lines[0], $chunk->("$text{krill}\n(krill.txt)", 'false'), 'the best passage, its title after it';
    is $lines[$_], $chunk->($events[$_]{textResponse}, 'false'), 'another' for 1, 2;
    is $lines[3], $chunk->('', 'true'), 'the end of the text';
    is $lines[4] =~ s/"metrics":\{.*?\}/"metrics":{}/r =~ s/"sources":\[.*/"sources":[/r,
        '{"uuid":"<uuid>","type":"finalizeResponseStream","close":true,"error":false,"chatId":<id>,"metrics":{},"sources":[',
        'and of the stream';
    is_deeply [grep { $_ ne $uuid } map { $_->{uuid} } @events], [], 'one uuid for all';
    is_deeply [map { $_->{close} ? 1 : 0 } @events], [0, 0, 0, 1, 1], 'two events close';
    ok $got->{whole}, 'nothing is missing';
    is $got->{comments}, 0, 'no comments';
    is_deeply [grep { $_->{event} || $_->{id} } @{ $got->{raw} }], [], 'nothing but data';
    is scalar quotes(text_of(@events)), 3, 'three passages';
    like text_of(@events), qr/\.txt\)\n\nThe sperm|\.txt\)\n\n(?:The grey|An orca)/, 'with an empty line between';

    my $last = $events[4];
    shape_is $last->{metrics}, $shape{metrics}, 'metrics';
    is $last->{metrics}{total_tokens}, $last->{metrics}{prompt_tokens} + $last->{metrics}{completion_tokens}, 'that add up';
    is_deeply [@{ $last->{metrics} }{qw(model provider)}], ['quote', 'quote'], 'and name who answered';
    shape_is $last->{sources}, [$shape{source}], 'sources';
    is_deeply [map { $_->{title} } @{ $last->{sources} }[0]], ['krill.txt'], 'the best first';
    my @scores = map { $_->{score} } @{ $last->{sources} };
    is_deeply \@scores, [sort { $b <=> $a } @scores], 'by score';
    ok !(grep { $_ <= 0 || $_ >= 1 } @scores), 'between 0 and 1';
    is plain($last->{sources}[0]{text}), "<document_metadata>\nsourceDocument: krill.txt\npublished: <published>\n"
        . "</document_metadata>\n\n$text{krill}", 'with the passage under its header';

    is stored($db, 'id'), $last->{chatId}, 'it is on record';
    is stored($db, 'state, include, mode, origin, reason, account_id, api_session_id'), "done\tt\tautomatic\tapi\t\t\t", 'as done';
    is stored($db, 'answer'), text_of(@events), 'with the answer that was read';
    is_deeply [map { json_value(stored($db, $_)) } qw(sources metrics)], [@$last{qw(sources metrics)}], 'its sources and metrics';
    is psql($db, "SELECT provider, model, prompt_tokens, completion_tokens, estimated, account_id,
        workspace_id = (SELECT id FROM exedra.workspace WHERE slug = 'library') FROM exedra.usage WHERE chat_id = $last->{chatId}"),
        join("\t", 'quote', 'quote', @{ $last->{metrics} }{qw(prompt_tokens completion_tokens)}, 't', '', 't'), 'and one line in the ledger';
};

subtest 'an answer at once' => sub {
    my $got = chat($exedra, $key, 'library', 'What does the blue whale eat?');
    is $got->{status}, 200, 'is given';
    shape_is $got->{json}, { id => 'uuid', type => qr/^textResponse$/, close => 'bool', error => 'null', chatId => 'int',
        textResponse => 'string',
        sources => [$shape{source}], metrics => $shape{metrics} }, 'with these keys';
    is $got->{json}{close} ? 1 : 0, 1, 'closed';
    is $got->{json}{textResponse}, stored($db, 'answer'), 'and on record';
    is $got->{json}{chatId}, stored($db, 'id'), 'by its number';
    is scalar @{ $got->{json}{sources} }, 4, 'as many sources as topN';
    for my $top (1, 2) {
        http($exedra, POST => '/v1/workspace/library/update', key => $key, json => { topN => $top });
        $got = chat($exedra, $key, 'library', 'What does the blue whale eat?')->{json};
        is_deeply [scalar @{ $got->{sources} }, scalar quotes($got->{textResponse})], [$top, $top], "topN $top";
    }
    http($exedra, POST => '/v1/workspace/library/update', key => $key, json => { topN => 4 });
    for my $type ('text/plain', 'text/plain; charset=UTF-8', 'application/x-www-form-urlencoded', undef) {
        my $plain = http($exedra, POST => '/v1/workspace/library/chat', key => $key, body => '{"message":"Danube?"}',
            headers => { 'Content-Type' => $type });
        is_deeply [quotes($plain->{json}{textResponse})], [[$text{river}, 'river.txt']], 'JSON as ' . ($type // 'nothing said');
    }
};

subtest 'what is quoted' => sub {
    my $sentences = join ' ', map { "Sentence $_ tells about the zebra and its stripes." } 1 .. 19;       # one passage of about 950 characters
    my $words = 'giraffe ' . join ' ', map { "word$_" } 1 .. 120;                                         # no sentence ends
    my $chinese = '长颈鹿' . join '。', map { "第${_}头鲸鱼在大海里游来游去" } 1 .. 60;
    my $solid = 'okapi ' . 'x' x 900;
    my %cut = (sentences => $sentences, words => $words, chinese => $chinese, solid => $solid, short => 'A short one on the gnu',
        lines => "Of the ibis.\n\nTwo lines! Or three?");
    document($exedra, $key, $_, $cut{$_}, 'cut') for sort keys %cut;
    my %ask = (sentences => 'zebra', words => 'giraffe', chinese => '长颈鹿', solid => 'okapi', short => 'gnu', lines => 'ibis');
    for my $name (sort keys %ask) {
        my ($quote) = quotes(chat($exedra, $key, 'cut', $ask{$name})->{json}{textResponse});
        is $quote->[1], "$name.txt", "$name: found";
        cmp_ok length $quote->[0], '<=', 600, 'at most 600 characters';
        isnt index($cut{$name}, $quote->[0]), -1, 'word for word';
        cmp_ok length $quote->[0], '>=', length $cut{$name} < 600 ? length $cut{$name} : 400,
            'and not much less than there is' if $name ne 'solid';
        like $quote->[0], qr/[.!?。]\z/, 'up to the end of a sentence' if $name =~ /sentences|chinese/;
        is substr($cut{words}, length $quote->[0], 1), ' ', 'up to the end of a word' if $name eq 'words';
    }
};

subtest 'nothing matches' => sub {
    for my $slug ('library', 'empty') {
        my $got = chat($exedra, $key, $slug, 'quantum chromodynamics')->{json};
        like $got->{textResponse}, qr/^[^.]*nothing[^.]+matches[^.]+no model is configured[^.]*\.$/i, "$slug: one sentence says so";
        is_deeply [$got->{type}, $got->{sources}], ['textResponse', []], 'as an answer without sources';
        is stored($db, 'state, include, answer'), "done\tt\t$got->{textResponse}", 'that is on record';
    }
};

subtest 'refusals' => sub {
    my $refusal = sub { my ($slug, $body) = @_; return (chat($exedra, $key, $slug, $body), stream($exedra, $key, $slug, $body)) };
    my $before = psql($db, 'SELECT count(*) FROM exedra.usage');
    for my $case (['empty', 'anything', '"attachments":[],'], ['library', 'quantum chromodynamics', '']) {
        my ($slug, $message, $attachments) = @$case;
        my %ask = (message => $message, sessionId => 'a conversation without sources');
        for my $custom (undef, 'NOPE "here"') {
            http($exedra, POST => "/v1/workspace/$slug/update", key => $key,
                json => { queryRefusalResponse => $custom, chatMode => 'chat' });
            my $said = json_text($custom // $default_refusal);
            my ($whole, $stream) = $refusal->($slug, { %ask, mode => 'query' });
            is $whole->{status}, 200, "$slug: a refusal is no error";
            is_deeply $whole->{json}, { id => $whole->{json}{id}, type => 'textResponse', textResponse => json_value($said),
                sources => [], close => JSON::PP::true(),
                error => undef, metrics => {} }, 'nor has it a number';
            my @lines = map { plain($_->{data}) } @{ $stream->{raw} };
            is_deeply \@lines, ['{"id":"<uuid>","type":"textResponse","textResponse":' . $said
                . ",\"sources\":[],$attachments\"close\":true,\"error\":null,\"metrics\":{}}"], 'a stream has this one event';
            is stored($db, 'state, include, mode, metrics, sources'), "done\tf\tquery\t{}\t[]", 'it is on record, but no history';
        }
        http($exedra, POST => "/v1/workspace/$slug/update", key => $key, json => { queryRefusalResponse => undef, chatMode => 'query' });
        is chat($exedra, $key, $slug, \%ask)->{json}{textResponse}, $default_refusal, "the workspace's mode counts";
        is chat($exedra, $key, $slug, { %ask, mode => undef })->{json}{textResponse}, $default_refusal, 'null is no mode';
        isnt chat($exedra, $key, $slug, { %ask, mode => $_ })->{json}{textResponse}, $default_refusal,
            "mode $_ does not refuse" for qw(chat automatic);
    }
    is psql($db, 'SELECT count(*) FROM exedra.usage') - $before, 4, 'refusals cost nothing';
    ok chat($exedra, $key, 'library', $_)->{json}{chatId}, "query mode does not refuse: $_"
        for 'what is found, as the Danube', 'chromodynamics, after an answer that had sources';
    http($exedra, POST => '/v1/workspace/library/update', key => $key, json => { chatMode => 'automatic' });
};

subtest 'what is wrong with a question' => sub {
    my @wrong = (
        (map { ['Message is empty', 400, $_] } {}, { message => '' }, { message => undef }, { message => 5 }, { message => {} },
        { message => '', mode => 'x' }, { message => '', reset => \0 }),
        (map { ["$_ is not a valid mode.", 400, { message => 'x', mode => $_ }] } 'foo', 'CHAT', 'agent'),
        ['a message in an array', 400, { message => ['x'] }],
        (map { ["$_->[0] of a wrong type", 422, { message => 'x', @$_ }, $_->[0]] } [mode => 5], [sessionId => \1],
        [sessionId => []], [sessionId => 1.5], [attachments => 'x'],
            [attachments => {}], [attachments => ['x']], [reset => 'true'], [reset => 1]),
    );
    my $before = fingerprint($db);
    for my $case (@wrong) {
        my ($what, $status, $body, $field) = @$case;
        for my $how ('chat', 'stream-chat') {
            my $got = http($exedra, POST => "/v1/workspace/library/$how", key => $key, json => $body);
            is $got->{status}, $status, "$how: $what, " . json_text($body);
            shape_is $got->{json}, { id => 'uuid', type => qr/^abort$/, textResponse => 'null', sources => ['null'],
                close => 'bool', error => $field ? qr/$field/i : $what =~ /array/ ? 'string' : qr/^\Q$what\E$/ }, 'is told as JSON';
            is http($exedra, POST => "/v1/workspace/none/$how", key => $key, json => $body)->{json}{error},
                'Workspace none is not a valid workspace.', 'the workspace comes first';
        }
    }
    is fingerprint($db), $before, 'nothing is on record';
};

subtest 'sessions and attachments' => sub {
    for my $case ([42, '42'], ['42', '42'], ['a b', 'a b'], ['ключ', 'ключ'], ['', ''], [undef, '']) {
        chat($exedra, $key, 'library', { message => 'Danube', sessionId => $case->[0] });
        is stored($db, 'api_session_id'), $case->[1], 'sessionId ' . json_text($case->[0]);
    }
    my @attachments = ({ name => 'a "b".png', mime => 'image/png', contentString => 'data:image/png;base64,iVBORw0KGgo=' },
        { name => 'c.jpg', mime => 'image/jpeg', contentString => 'data:image/jpeg;base64,/9j/4AAQ' });
    chat($exedra, $key, 'library', { message => 'Danube', attachments => \@attachments });
    is_deeply json_value(stored($db, 'attachments')), \@attachments, 'attachments are stored as they came';
    is stored($db, 'state'), 'done', 'quote ignores them';
    chat($exedra, $key, 'library', { message => 'Danube', attachments => $_ }) for undef, [];
    is stored($db, 'attachments'), '[]', 'none';
    chat($exedra, $key, 'library', { message => '/reset' });
    is stored($db, 'prompt'), '/reset', '/reset is a message like another';
    chat($exedra, $key, 'library', { message => "Danube\n\t\"\\ 🐋" });
    is stored($db, 'prompt'), "Danube\n\t\"\\ 🐋", 'and so is everything else';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
