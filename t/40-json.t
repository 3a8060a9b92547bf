# Hostile JSON, through nginx: exactly RFC 8259 in UTF-8 gets in, within the limits; all else is refused before anything
# happens, says so in JSON and costs next to nothing; a field of the wrong type is named.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;

need('nginx');

my $house = house();
my ($nginx, $exedra, $db, $key, $slug) = @$house{qw(nginx exedra db key slug)};
my $new = '/v1/workspace/new';
my $update = "/v1/workspace/$slug/update";
my $chat = "/v1/workspace/$slug/chat";
my $completions = '/v1/chat/completions';
my $MiB = 1 << 20;

# Sends bytes as a JSON body, or as the type given.
sub post {
    my ($target, $body, %with) = @_;
    return http($nginx, POST => $target, key => $key, body => $body, timeout => 60,
        headers => { 'Content-Type' => $with{type} // 'application/json' });
}

# The same in chunks, each of its own size: one of so many bytes, or as the list says.
sub post_chunked {
    my ($target, @chunks) = @_;
    my $bytes = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } @chunks;
    my ($got) = replies_in(raw($nginx, "POST $target HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $key\r\n"
        . "Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${bytes}0\r\n\r\n"));
    return $got;
}

sub stored_name { return $_[0]{json}{workspace}{name} }

# ---- values: what may and what may not stand behind a colon ----

my @good = (
    # name => text
    'an empty array'                 => '[]',
    'an empty object'                => '{}',
    'white space inside'             => " [ \t\r\n ] ",
    'words'                          => '[true,false,null]',
    'a lone true'                    => 'true',
    'a lone null'                    => 'null',
    'an empty string'                => '""',
    'an empty key'                   => '{"":0}',
    'keys that differ in case'       => '{"a":1,"A":2}',
    'the same key in two objects'    => '[{"a":1},{"a":1}]',
    'the same key on two levels'     => '{"a":{"a":{"a":1}}}',
    'zero'                           => '0',
    'minus zero'                     => '-0',
    'minus zero point zero'          => '-0.0',
    'zero to a power'                => '[0e1,0e+1,0E-1]',
    'a real number'                  => '[123.456,-123.456e7,1E22,1e-2]',
    'a number close to zero'         => '-0.000000000000000000000000000000000000000000000000000000000000000000000000000001',
    'a number that rounds to zero'   => '1e-400',
    'the largest integer'            => '9223372036854775807',
    'the smallest integer'           => '-9223372036854775808',
    'a large integer as a real'      => '18446744073709551616.0',
    'the largest real'               => '1.7976931348623157e308',
    'all short escapes'              => '"\"\\\\\/\b\f\n\r\t"',
    'escapes of control characters'  => '"\u0001\u001f\u007f\u0080"',
    'an escaped pair'                => '"\ud83d\ude00"',
    'an escaped pair in capitals'    => '"\uD834\uDD1E"',
    'the last pair'                  => '"\udbff\udfff"',
    'escapes next to the surrogates' => '"\ud7ff\ue000"',
    'escapes of what is no character' => '"\ufffe\uffff\ufdd0"',
    'a backslash before u0000'       => '"\\\\u0000"',
    'DEL'                            => "\"\x7f\"",
    'two bytes'                      => "\"\xc2\x80\xdf\xbf\"",
    'three bytes'                    => "\"\xe0\xa0\x80\xef\xbf\xbf\"",
    'four bytes'                     => "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
    'line separators'                => "\"\xe2\x80\xa8\xe2\x80\xa9\"",
    'a byte order mark in a string'  => "\"\xef\xbb\xbf\"",
    'what looks like a comment'      => '"/* */ // #"',
    'an apostrophe'                  => '"\'"',
    '30 levels'                      => '[' x 30 . ']' x 30,
    'a long string'                  => '"' . 'x' x 100_000 . '"',
    'a key of 100,000 characters'    => '{"' . 'k' x 100_000 . '":1}',
    '5,000 keys'                     => '{' . join(',', map { "\"k$_\":$_" } 1 .. 5000) . '}',
    '10,000 numbers'                 => '[' . join(',', 1 .. 10_000) . ']',
);

my @bad = (
    # what is no value
    'nothing'                        => '',
    'only a comma'                   => ',',
    'True'                           => 'True',
    'TRUE'                           => 'TRUE',
    'nul'                            => 'nul',
    'truth'                          => 'truth',
    'NaN'                            => 'NaN',
    '-NaN'                           => '-NaN',
    'Infinity'                       => 'Infinity',
    '-Infinity'                      => '-Infinity',
    'undefined'                      => 'undefined',
    'a bare word'                    => 'abc',
    'single quotes'                  => "'x'",
    'backquotes'                     => '`x`',
    'a star'                         => '*',
    'a backslash'                    => '\\',
    'an escape outside a string'     => '\u0061',
    'a comment before'               => '/**/1',
    'a comment behind'               => '1/**/',
    'a line comment'                 => "1//\n",
    'a hash comment'                 => "1#\n",
    'a function call'                => 'new Date()',
    'parentheses'                    => '(1)',
    # numbers
    'a plus'                         => '+1',
    'two minuses'                    => '--1',
    'a lone minus'                   => '-',
    'a minus apart'                  => '- 1',
    'no digit before the point'      => '.5',
    'no digit behind the point'      => '5.',
    'a point and e'                  => '5.e1',
    'two points'                     => '1.2.3',
    'a leading zero'                 => '01',
    'minus and a leading zero'       => '-01',
    'two zeros'                      => '00',
    'hexadecimal'                    => '0x10',
    'octal'                          => '0o7',
    'binary'                         => '0b1',
    'e without digits'               => '1e',
    'e and a sign'                   => '1e+',
    'e twice'                        => '1e2e3',
    'a broken power'                 => '1e1.5',
    'an underscore'                  => '1_000',
    'two numbers'                    => '1 2',
    'a letter behind'                => '1a',
    'a suffix'                       => '1n',
    'full-width digits'              => "\xef\xbc\x91",
    'Arabic digits'                  => "\xd9\xa1",
    'above 64 bits'                  => '9223372036854775808',
    'below 64 bits'                  => '-9223372036854775809',
    '2 to the 64'                    => '18446744073709551616',
    'infinite by its power'          => '1e400',
    'minus infinite by its power'    => '-1e400',
    '100,000 digits'                 => '9' x 100_000,
    '0. and 100,000 digits'          => '0.' . '9' x 100_000,
    'a power of 100,000 digits'      => '1e' . '9' x 100_000,
    # strings
    'no closing quote'               => '"x',
    'an apostrophe closes'           => '"x\'',
    'an escape that is none'         => '"\a"',
    'an escaped apostrophe'          => '"\\\'"',
    'a hexadecimal escape'           => '"\x41"',
    'an octal escape'                => '"\101"',
    'an escape in braces'            => '"\u{41}"',
    'three hexadecimal digits'       => '"\u041"',
    'a letter among them'            => '"\u00g1"',
    'a capital U'                    => '"\U0041"',
    'a backslash at the end'         => '"\\"',
    'an escaped line end'            => "\"\\\n\"",
    'an escaped NUL'                 => '"\u0000"',
    'an escaped NUL in the middle'   => '"a\u0000b"',
    'a high half alone'              => '"\ud800"',
    'a high half and a letter'       => '"\ud83d\u0041"',
    'a high half and text'           => '"\ud83dx"',
    'two high halves'                => '"\ud83d\ud83d"',
    'a low half alone'               => '"\ude00"',
    'a pair the wrong way round'     => '"\ude00\ud83d"',
    'half an escape behind a half'   => '"\ud83d\u"',
    (map { (sprintf('the raw byte %02x', $_) => '"' . chr($_) . '"') } 0 .. 0x1f),
    'a line end in a string'         => "\"a\nb\"",
    # UTF-8
    'the byte ff'                    => "\"\xff\"",
    'the byte fe'                    => "\"\xfe\"",
    'a continuation alone'           => "\"\x80\"",
    'Latin-1'                        => "\"\xe9\"",
    'two bytes, one there'           => "\"\xc3\"",
    'three bytes, two there'         => "\"\xe2\x82\"",
    'four bytes, three there'        => "\"\xf0\x9f\x98\"",
    'an overlong NUL'                => "\"\xc0\x80\"",
    'an overlong slash'              => "\"\xc0\xaf\"",
    'an overlong slash in three'     => "\"\xe0\x80\xaf\"",
    'overlong in four'               => "\"\xf0\x82\x82\xac\"",
    'a surrogate in UTF-8'           => "\"\xed\xa0\x80\"",
    'a pair in CESU-8'               => "\"\xed\xa0\xbd\xed\xb8\x80\"",
    'above U+10FFFF'                 => "\"\xf4\x90\x80\x80\"",
    'five bytes'                     => "\"\xf8\x88\x80\x80\x80\"",
    'bad UTF-8 in a key'             => "{\"\xff\":1}",
    'bad UTF-8 outside a string'     => "\xff",
    'a no-break space'               => "\xc2\xa0" . '1',
    'a byte order mark'              => "\xef\xbb\xbf" . '1',
    'a vertical tab'                 => "\x0b" . '1',
    'a form feed'                    => "\x0c" . '1',
    'a NUL'                          => "\0",
    'a NUL behind'                   => "1\0",
    # arrays and objects
    'no closing bracket'             => '[1',
    'a comma and no more'            => '[1,',
    'a comma at the end'             => '[1,]',
    'a comma at the start'           => '[,1]',
    'two commas'                     => '[1,,2]',
    'no comma'                       => '[1 2]',
    'a colon in an array'            => '[1:2]',
    'a bracket too many'             => '[1]]',
    'closed by the other'            => '[1}',
    'the other way round'            => '{"a":1]',
    'a semicolon'                    => '[1;2]',
    'a key without quotes'           => '{a:1}',
    'a key in single quotes'         => "{'a':1}",
    'a key that is a number'         => '{1:1}',
    'a key that is null'             => '{null:1}',
    'a key that is an array'         => '{[]:1}',
    'a key and no more'              => '{"a"}',
    'a key and a colon'              => '{"a":}',
    'no key'                         => '{:1}',
    'two colons'                     => '{"a"::1}',
    'a comma for the colon'          => '{"a",1}',
    'an equals sign for the colon'   => '{"a"=1}',
    'a comma behind the last'        => '{"a":1,}',
    'two commas between'             => '{"a":1,,"b":2}',
    'a comma in front'               => '{,"a":1}',
    'no comma between'               => '{"a":1 "b":2}',
    'a value without a key'          => '{"a":1,2}',
    'a NUL in a key'                 => "{\"a\0b\":1}",
    'an escaped NUL in a key'        => '{"a\u0000b":1}',
    'a key twice'                    => '{"a":1,"a":2}',
    'a key twice, equal'             => '{"a":1,"a":1}',
    'a key twice, once escaped'      => '{"a":1,"\u0061":2}',
    'a key twice, once by a pair'    => "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
    'the empty key twice'            => '{"":1,"":2}',
    'a key twice, far apart'         => '{"a":1,' . join(',', map { "\"k$_\":1" } 1 .. 3000) . ',"a":2}',
    'a key twice, deep inside'       => '[' x 20 . '{"a":1,"a":2}' . ']' x 20,
    'a key of 1 MiB twice'           => '{"' . 'k' x $MiB . '":1,"' . 'k' x $MiB . '":2}',
    '32 levels'                      => '[' x 32 . ']' x 32,
    '32 levels of objects'           => '{"a":' x 32 . '1' . '}' x 32,
    '100,000 levels'                 => '[' x 100_000 . ']' x 100_000,
    '100,000 levels of objects'      => '{"a":' x 100_000 . '1' . '}' x 100_000,
    '100,000 levels, never closed'   => '[' x 100_000,
    '10,001 keys'                    => '{' . join(',', map { "\"k$_\":1" } 1 .. 10_001) . '}',
);

# ---- whole bodies: sent just as they are ----

my @bad_bodies = (
    # name => body, the statuses besides 400 that would do
    'an open brace'                  => '{',
    'never closed'                   => '{"name":"x"',
    'cut in a key'                   => '{"na',
    'cut in an escape'               => '{"name":"\u00',
    'a bracket behind'               => '{"name":"x"}}',
    'a second object'                => '{"name":"x"} {"name":"y"}',
    'a second object on a line'      => "{\"name\":\"x\"}\n{\"name\":\"y\"}",
    'a comma behind'                 => '{"name":"x"},',
    'a NUL and a second object'      => "{\"name\":\"x\"}\0{\"name\":\"evil\"}",
    'a NUL behind'                   => "{\"name\":\"x\"}\0",
    'a NUL before'                   => "\0{\"name\":\"x\"}",
    'NULs only'                      => "\0" x 100,
    'half a byte order mark'         => "\xef\xbb{\"name\":\"x\"}",
    'two byte order marks'           => "\xef\xbb\xbf\xef\xbb\xbf{\"name\":\"x\"}",
    'UTF-16, little end first'       => join('', map { "$_\0" } split //, '{"name":"x"}'),
    'UTF-16, big end first'          => join('', map { "\0$_" } split //, '{"name":"x"}'),
    'UTF-16 with its mark'           => "\xff\xfe" . join('', map { "$_\0" } split //, '{"name":"x"}'),
    'UTF-32'                         => join('', map { "$_\0\0\0" } split //, '{"name":"x"}'),
    'a word'                         => 'name',
    'a form'                         => 'name=x&openAiTemp=1',
    'XML'                            => '<name>x</name>',
    'YAML'                           => "name: x\n",
    'a prefix against scripts'       => ")]}',\n{\"name\":\"x\"}",
    'a call'                         => 'callback({"name":"x"})',
    'gzip'                           => "\x1f\x8b\x08\0\0\0\0\0\0\3\xabVPJ\xcaO\xa9\x54\xb2\x52P*(-*\xce\xcc\xcfS\xaa\5\0",
);

# No object, but JSON: refused for that, not for its syntax.
my @no_objects = (
    'a string'     => '"name"', 'null'      => 'null',   'true'           => 'true',          'a number'      => '123',
    'a real'       => '-1.5e3', 'an array'  => '[]',     'a full array'   => '[{"name":"x"}]', 'an empty text' => '""',
    'spaces first' => "\n\t 5", 'spaces in front of an array' => '  [1]',
);

# ---- fields: wrong types are named, the rest is made to fit ----

my @wrong_types = map { my ($field, @wrong) = @$_; map { [$field, $_] } @wrong } (
    ['name',                 qw(5 1.5 true [] {} ["x"] {"a":1})],
    ['openAiTemp',           qw(true false [] {} [0.5] {"a":1})],
    ['openAiHistory',        qw("4" "" true [4] {})],
    ['openAiPrompt',         qw(5 true [] {})],
    ['similarityThreshold',  qw("0.5" "high" true [] {})],
    ['chatProvider',         qw(5 true [] {})],
    ['chatModel',            qw(5 true [] {})],
    ['topN',                 qw("4" true [4] {})],
    ['chatMode',             qw(5 true [] {})],
    ['agentProvider',        qw(5 true [] {})],
    ['agentModel',           qw(5 true [] {})],
    ['queryRefusalResponse', qw(5 true [] {})],
    ['vectorSearchMode',     qw(5 true [] {})],
    ['lastUpdatedAt',        qw(5 true [] {})],
    ['router_id',            qw(true [] {} 1.5)],
);

my @coerced = (
    # field, value sent, value read back
    ['name',                 'null', 'My Workspace'],
    ['name',                 '""', 'My Workspace'],
    ['openAiTemp',           'null', undef],
    ['openAiTemp',           '-1', undef],
    ['openAiTemp',           '-0.0', 0],
    ['openAiTemp',           '"0.5"', 0.5],
    ['openAiTemp',           '"abc"', undef],
    ['openAiTemp',           '"12abc"', undef],
    ['openAiTemp',           '""', undef],
    ['openAiTemp',           '"NaN"', undef],
    ['openAiTemp',           '"Infinity"', undef],
    ['openAiTemp',           '"1e999"', undef],
    ['openAiTemp',           '1e-400', 0],
    ['openAiTemp',           '1e308', 1e308],
    ['openAiHistory',        'null', 20],
    ['openAiHistory',        '-5', 0],
    ['openAiHistory',        '2.9', 2],
    ['openAiHistory',        '9223372036854775807', 1_000_000],
    ['openAiHistory',        '1e300', 1_000_000],
    ['openAiHistory',        '-1e300', 0],
    ['similarityThreshold',  'null', 0.25],
    ['similarityThreshold',  '-1', 0],
    ['similarityThreshold',  '5', 1],
    ['topN',                 'null', 4],
    ['topN',                 '0', 1],
    ['topN',                 '-9223372036854775808', 1],
    ['topN',                 '1e308', 1_000_000],
    ['chatMode',             'null', 'automatic'],
    ['chatMode',             '"QUERY"', 'automatic'],
    ['chatMode',             '"query"', 'query'],
    ['vectorSearchMode',     '"best"', 'default'],
    ['openAiPrompt',         'null', undef],
    ['openAiPrompt',         '""', undef],
    ['chatProvider',         '"none"', undef],
    ['agentProvider',        '"none"', undef],
    ['router_id',            '"x"', undef],
    ['router_id',            'null', undef],
    ['lastUpdatedAt',        '"2001-02-03T04:05:06Z"', '2001-02-03T04:05:06.000Z'],
);

# ---- the tests ----

subtest 'good values' => sub {
    while (my ($name, $value) = splice @good, 0, 2) {
        my $got = post($update, "{\"unused\":$value}");
        check_reply("$name, in a field that is not read", $got, 200, like => qr/"message":"No valid fields to update!"/);
        $got = post($new, $value);
        check_reply("$name, as the body", $got, '400/422');
        unlike $got->{body}, qr/not valid JSON/, '… is not called wrong';
    }
    $house->calm('good values');
};

subtest 'bad values' => sub {
    unchanged $db, 'bad values' => sub {
        while (my ($name, $value) = splice @bad, 0, 2) {
            check_reply("$name: new",    post($new, "{\"name\":\"x\",\"unused\":$value}"), 400, like => qr/not valid JSON/);
            check_reply("$name: update", post($update, "{\"name\":\"x\",\"unused\":$value}"), 400, like => qr/not valid JSON/);
            check_reply("$name: chat",   post($chat, "{\"unused\":$value,\"message\":\"x\"}"), 400,
                like => qr/"type":"abort".*not valid JSON/);
            check_reply("$name: completions", post($completions, "{\"unused\":$value,\"model\":\"hall\"}"), 400,
                like => qr/"code":"json_\w+".*not valid JSON/);
        }
    };
    $house->calm('bad values');
};

subtest 'bad bodies' => sub {
    unchanged $db, 'bad bodies' => sub {
        while (my ($name, $body) = splice @bad_bodies, 0, 2) {
            check_reply("$name: $_->[0]", post($_->[1], $body), 400) for [new => $new], [update => $update], [chat => $chat],
            [completions => $completions];
            check_reply("$name: raw-text", post('/v1/document/raw-text', $body), 400, like => qr/"success":false/);
            check_reply("$name, in chunks of one byte", post_chunked($new, split //, $body), 400);
        }
    };
    $house->calm('bad bodies');
};

subtest 'no object' => sub {
    unchanged $db, 'no object' => sub {
        while (my ($name, $body) = splice @no_objects, 0, 2) {
            for my $target ($new, $update, $chat, $completions) {
                my $got = post($target, $body);
                check_reply("$name: $target", $got, 400);
                unlike $got->{body}, qr/not valid JSON/, '… is not called wrong';
            }
        }
        check_reply('no body at all is {}', post($new, ''), 400, like => qr/name cannot be null/);
        check_reply('spaces are {}', post($update, " \n\t "), 200, like => qr/No valid fields/);
    };
};

subtest 'the type that is said' => sub {
    my $n = 0;
    for (
        # type, status for an object, status for a form
        ['application/json',                         200, 400],
        ['application/json; charset=utf-8',          200, 400],
        ['application/json;charset="UTF-8"',         200, 400],
        ['APPLICATION/JSON',                         200, 400],
        ['application/merge-patch+json',             200, 400],
        ['text/plain',                               200, 400],
        ['text/plain; charset=utf-8',                200, 400],
        ['application/octet-stream',                 200, 415],
        ['application/x-www-form-urlencoded',        200, 415],
        ['image/png',                                200, 415],
        ['nonsense',                                 200, 415],
        ['application/json; charset=utf-16',         415, '400/415'],
        ['application/json; charset=utf-32',         415, '400/415'],
        ['application/json; charset=iso-8859-1',     200, 400],
        ['text/plain; charset=latin1',               200, 400],
        ['text/plain;charset=windows-1252',          200, 400],
        ['application/json; charset=utf-7',          415, '400/415'],
        ['application/json; charset=iso-2022-jp',    415, '400/415'],
        ['multipart/form-data; boundary=x',          415, 415],
        ['multipart/form-data',                      415, 415],
        ['x' x 4000,                                 200, 415],
    ) {
        my ($type, $object, $form) = @$_;
        my $label = length $type > 60 ? 'a very long type' : $type;
        check_reply("$label: an object", post($new, "{\"name\":\"type $n\"}", type => $type), $object);
        check_reply("$label: a form", post($new, 'name=type', type => $type), $form);
        $n++;
    }
    my $named = sub { post($update, '{"name":"' . $_[0] . '"}', type => $_[1])->{json}{workspace}{name} };
    is $named->("caf\xe9", 'text/plain;charset=ISO-8859-1'), 'café', 'Latin-1 that is said to be';
    is $named->("caf\xc3\xa9", 'text/plain;charset=ISO-8859-1'), 'café', 'UTF-8 that is said to be Latin-1';
    check_reply('Latin-9 is another', post($update, "{\"name\":\"\xa4\"}", type => 'application/json; charset=ISO-8859-15'), 400);
    check_reply('Latin-1 that is not said to be', post($update, "{\"name\":\"caf\xe9\"}", type => 'application/json'), 400);
    post($update, '{"name":"Hall"}');
    $house->calm('types');
};

subtest 'types of fields' => sub {
    unchanged $db, 'wrong types' => sub {
        for (@wrong_types) {
            my ($field, $value) = @$_;
            check_reply("$field: $value", post($update, "{\"$field\":$value}"), 422, like => qr/\Q$field\E must be/);
            # a name has words of its own when it is not there
            check_reply("$field: $value, of a new workspace", post($new, $field eq 'name' ? "{\"name\":$value}"
                : "{\"name\":\"x\",\"$field\":$value}"),
                422, like => qr/"workspace":null.*\Q$field\E must be/);
        }
    };
    for (@coerced) {
        my ($field, $value, $expected) = @$_;
        my $got = post($update, "{\"$field\":$value}");
        check_reply("$field: $value is taken", $got, 200);
        is $got->{json}{workspace}{$field}, $expected, '… as ' . ($expected // 'null');
    }
    check_reply('as it was', post($update, '{"name":"Hall"}'), 200);
};

subtest 'types of a question' => sub {
    unchanged $db, 'questions that are none' => sub {
        check_reply("message: $_", post($chat, "{\"message\":$_}"), 400, like => qr/Message is empty/)
            for 'null', '""', '5', 'true', '[]', '["x"]', '{}', '{"length":1}';
        check_reply('no message', post($chat, '{}'), 400, like => qr/Message is empty/);
        check_reply("mode: $_", post($chat, "{\"message\":\"x\",\"mode\":$_}"), 400, like => qr/not a valid mode/)
            for '""', '"Chat"', '"agent"', '"query "';
        check_reply("mode: $_", post($chat, "{\"message\":\"x\",\"mode\":$_}"), 422, like => qr/mode must be/) for qw(5 true [] {});
        check_reply("sessionId: $_", post($chat, "{\"message\":\"x\",\"sessionId\":$_}"), 422, like => qr/sessionId/)
            for 'true', '[]', '{}', '["x"]', '{"not":"a"}', '"' . 'x' x 10_000 . '"';
        check_reply("reset: $_", post($chat, "{\"message\":\"x\",\"reset\":$_}"), 422, like => qr/reset must be/)
            for '"false"', '"true"', '0', '1', '""', '[]', '{}';
        check_reply("attachments: $_", post($chat, "{\"message\":\"x\",\"attachments\":$_}"), 422, like => qr/must be|attachment/)
            for '5', '"x"', '{}', 'true', '[5]', '["x"]', '[null]', '[[]]', '[{}]', '[{"contentString":5}]',
                '[{"contentString":""}]',
                '[{"mime":5,"contentString":"x"}]', '[{"name":[],"contentString":"x"}]';
        check_reply('33 attachments', post($chat, '{"message":"x","attachments":['
            . join(',', ('{"contentString":"x"}') x 33) . ']}'),
            400, like => qr/attachments/);
    };
    # Nothing of this is an attachment's, a mode's or a session's business.
    check_reply("sessionId: $_", post($chat, "{\"message\":\"x\",\"sessionId\":$_}"), 200) for 'null', '""', '7', '"7"';
};

subtest 'types of lists' => sub {
    unchanged $db, 'lists that are none' => sub {
        for my $field (qw(adds deletes)) {
            check_reply("$field: $_", post("/v1/workspace/$slug/update-embeddings",
                "{\"$field\":$_}"), 422, like => qr/$field must be/)
                for '5', '"x"', '{}', 'true', '[5]', '[null]', '["x",["y"]]', '[{}]';
        }
        check_reply("metadata: $_", post('/v1/document/raw-text',
            "{\"textContent\":\"x\",\"metadata\":$_}"), 422, like => qr/"success":false/)
            for '5', 'true', '[]', 'null', '{}', '""', '"x"', '"[]"', '"{"', '"{\"title\":\"a\",\"title\":\"b\"}"',
                '"{\"title\":5}"',
                '{"title":5}', '{"title":[]}', '{"title":null}', '{"title":""}', '"' . '[' x 100_000 . '"',
                '{"title":"x","url":5}', '{"title":"x","docAuthor":[]}', '{"title":"x","description":{}}',
                    '{"title":"x","docSource":true}',
                '{"title":"x","chunkSource":1.5}', '{"title":"x","published":"now"}', '{"title":"x","published":true}';
        check_reply("textContent: $_", post('/v1/document/raw-text', "{\"textContent\":$_,\"metadata\":{\"title\":\"x\"}}"), 422,
            like => qr/textContent/) for '5', 'true', '[]', '{}', 'null', '""';
        check_reply("addToWorkspaces: $_", post('/v1/document/raw-text',
            "{\"textContent\":\"x\",\"metadata\":{\"title\":\"x\"},\"addToWorkspaces\":$_}"), 422, like => qr/addToWorkspaces/)
            for '5', 'true', '[]', '["x"]', '{}', '1.5';
    };
    for my $published ('-1', '1e300', '-1e300', '253402300800000', '9223372036854775807', 'null') {
        my $got = post('/v1/document/raw-text', "{\"textContent\":\"x\",\"metadata\":{\"title\":\"x\",\"published\":$published}}");
        check_reply("published: $published", $got, 200);
        like $got->{json}{documents}[0]{published}, qr{^\d+/\d+/20\d\d, \d+:\d\d:\d\d [AP]M$}, '… is now';
    }
    $house->calm('fields');
};

subtest 'what is stored is what was sent' => sub {
    for (
        # name, as it stands in the body, as it comes back
        ['all planes',          "\"\xc3\xa9 \xcf\x80 \xe6\xbc\xa2 \xf0\x9f\x98\x80\"",
            "\xc3\xa9 \xcf\x80 \xe6\xbc\xa2 \xf0\x9f\x98\x80"],
        ['an escaped pair',     '"\ud83d\ude00"', "\xf0\x9f\x98\x80"],
        ['a pair of plane 2',   '"\ud840\udc0b"', "\xf0\xa0\x80\x8b"],
        ['a pair of plane 1d',  '"\ud835\udfff"', "\xf0\x9d\x9f\xbf"],
        ['a pair at the end',   '"x\udbff\udfff"', "x\xf4\x8f\xbf\xbf"],
        ['short escapes',       '"a\"\\\\\/\b\f\n\r\tz"', "a\"\\/\b\f\n\r\tz"],
        ['control characters',  '"a\u0001\u001f\u007fz"', "a\x01\x1f\x7fz"],
        ['no characters',       '"a\ufffe\uffffz"', "a\xef\xbf\xbe\xef\xbf\xbfz"],
        ['line separators',     "\"\xe2\x80\xa8\"", "\xe2\x80\xa8"],
        ['a byte order mark',   "\"\xef\xbb\xbfx\"", "\xef\xbb\xbfx"],
        ['a letter, decomposed', "\"e\xcc\x81\"", "e\xcc\x81"],
    ) {
        my ($name, $sent, $stored) = @$_;
        my $body = "{\"name\":$sent}";
        for ([whole => post($new, $body)], ['in chunks of one byte' => post_chunked($new, split //, $body)]) {
            my ($how, $got) = @$_;
            check_reply("$name, $how", $got, 200);
            my $back = stored_name($got);
            utf8::encode($back);
            is $back, $stored, '… comes back';
            is psql($db, "SELECT encode(convert_to(name, 'UTF8'),
                'hex') FROM exedra.workspace WHERE id = $got->{json}{workspace}{id}"),
                unpack('H*', $stored), '… and stands in the database';
        }
    }
    is stored_name(post($new, "\xef\xbb\xbf{\"name\":\"x\"}")), 'x', 'a byte order mark before it all is passed over';
    my @all = map { my $c = $_; utf8::encode($c); $c } map { chr } 0xe9, 0x3c0, 0x6f22, 0x1f600;
    my $body = '{"name":"' . join(' ', @all) . '"}';
    check_reply("chunks that end at byte $_", post_chunked($new, unpack "(a$_)*", $body), 200,
        like => qr/"name":"\Q@all\E"/) for 2 .. 12;
    my $long = "\xf0\x9f\x98\x80" x 300;
    check_reply('a name of 300 characters is cut at a character', post($new, "{\"name\":\"$long\"}"), 200,
        like => qr/"name":"(?:\xf0\x9f\x98\x80){255}"/);
};

subtest 'fields that are nobody\'s' => sub {
    my $got = post($new, '{"name":"Own","__proto__":{"role":"admin"},"constructor":1,"id":777777,"slug":"evil","tenant_id":99,'
        . '"createdAt":"1999-01-01T00:00:00Z","vectorTag":"evil","pfpFilename":"../evil","role":"x","account_id":1,"documents":[{"id":1}]}');
    check_reply('are ignored', $got, 200);
    my $made = $got->{json}{workspace};
    is $made->{slug}, 'own', 'the slug is made here';
    isnt $made->{id}, 777777, 'and the id';
    unlike $got->{body}, qr/evil|__proto__|constructor|1999/, 'nothing comes back';
    is psql($db, "SELECT t.name FROM exedra.tenant t JOIN exedra.workspace w ON w.tenant_id = t.id WHERE w.id = $made->{id}"),
        'acme',
        'the tenant is the key\'s';
    $got = post("/v1/workspace/own/update", '{"id":1,"slug":"evil","tenant_id":2,"createdAt":"1999-01-01T00:00:00Z","vectorTag":"evil"}');
    check_reply('nor does an update take them', $got, 200, like => qr/No valid fields/);
    is_deeply http($nginx, GET => '/v1/workspace/own', key => $key)->{json}{workspace}[0]{slug}, 'own', 'the slug stays';
};

# ---- what it costs ----

subtest 'costs' => sub {
    my $pairs = sub { my ($one, $other, $n) = @_; map { my $bits = $_; join '', map { $bits >> $_ & 1 ? $one
        : $other } 0 .. 16 } 0 .. $n - 1 };
    for (
        # name, body, statuses, processor seconds
        ['100,000 levels of objects',         '{"a":' x 100_000 . '1' . '}' x 100_000,                            400, 0.1],
        ['8 million brackets',                '[' x (8 * $MiB - 10),                                              400, 0.1],
        ['100,000 digits',                    '{"openAiHistory":' . '9' x 100_000 . '}',                          400, 0.1],
        ['7 million digits',                  '{"openAiTemp":0.' . '9' x (7 * $MiB) . '}',                        400, 0.2],
        ['7 MiB of spaces, then {}',          ' ' x (7 * $MiB) . '{}',                                            400, 0.2],
        ['7 MiB of spaces inside',            '{' . "\n" x (7 * $MiB) . '}',                                      400, 0.2],
        ['10,001 keys',                       '{"x":{' . join(',', map { "\"$_\":1" } 1 .. 10_001) . '}}',       '400/413', 1],
        ['100,000 keys that collide (x 31)',  '{' . join(',', map { "\"$_\":1" } $pairs->('Aa', 'BB', 100_000)) . '}',
            '400/413', 1],
        ['100,000 keys that collide (x 33)',  '{' . join(',', map { "\"$_\":1" } $pairs->('Ab', 'BA', 100_000)) . '}',
            '400/413', 1],
        ['9,000 keys that collide',           '{' . join(',', map { "\"$_\":1" } $pairs->('Ab', 'BA', 9000)) . '}',    400, 0.5],
        ['9,000 long keys with one beginning', '{' . join(',', map { '"' . 'k' x 800 . "$_\":1" } 1 .. 9000) . '}',     400, 0.5],
        ['a string of 7 MiB of escapes',      '{"x":"' . '\n' x (7 * $MiB / 2) . '"}',                            400, 0.3],
        ['7 MiB of escaped pairs',            '{"x":"' . '\ud83d\ude00' x (7 * $MiB / 12) . '"}',                 400, 0.3],
        ['a million empty objects',           '{"x":[' . join(',', ('{}') x 1_000_000) . ']}',                    400, 0.3],
        ['two million numbers',               '{"x":[' . join(',', (1) x 2_000_000) . ']}',                       400, 0.5],
        ['999,000 numbers',                   '{"x":[' . join(',', (1) x 999_000) . ']}',                         400, 1],
        ['a number 8 MiB long, as a string',  '{"openAiTemp":"' . '9' x (7 * $MiB) . '","name":5}',              '400/422', 0.3],
    ) {
        my ($name, $body, $status, $seconds) = @$_;
        check_reply($name, $house->within_cpu($seconds, $name, sub { post($new, $body) }), $status);
    }
    $house->calm('costly bodies');
};

subtest 'memory' => sub {
    my @workers = $exedra->worker_pids;
    my $before = $exedra->pss_total_kb;
    peak_kb(@workers);
    my $large = '{"name":"' . 'x' x (100 * $MiB) . '"}';
    check_reply('a string of 100 MiB, announced', post($new, $large), '413');
    my ($got) = replies_in(raw($nginx, "POST $new HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $key\r\nConnection: close\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n", length $large) . $large . "\r\n0\r\n\r\n", 30));
    check_reply('in one chunk', $got, '413');
    my $auth = { Authorization => "Bearer $key" };
    for (['with a length', length $large], ['without a length', undef], ['with a smaller one', 100]) {
        my ($name, $length) = @$_;
        $got = ask_fcgi($exedra, POST => $new, headers => $auth, params => { CONTENT_LENGTH => $length }, stdin => $large);
        check_reply("past nginx, $name", $got, $length && $length == 100 ? 400 : 413);
    }
    undef $large;
    my $grown = $exedra->pss_total_kb - $before;
    cmp_ok $grown, '<', allow_for(16 * 1024), "the workers have grown by $grown kB";
    # small pieces, in every arena of every worker
    my $numbers = '{"x":[' . join(',', (1) x 999_000) . ']}';
    check_reply("a body of 999,000 numbers, $_", http($exedra, POST => $update, key => $key, body => $numbers), 200) for 1 .. 5;
    # it is given back once the answer has been sent
    eval { wait_for { ($grown = $exedra->pss_total_kb - $before) < allow_for(16 * 1024) } 5, 'memory' };
    cmp_ok $grown, '<', allow_for(16 * 1024), "the workers have grown by $grown kB, " . peak_kb(@workers) . ' kB at most';
    $house->calm('large bodies');
};

$house->close;
done_testing;
