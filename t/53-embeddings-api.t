# POST /v1/embeddings as OpenAI's API has it, POST /v1/openai/embeddings and GET /v1/openai/vector_stores as AnythingLLM has them
# (contract endpoints 54 and 55): forms, order, what is refused, what an embedder's faults look like, and the official SDK, which asks for
# base64 without being told to.
use lib 't/lib';
my $modules;
BEGIN {
    ($modules) = grep { system('cmp', '-s', 't/node/package-lock.json', "$_/installed") == 0 } map { "$_/node" } $ENV{EXEDRA_BUILD} // 'build', 'build';
}
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Hostile qw(asan);
use Exedra::Provider;
use File::Spec ();
use MIME::Base64 qw(decode_base64);

my $db = database();
my $provider = start_provider();
my $timeout = asan() ? 12 : 2;
my %settings = ('embed.url' => $provider->{url}, 'embed.key' => $KEY, 'embed.model' => 'good', 'embed.timeout' => $timeout, 'outbound.allow' => '127.0.0.0/8', drain => 10);
my $exedra = start_exedra(db => $db, settings => \%settings);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};

sub ask { my ($body, %with) = @_; return http($with{server} // $exedra, POST => $with{target} // '/v1/embeddings', key => $with{key} // $key, json => $body) }
sub native { return ask($_[0], target => '/v1/openai/embeddings', @_[1 .. $#_]) }

# What a vector should be, brought to length 1.
sub wanted {
    my $at = vector_of(@_);
    my $length = 0;
    $length += $_ * $_ for @$at;
    return [map { $_ / sqrt $length } @$at];
}

# A test: the vector is that of the text.
sub is_vector {
    my ($got, $text, $name, $dimension) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $wanted = wanted($text, $dimension);
    return is(scalar(@$got), scalar(@$wanted), "$name: dimension") && is(scalar(grep { abs($got->[$_] - $wanted->[$_]) > 1e-5 } 0 .. $#$wanted), 0, $name);
}

sub unpacked { return [unpack 'f<*', decode_base64($_[0])] }

subtest 'OpenAI' => sub {
    my $got = ask({ model => 'text-embedding-3-small', input => 'The blue whale.' });
    is $got->{status}, 200, 'a text';
    my $body = $got->{body} =~ s/"embedding":\[[^\]]*\]/"embedding":[...]/r;
    is $body, '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[...]}],"model":"good","usage":{"prompt_tokens":7,"total_tokens":7}}',
        'to the byte; the model is the one that answered';
    is_vector($got->{json}{data}[0]{embedding}, 'The blue whale.', 'as numbers');
    my @texts = map { "text $_ of several" } 1 .. 150;
    $got = ask({ input => \@texts, encoding_format => 'float' });
    is_deeply [map { $_->{index} } @{ $got->{json}{data} }], [0 .. 149], 'many, in their order';
    is_vector($got->{json}{data}[$_]{embedding}, $texts[$_], "... number $_") for 0, 64, 149;
    is $got->{json}{usage}{prompt_tokens}, 21, '... in three calls, which are counted together';
    $got = ask({ input => ['one', 'two'], encoding_format => 'base64', user => 'anna' });
    is_vector(unpacked($got->{json}{data}[$_]{embedding}), (qw(one two))[$_], 'as base64') for 0, 1;
    $got = ask({ input => 'one', dimensions => 16 });
    is_vector($got->{json}{data}[0]{embedding}, 'one', 'with dimensions', 16);
    is $provider->last_request('embed one')->{json}{dimensions}, 16, '... as the embedder was asked';
    $got = ask({ input => [1, 22, 333] });
    is_deeply $provider->last_request('embed 1 22 333')->{json}{input}, [[1, 22, 333]], 'tokens are passed on';
    is scalar @{ $got->{json}{data} }, 1, '... as one text';
    $got = ask({ input => [[1, 2], [3]] });
    is scalar @{ $got->{json}{data} }, 2, 'lists of tokens';
    is_vector(ask({ input => "Gr\x{fc}\x{df}e, \x{4e16}\x{754c}! \x{1f600} \"x\"" })->{json}{data}[0]{embedding}, "Gr\x{fc}\x{df}e, \x{4e16}\x{754c}! \x{1f600} \"x\"", 'whatever its characters');
    is ask({ input => 'one' }, target => '/api/v1/embeddings')->{status}, 200, 'under /api too';
};

subtest 'what is refused' => sub {
    my $before = my @before = $provider->requests;
    my $input = qr/^input must be/;
    for my $case (['nothing', {}, 'input', $input], ['null', { input => undef }, 'input', $input], ['an empty text', { input => '' }, 'input', $input],
        ['an empty list', { input => [] }, 'input', qr/from 1 to 2048/], ['a list with an empty text', { input => ['x', ''] }, 'input', $input], ['a number', { input => 5 }, 'input', $input],
        ['an object', { input => { x => 1 } }, 'input', $input], ['texts and tokens', { input => ['x', [1]] }, 'input', $input], ['tokens and texts', { input => [[1], 'x'] }, 'input', $input],
        ['numbers that are no tokens', { input => [1.5] }, 'input', $input], ['an empty list of tokens', { input => [[]] }, 'input', $input],
        ['too many', { input => [('x') x 2049] }, 'input', qr/from 1 to 2048/], ['another form', { input => 'x', encoding_format => 'int8' }, 'encoding_format', qr/float or base64/],
        ['a form that is none', { input => 'x', encoding_format => 5 }, 'encoding_format', qr/encoding_format/], (map { ["dimensions $_", { input => 'x', dimensions => $_ }, 'dimensions', qr/dimensions/] } 0, -1, 1.5, 8193),
        ['dimensions as text', { input => 'x', dimensions => 'x' }, 'dimensions', qr/dimensions/], ['a model that is no text', { input => 'x', model => 5 }, 'model', qr/model/]) {
        my ($what, $body, $field, $message) = @$case;
        my $got = ask($body);
        is $got->{status}, 400, $what;
        is $got->{json}{error}{param}, $field, '... by the name of the field';
        like $got->{json}{error}{message}, $message, '... in words';
    }
    is scalar(my @asked = $provider->requests), $before, 'nobody is asked for that';
    is ask({ input => 'x' }, key => 'wrong')->{status}, 401, 'a bad key';
    is native({ input => 'x' }, key => 'wrong')->{status}, 403, '... under /v1/openai';
};

subtest 'which embedder' => sub {
    my $slug = workspace($exedra, $key, 'Other vectors')->{slug};
    exedractl($db, qw(embedder set acme generic-openai --model good:10 --workspace), $slug);
    my $got = ask({ model => $slug, input => 'one' });
    is $got->{json}{model}, 'good:10', 'a workspace\'s, by its slug';
    is scalar @{ $got->{json}{data}[0]{embedding} }, 10, '... with its vectors';
    is ask({ model => 'nobody', input => 'one' })->{json}{model}, 'good', 'else the tenant\'s';
    my $beta = tenant($db, 'beta');
    is ask({ model => $slug, input => 'one' }, key => $beta->{key})->{json}{model}, 'good', '... for another tenant too';
    is psql($db, 'SELECT count(*) FROM exedra.embedder'), 0, 'asking leaves no trace but in the ledger';
    exedractl($db, qw(provider set beta llama), $provider->{url}, qw(--kind ollama));
    exedractl($db, qw(embedder set beta llama --model good:12));
    $got = ask({ input => ['one', 'two'], encoding_format => 'base64' }, key => $beta->{key});
    is_vector(unpacked($got->{json}{data}[1]{embedding}), 'two', 'Ollama\'s', 12);
    is ask({ input => [1, 2] }, key => $beta->{key})->{status}, 400, '... which takes no tokens';
    exedractl($db, qw(provider delete beta llama));
    $got = ask({ input => 'one' }, key => $beta->{key});
    is_deeply [$got->{status}, @{ $got->{json}{error} }{qw(code message)}, $got->{headers}{'x-should-retry'}],
        [502, 'embed_missing', 'The embedder\'s provider llama is not configured.', 'false'], 'one that is gone';
    exedractl($db, qw(embedder set beta none));
    is ask({ input => 'one' }, key => $beta->{key})->{status}, 501, 'none is none';
};

subtest 'without an embedder' => sub {
    my $bare = start_exedra(db => $db, settings => { drain => 10 });
    my $got = ask({ input => 'x' }, server => $bare);
    is_deeply [$got->{status}, $got->{json}{error}{code}, $got->{headers}{'x-should-retry'}], [501, 'embed_none', 'false'], 'it is told';
    like $got->{json}{error}{message}, qr/embed\.url .*embed\.provider/, '... which setting is missing';
    is native({ input => 'x' }, server => $bare)->{status}, 501, 'under /v1/openai too';
    is ask({ input => '' }, server => $bare)->{status}, 400, 'the body is looked at first';
    ok $bare->stop, 'it ends well';
};

# SDKs leave after their time-out and ask again: what they left must not go on beside it.
subtest 'who does not wait' => sub {
    my $slow = start_exedra(db => $db, settings => { %settings, 'embed.model' => 'never', 'embed.timeout' => 60, 'embed.batch' => 1 });
    my $body = json_text({ input => ['nobody waits', 'nor for this'] });
    my $sent = fcgi_open($slow->{socket});
    $sent->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(POST => '/v1/embeddings', headers => { Authorization => "Bearer $key", 'Content-Type' => 'application/json',
        'Content-Length' => length $body }))), record(FCGI_PARAMS, 1, ''), record(FCGI_STDIN, 1, $body), record(FCGI_STDIN, 1, ''));
    wait_for { $provider->asked('embed nobody waits') } 10, 'the embedder to be asked';
    undef $sent;
    ok eval { wait_for { scalar grep { $_->{end} eq 'them' } $provider->ends('embed nobody waits') } 10, 'the end' }, 'who leaves ends the call' or diag $@;
    ok $slow->stop, 'and holds nobody up';
    is_deeply [map { $provider->asked("embed $_") } 'nobody waits', 'nor for this'], [1, 0], '... which is the last one';
    like $slow->log_text, qr{level=info .*route="/v1/embeddings" status=400 .*code=client_gone}, '... and no fault of the embedder';
};

subtest 'what an embedder does wrong' => sub {
    my %fault = (
        'fewer' => [502, 'embed_count', 'The embedder did not send one vector for each text.'],
        'mixed' => [502, 'embed_dimension', 'The embedder sent vectors of another dimension.', 'false'],
        'nan' => [502, 'embed_vector', 'The embedder sent something that is no vector.'],
        'zeros' => [502, 'embed_vector', 'The embedder sent something that is no vector.'],
        'html' => [502, 'embed_invalid', 'The embedder sent something that is no answer.'],
        'error-200' => [502, 'embed_error', 'The embedder reported an error.'],
        'never' => [504, 'embed_timeout', 'The embedder did not answer in time.'],
        'cut' => [502, 'embed_cut', 'The embedder broke off its answer.'],
        'status:400' => [400, 'embed_refused', 'The embedder refused the text with status 400.'],
        'status:401' => [502, 'embed_error', 'The embedder answered with status 401.'],
        'status:404' => [502, 'embed_model', 'The embedder does not know the model.', 'false'],
        'status:429' => [429, 'embed_busy', 'The embedder takes no more requests at the moment.', undef, 1],
        'later:429 30' => [429, 'embed_busy', 'The embedder takes no more requests at the moment.', undef, 30],
        'later:503 20' => [503, 'embed_unavailable', 'The embedder is not available at the moment.', undef, 20],
        'status:500' => [502, 'embed_error', 'The embedder answered with status 500.'],
    );
    my @faults = sort keys %fault;
    my %room = map { $_ => workspace($exedra, $key, "Fault $_") } @faults;
    psql($db, join ';', map { "UPDATE exedra.workspace SET embedding_model = '$_' WHERE id = $room{$_}{id}" } @faults);
    my @got = in_parallel(8, sub {
        my $got = ask({ model => $room{$_[0]}{slug}, input => ['one', 'two'] });
        { told => [$got->{status}, @{ $got->{json}{error} }{qw(code message)}, @{ $got->{headers} }{qw(x-should-retry retry-after)}], body => $got->{body} };
    }, @faults);
    for my $i (0 .. $#faults) {
        my @wanted = @{ $fault{$faults[$i]} };
        $#wanted = 4;
        is_deeply $got[$i]{told}, \@wanted, $faults[$i];
        unlike $got[$i]{body} // '', qr/\Q$KEY\E|$WORDS|127\.0\.0\.1/, '... without a word of its own';
    }
    my $slug = workspace($exedra, $key, 'Deaf')->{slug};
    psql($db, "UPDATE exedra.workspace SET embedding_model = 'deaf' WHERE slug = '$slug'");
    is ask({ model => $slug, input => 'x', dimensions => 8 })->{json}{error}{code}, 'embed_dimension', 'dimensions that it does not heed';
    is ask({ model => $slug, input => 'x' })->{status}, 200, 'without them it is well';
};

subtest 'AnythingLLM: embeddings' => sub {
    my $got = native({ input => ['one', 'two'], model => 'x', encoding_format => 'base64', dimensions => 5 });
    is $got->{status}, 200, 'texts';
    is $got->{body} =~ s/"embedding":\[[^\]]*\]/"embedding":[...]/gr,
        '{"object":"list","data":[{"object":"embedding","embedding":[...],"index":0},{"object":"embedding","embedding":[...],"index":1}],"model":"good"}', 'to the byte: no usage';
    is_vector($got->{json}{data}[$_]{embedding}, (qw(one two))[$_], 'numbers, whatever was asked') for 0, 1;
    is_vector(native({ inputs => 'one' })->{json}{data}[0]{embedding}, 'one', 'inputs is input');
    is native({ input => 'one' }, target => '/api/v1/openai/embeddings')->{status}, 200, 'under /api';
    for my $body ({}, { input => '' }, { input => [] }, { input => [1, 2] }, { input => ['x', 5] }, { input => {} }) {
        is native($body)->{status}, 400, 'refused: ' . json_text($body);
    }
};

subtest 'AnythingLLM: vector stores' => sub {
    my $gamma = tenant($db, 'gamma');
    my $list = sub { return http($exedra, GET => "/v1/openai/vector_stores$_[0]", key => $_[1] // $gamma->{key}) };
    is $list->('')->{body}, '{"data":[],"has_more":false}', 'none';
    workspace($exedra, $gamma->{key}, 'Röom "x"');
    workspace($exedra, $gamma->{key}, 'Second');
    document($exedra, $gamma->{key}, "Text $_", "Text $_.", 'second') for 1, 2;
    my ($first) = map { $_->{slug} } @{ http($exedra, GET => '/v1/workspaces', key => $gamma->{key})->{json}{workspaces} };
    my $wanted = '{"first_id":"' . $first . '","last_id":"second","data":[{"id":"' . $first . '","object":"vector_store","name":"Röom \"x\"","file_counts":{"total":0},"provider":"lancedb"},'
        . '{"id":"second","object":"vector_store","name":"Second","file_counts":{"total":2},"provider":"lancedb"}],"has_more":false}';
    utf8::encode($wanted);
    is $list->('')->{body}, $wanted, 'the workspaces, to the byte';
    is $list->($_)->{body}, '{"data":[],"has_more":false}', "any query is an empty page: $_" for '?limit=20', '?after=second', '?x';
    is http($exedra, GET => '/api/v1/openai/vector_stores', key => $gamma->{key})->{body}, $wanted, 'under /api';
    is $list->('?limit=2', 'wrong')->{status}, 403, 'a bad key, with a query';
    my $anna = account($gamma, 'anna');
    is $list->('', $anna->{key})->{body}, '{"data":[],"has_more":false}', 'an account sees what it is let into';
    exedractl($db, qw(account grant gamma anna second));
    is_deeply [map { $_->{id} } @{ $list->('', $anna->{key})->{json}{data} }], ['second'], '... and then that';
};

subtest 'the official SDK' => sub {
    plan skip_all => 'node is missing' if !program('node');
    plan skip_all => 'the openai package is missing: sh t/node/install.sh build/node' if !$modules;
    plan skip_all => 'nginx is missing' if !program('nginx');
    my $nginx = start_nginx(exedra => $exedra);
    my ($major) = run([program('node'), '--version'])->{out} =~ /^v(\d+)/;
    for my $package ('openai', $major >= 20 ? 'openai-7' : ()) {
        my $ran = run([program('node'), 't/node/embeddings.mjs', File::Spec->rel2abs("$modules/node_modules/$package/index.mjs")], timeout => asan() ? 100 : 30,
            env => { URL => $nginx->{url}, KEY => $key, NO_PROXY => '127.0.0.1', HTTP_PROXY => undef, http_proxy => undef });
        my $got = eval { json_value($ran->{out}) } or return fail("$package: $ran->{err}");
        is_vector($got->{one}, 'The blue whale.', "$package: embeddings.create(), which asks for base64");
        is_vector($got->{two}[1], 'two', '... two texts');
        is_vector($got->{float}, 'one', '... as float');
        is_vector($got->{short}, 'one', '... with dimensions', 8);
        is $got->{base64}, $got->{base64_wanted}, '... as base64, left as it is';
        is_deeply $got->{usage}, { prompt_tokens => 7, total_tokens => 7 }, '... usage';
        is_deeply $got->{empty}, [400, 'input_invalid'], '... an error has its class';
        is_deeply $got->{stores}, [], '... vector stores end';
    }
    ok $nginx->stop, 'nginx ends well';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
