# Sound and film: a service that has OpenAI's audio/transcriptions listens to it, and what was said becomes a document like any other.
# Both ways in, the Developer API and Open WebUI's files; who transcribes for whom; a service that fails in every way leaves nothing behind
# but the reason.
use lib 't/lib';
use Digest::MD5 qw(md5_hex);
use Exedra::Test;
use Exedra::Contract;
use Exedra::Form ();
use Exedra::Hostile qw(asan);
use Exedra::OpenWebUI;
use Exedra::Provider;

my $db = database();
my $provider = start_provider();
my $timeout = asan() ? 15 : 4;
my %settings = (reading(), 'transcribe.url' => $provider->{url}, 'transcribe.key' => $KEY, 'transcribe.model' => 'good',
    'transcribe.limit' => 2, 'transcribe.timeout' => $timeout, 'outbound.allow' => '127.0.0.0/8', 'secret.file' => tmp_dir() . '/secret.key', drain => 10);
my $exedra = start_exedra(db => $db, settings => \%settings);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $n = 0;

# A recording of so many bytes and more, in which this is said.
sub wav { my ($said, $bytes) = @_; return 'RIFF' . pack('V', 36) . 'WAVEfmt ' . pack('VvvVVvv', 16, 1, 1, 8000, 16000, 2, 16) . "data\0\0\0\0[$said]" . "\1\0" x (($bytes // 100) / 2) }

# Words that were never said before.
sub words { return "Whale song number @{[ ++$n ]}." }
sub model { return exedractl($db, qw(setting set acme transcription_model), $_[0]) }
sub sent { my ($name, $bytes, %with) = @_; return Exedra::Form::upload($exedra, $key, $name, $bytes, target => '/api/v1/document/upload', %with) }
sub files { return psql($db, 'SELECT (SELECT count(*) FROM exedra.file), (SELECT count(*) FROM exedra.document), (SELECT count(*) FROM exedra.document_version)') }

subtest 'a recording' => sub {
    my $words = words();
    my $bytes = wav($words, 100_000);
    my $slug = workspace($exedra, $key, 'Songs')->{slug};
    my $got = sent('song.WAV', $bytes, type => 'audio/wav', fields => { addToWorkspaces => $slug });
    is $got->{status}, 200, 'is taken' or diag $got->{body};
    my $document = Exedra::Form::document_of($got);
    shape_is $document, $shape{stored_document}, 'and becomes a document';
    is_deeply [@$document{qw(title docAuthor description docSource pageContent)}], ['song.WAV', 'no author found', 'No description found.', 'audio file uploaded by the user.', $words],
        'of what was said';
    my $asked = $provider->last_request("hear $words");
    is_deeply [@$asked{qw(method target)}, $asked->{headers}{authorization}], [POST => '/v1/audio/transcriptions', "Bearer $KEY"], 'asked in OpenAI\'s way';
    is_deeply $asked->{json}, { model => 'good', response_format => 'json', file => { filename => 'file.wav', type => 'audio/wav', size => length $bytes, md5 => md5_hex($bytes) } },
        'for the whole file, by what it is';
    ok !exists $asked->{headers}{expect}, 'without waiting to be let';
    is psql($db, 'SELECT provider, model, prompt_tokens, completion_tokens, estimated FROM exedra.usage ORDER BY id DESC LIMIT 1'), join("\t", 'generic-openai', 'good', 0, int((length($words) + 3) / 4), 't'),
        'it is charged';
    is scalar(@{ http($exedra, POST => "/v1/workspace/$slug/vector-search", key => $key, json => { query => 'whale song' })->{json}{results} }), 1, 'and found';
    sent('song.WAV', $bytes, type => 'audio/wav');
    is $provider->asked("hear $words"), 1, 'the same again is not heard again';
};

# Whatever it is called and said to be.
subtest 'kinds' => sub {
    my %kind = ('by-content.txt' => [wav(words()), 'file.wav', 'audio/wav'], 'a.mp3' => ["ID3\3\0\0\0\0\0\0" . "\xff\xfb\x90\x44" . '[' . words() . ']' . "\0" x 500, 'file.mp3', 'audio/mpeg'],
        'b.ogg' => ["OggS\0\2" . "\0" x 20 . "\1\x1e\1vorbis[" . words() . ']' . "\0" x 100, 'file.ogg', 'audio/ogg'],
        'c.flac' => ["fLaC\0\0\0\x22\x10\0\x10\0" . "\0" x 30 . '[' . words() . ']', 'file.flac', 'audio/flac'],
        'd.mp4' => ["\0\0\0\x18ftypisom\0\0\2\0isomiso2[" . words() . ']' . "\0" x 50, 'file.mp4', 'video/mp4'],
        'e.webm' => ["\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\xf2\x81\4\x42\xf3\x81\x08\x42\x82\x84webm\x42\x87\x81\2\x42\x85\x81\2[" . words() . ']' . "\0" x 50, 'file.webm', qr{^(?:video|audio)/webm$}]);
    for my $name (sort keys %kind) {
        my ($bytes, $filename, $type) = @{ $kind{$name} };
        my ($words) = $bytes =~ /\[(.*?)\]/;
        my $got = sent($name, $bytes);
        is $got->{status}, 200, $name or diag $got->{body};
        my $file = ($provider->last_request("hear $words") // {})->{json}{file};
        is $file->{filename}, $filename, 'its ending is that of its content';
        like $file->{type}, ref $type ? $type : qr/^\Q$type\E$/, 'and so is its type';
    }
    my $types = http($exedra, GET => '/v1/document/accepted-file-types', key => $key)->{json}{types};
    is_deeply [@$types{'audio/mpeg', 'audio/wav', 'video/mp4'}], [['.mp3', '.mpga'], ['.wav'], ['.mp4', '.m4v', '.mov']], 'they are among what is accepted';
};

# Each: status and code of an upload, how often it is asked, and what the reason says; 2 where another try may help.
my %fault = (
    'status:400' => [422, 'service_refused', 1, qr/refused it with status 400/], 'status:401' => [502, 'service_error', 1], 'status:404' => [502, 'service_model', 1], 'status:413' => [422, 'service_refused', 1],
    'status:429' => [429, 'service_busy', 2], 'status:500' => [502, 'service_error', 2, qr/answered with status 500/], 'status:503' => [503, 'service_unavailable', 2],
    'later:503 100' => [503, 'service_unavailable', 1], 'later:429 9' => [429, 'service_busy', 1],
    'never' => [504, 'service_timeout', 1, qr/did not answer in time/], 'late:60' => [504, 'service_timeout', 1], 'reset' => [502, 'service_cut', 2], 'cut' => [502, 'service_cut', 1],
    'empty' => [422, 'file_no_text', 1], 'blank' => [422, 'file_no_text', 1],
    map { $_ => [502, 'service_invalid', 1] } qw(html nothing array json-broken error-200 endless number no-text),
);

subtest 'what a service does wrong' => sub {
    my $before = files();
    for my $model (sort keys %fault) {
        my ($status, $code, $asked, $reason) = @{ $fault{$model} };
        my $words = words();
        model($model);
        my $got = sent('fault.wav', wav($words));
        is_deeply [$got->{status}, $got->{json}{success}], [$status, $status == 429 || $status == 503 ? undef : JSON::PP::false()], "$model: $status";
        like $got->{json}{error}, $reason // qr/./, 'with the reason';
        unlike $got->{body}, qr/\Q$WORDS\E|\Q$KEY\E|\Q$provider->{address}\E/, 'in our words';
        my ($told) = $exedra->log_text =~ /event=request id=\Q$got->{headers}{'x-request-id'}\E .*?code=(\w+)/;
        is $told, $code, 'the log has its code';
        $asked == 1 ? is $provider->asked("hear $words"), 1, 'asked once' : cmp_ok $provider->asked("hear $words"), '>=', 2, 'asked again';
        is $got->{headers}{'retry-after'}, $model =~ /^later:\d+ (\d+)/ ? $1 : 1, 'when to come again' if $status == 429 || $status == 503;
    }
    is files(), $before, 'nothing of all that is there';
    model($_), is sent('flaky.wav', wav(my $words = words()))->{status}, 200, "$_: at the second try" for 'flaky:500,1', 'flaky:reset,1';
    model('bad-utf8');
    is Exedra::Form::document_of(sent('odd.wav', wav(words())))->{pageContent}, "a\x{fffd}b", 'what is no text is made one';
    model('counted');
    sent('counted.wav', wav(words()));
    is psql($db, 'SELECT prompt_tokens, completion_tokens, estimated FROM exedra.usage ORDER BY id DESC LIMIT 1'), "14\t45\tf", 'tokens, where it counts them';
    model('seconds');
    is sent('seconds.wav', wav(words()))->{status}, 200, 'it may count something else';
    exedractl($db, qw(setting unset acme transcription_model));
};

subtest 'large ones' => sub {
    my $words = words();
    my $got = sent('large.wav', wav($words, (2 << 20) - 200));
    is_deeply [$got->{status}, $provider->last_request("hear $words")->{json}{file}{size}], [200, length wav($words, (2 << 20) - 200)], 'one as large as may be';
    $got = sent('larger.wav', wav($words = words(), 2 << 20));
    is $got->{status}, 413, 'one that is larger is refused';
    like $got->{json}{error}, qr/larger than 2 MiB/, 'with the limit';
    is $provider->asked("hear $words"), 0, 'and nobody is asked';
};

# The memory of a worker does not grow with what it sends.
subtest 'memory' => sub {
    plan skip_all => 'a sanitizer keeps memory' if asan();
    my $one = start_exedra(db => $db, settings => { %settings, processes => 1, 'transcribe.limit' => 64, 'transcribe.timeout' => 60 });
    my ($worker) = $one->worker_pids;
    my $send = sub { return Exedra::Form::upload($one, $key, "m$_[0].wav", wav(words(), $_[0]), target => '/v1/document/upload', timeout => 60)->{status} };
    is $send->(1000), 200, 'a small one';
    my ($before) = slurp("/proc/$worker/status") =~ /VmHWM:\s+(\d+)/;
    is $send->(24 << 20), 200, 'one of 24 MiB';
    my ($after) = slurp("/proc/$worker/status") =~ /VmHWM:\s+(\d+)/;
    cmp_ok $after - $before, '<', 4096, 'takes less than 4 MiB more than a small one';
    ok $one->stop, 'it ends well';
};

subtest 'Open WebUI' => sub {
    my $words = words();
    my $file = upload($exedra, $key, 'talk.wav', wav($words), type => 'audio/wav');
    is_deeply read_at_last($exedra, $key, $file->{id}), { status => 'completed' }, 'in the background';
    is http($exedra, GET => "/api/v1/files/$file->{id}/data/content", key => $key)->{json}{content}, $words, 'its text is what was said';
    is http($exedra, GET => "/api/v1/files/$file->{id}/content", key => $key)->{body}, wav($words), 'its bytes are there';
    my %reason = ('status:400' => 'The service refused it with status 400.', 'empty' => $EMPTY, 'status:429' => 'The service takes no more requests at the moment.');
    for my $model (sort keys %reason) {
        model($model);
        $file = upload($exedra, $key, "bad $model.wav", wav(words()), type => 'audio/wav');
        is_deeply read_at_last($exedra, $key, $file->{id}), { status => 'failed', error => $reason{$model} }, "$model: failed, with the reason";
        is psql($db, "SELECT count(*) FROM exedra.document d JOIN exedra.file f ON f.id = d.file_id WHERE f.uuid = '$file->{id}'"), 0, 'nothing of it is there';
    }
    model('flaky:503,2');
    $file = upload($exedra, $key, 'later.wav', wav($words = words()), type => 'audio/wav');
    is_deeply read_at_last($exedra, $key, $file->{id}), { status => 'completed' }, 'a reason that passes: tried again, as other jobs are';
    is $provider->asked("hear $words"), 3, 'until it is heard';
    exedractl($db, qw(setting unset acme transcription_model));
};

# A pool of one process, to which nobody else's workers lend a hand.
subtest 'one that takes long' => sub {
    my $apart = database();
    my $one = start_exedra(db => $apart, settings => { %settings, processes => 1, 'transcribe.timeout' => 120 });
    my $beta = tenant($apart, 'beta');
    exedractl($apart, qw(setting set beta transcription_model gate));
    my $long = upload($one, $beta->{key}, 'long.wav', wav(my $words = words()), type => 'audio/wav');
    wait_for { $provider->asked("hear $words") } 20, 'the recording to be heard';
    my $text = upload($one, $beta->{key}, 'short.txt', 'Read meanwhile.');
    is_deeply read_at_last($one, $beta->{key}, $text->{id}), { status => 'completed' }, 'does not hold up what comes after it';
    is_deeply http($one, GET => "/api/v1/files/$long->{id}/process/status", key => $beta->{key})->{json}, { status => 'pending' }, 'while it is still being heard';
    ok $one->stop, 'the pool can end meanwhile';
    $one = start_exedra(db => $apart, settings => { %settings, processes => 1 });
    $provider->open_gate;
    is_deeply read_at_last($one, $beta->{key}, $long->{id}), { status => 'completed' }, 'and it is heard by the next';
};

# POST /v1/audio/transcriptions, as OpenAI's SDKs call it.
subtest 'the route of OpenAI' => sub {
    my $ask = sub { my ($bytes, %fields) = @_; my %with = (filename => delete $fields{filename} // 'speech.wav', type => delete $fields{type} // 'audio/wav');
        return Exedra::Form::upload_form($exedra, Exedra::Form::form(part(file => $bytes, %with), map { part($_ => $fields{$_}) } sort keys %fields), target => '/v1/audio/transcriptions', key => $key) };
    my ($before, $words) = (files(), words());
    my $got = $ask->(wav($words), model => 'whisper-1', language => 'en', temperature => '0.2', prompt => "A prompt\r\n--x\r\n");
    is_deeply [$got->{status}, $got->{json}], [200, { text => $words }], 'a recording';
    is_deeply { map { $_ => $provider->last_request("hear $words")->{json}{$_} } qw(model language temperature prompt response_format) },
        { model => 'good', language => 'en', temperature => '0.2', prompt => "A prompt\r\n--x\r\n", response_format => 'json' }, 'by the model of the settings, with what else was said';
    is files(), $before, 'nothing is stored';
    is $ask->(wav($words = words()), model => 'x', response_format => 'text')->{body}, "$words\n", 'as text';
    $got = $ask->(wav($words = words()), model => 'x', response_format => 'srt');
    is_deeply [$got->{headers}{'content-type'} =~ /^text\/plain/, $got->{body}], [1, "1\n00:00:00,000 --> 00:00:01,500\n$words\n"], 'as subtitles';
    $got = $ask->(wav($words = words()), model => 'x', response_format => 'verbose_json', 'timestamp_granularities[]' => 'word');
    is_deeply [@{ $got->{json} }{qw(text task duration)}], [$words, 'transcribe', 1.5], 'in many words';
    my $timed = sub { my @times = @_; return Exedra::Form::upload_form($exedra, Exedra::Form::form(part(file => wav($words = words()), filename => 'a.wav'),
        part(response_format => 'verbose_json'), map { part('timestamp_granularities[]' => $_) } @times), target => '/v1/audio/transcriptions', key => $key) };
    for my $times (['word'], ['segment'], ['word', 'segment']) {
        is $timed->(@$times)->{status}, 200, "times of: @$times";
        is $provider->last_request("hear $words")->{json}{'timestamp_granularities[]'}, "@$times", 'all that was wanted is asked for';
    }
    is_deeply [map { $timed->(@$_)->{status} } ['word', 'letter'], ['letter', 'word']], [400, 400], 'other times there are not';
    $got = $ask->(wav($words = words()), model => 'x', stream => 'true');
    is_deeply [map { json_value($_) } $got->{body} =~ /^data: (.*)$/mg], [{ type => 'transcript.text.delta', delta => $words }, { type => 'transcript.text.done', text => $words }], 'as events';
    is $ask->(wav(words()), %$_)->{status}, 400, json_text($_) for { response_format => 'xml' }, { temperature => '2' }, { temperature => 'warm' }, { language => "e\r\nX: y" }, { stream => 'maybe' };
    is $ask->(wav(words(), 2 << 20), model => 'x')->{status}, 413, 'one that is too large';
    model('empty');
    is_deeply $ask->(wav(words()), model => 'x')->{json}, { text => '' }, 'one in which nothing is said';
    model('counted');
    is_deeply $ask->(wav($words = words()), model => 'x')->{json}, { text => $words, usage => { type => 'tokens', input_tokens => 14, output_tokens => 45, total_tokens => 59 } }, 'with what it cost';
    model('status:500');
    $got = $ask->(wav(words()), model => 'x');
    is_deeply [$got->{status}, $got->{json}{error}{code}, $got->{headers}{'x-should-retry'}], [502, 'service_error', undef], 'a service that fails';
    unlike $got->{body}, qr/\Q$WORDS\E|\Q$KEY\E/, 'in our words';
    model('status:404');
    $got = $ask->(wav(words()), model => 'x');
    is_deeply [$got->{status}, $got->{json}{error}{code}, $got->{headers}{'x-should-retry'}], [502, 'service_model', 'false'], 'a model that it does not know: an SDK need not try again';
    exedractl($db, qw(setting unset acme transcription_model));
};

subtest 'whose service' => sub {
    my $none = tenant($db, 'none');
    exedractl($db, qw(setting set none transcription_provider none));
    my $got = Exedra::Form::upload($exedra, $none->{key}, 'no.wav', wav(words()), target => '/v1/document/upload');
    is $got->{status}, 422, 'a tenant that wants none';
    like $got->{json}{error}, qr/transcribe\.url is not set/, 'is told what is missing';
    ok !exists http($exedra, GET => '/v1/document/accepted-file-types', key => $none->{key})->{json}{types}{'audio/mpeg'}, 'and it is not listed';
    is Exedra::Form::upload($exedra, $none->{key}, 'no.wav', wav(words()), target => '/v1/audio/transcriptions')->{status}, 501, 'OpenAI\'s route is not there for it';
    exedractl($db, qw(setting set none transcription_provider nobody));
    is Exedra::Form::upload($exedra, $none->{key}, 'no.wav', wav(words()), target => '/v1/document/upload')->{status}, 502, 'one that names a provider that is not there';
    is http($exedra, GET => '/v1/document/accepted-file-types', key => $none->{key})->{status}, 200, 'can ask for kinds still';

    my $own = tenant($db, 'own');
    my $other = start_provider();
    exedractl($db, qw(provider set own ears), $other->{url});
    exedractl($db, qw(setting set own transcription_provider ears));
    exedractl($db, qw(setting set own transcription_model whisper-x));
    my $words = words();
    is Exedra::Form::upload($exedra, $own->{key}, 'own.wav', wav($words), target => '/v1/document/upload')->{status}, 200, 'a tenant\'s own';
    is_deeply [$provider->asked("hear $words"), $other->last_request("hear $words")->{json}{model}], [0, 'whisper-x'], 'is asked, with its model, not the server\'s';
    is $other->last_request("hear $words")->{headers}{authorization}, undef, 'nor with the server\'s key';
    exedractl($db, qw(provider set own inside http://10.0.0.1/v1));
    exedractl($db, qw(setting set own transcription_provider inside));
    is Exedra::Form::upload($exedra, $own->{key}, 'guarded.wav', wav(words()), target => '/v1/document/upload')->{status}, 502, 'not at an address that is not public';

    my $without = start_exedra(db => $db, settings => { reading() });
    $got = Exedra::Form::upload($without, $key, 'none.wav', wav(words()), target => '/v1/document/upload');
    is $got->{status}, 422, 'where the server has none';
    like $got->{json}{error}, qr/transcribe\.url is not set/, 'the setting is named';
    ok !grep({ m{^(?:audio|video)/} } keys %{ http($without, GET => '/v1/document/accepted-file-types', key => $key)->{json}{types} }), 'nothing of the kind is listed';
    my $file = upload($without, $key, 'none.wav', wav(words()), type => 'audio/wav');
    like read_at_last($without, $key, $file->{id})->{error}, qr/transcribe\.url is not set/, 'the same in the background';
    ok $without->stop, 'it ends well';
};

subtest 'who does not wait' => sub {
    model('never');
    my $words = words();
    my $file = upload($exedra, $key, 'ending.wav', wav($words), type => 'audio/wav');
    wait_for { $provider->asked("hear $words") } 10, 'it to be asked';
    ok $exedra->stop, 'a pool that ends does not wait for the service';
    is psql($db, "SELECT state FROM exedra.file WHERE uuid = '$file->{id}'"), 'pending', 'the file is read by the next';
};

my $report = sanitizer_report($exedra->log_text);
ok !$report, 'no report of a sanitizer' or diag $report;
done_testing;
