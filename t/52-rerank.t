# Ranking: where a workspace has vectorSearchMode rerank, a service with a /rerank puts a longer list of what was found into its own order.
# It is asked once, for workspaces that want it only; whatever it does wrong, the order stays as it was found, and the log says why.
# And with several things to answer from, an embedder is asked about a question once.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile qw(asan);
use Exedra::OpenWebUI;
use Exedra::Provider;

my $db = database();
my $provider = start_provider();
my $timeout = asan() ? 10 : 2;
my %settings = (reading(), 'rerank.url' => $provider->{url}, 'rerank.key' => $KEY, 'rerank.model' => 'good', 'rerank.list' => 12, 'rerank.timeout' => $timeout,
    'outbound.allow' => '127.0.0.0/8', 'secret.file' => tmp_dir() . '/secret.key', 'llm.url' => $provider->{url}, 'llm.key' => $KEY, 'llm.model' => 'good');
my $exedra = start_exedra(db => $db, settings => { %settings, processes => 1 });
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $n = 0;

sub model { return exedractl($db, qw(setting set acme rerank_model), $_[0]) }
# A question like no other, with words that all texts have.
sub question { return 'whales in the sea, ' . 'q' x ++$n }

# Documents whose order by words is that of their numbers, and which the service has the other way round.  Fewer than 20: of more no word is
# looked for that most of them have.
sub fill {
    my ($slug, $count) = @_;
    document($exedra, $key, "Whale $_", "Whales" . ' swim' x (3 * $_) . " in the sea, rank $_.", $slug) for 1 .. $count;
}

sub search {
    my ($slug, $query, %with) = @_;
    my $got = http($with{server} // $exedra, POST => "/v1/workspace/$slug/vector-search", key => $with{key} // $key, json => { query => $query, scoreThreshold => 0, topN => $with{n} // 4 });
    my ($failed) = ($with{server} // $exedra)->log_text =~ /event=rerank_failed id=\Q$got->{headers}{'x-request-id'}\E .*code=(\w+)/;
    return { ranks => [map { $_->{text} =~ /rank (\d+)/ ? $1 + 0 : 0 } @{ $got->{json}{results} }], scores => [map { $_->{score} } @{ $got->{json}{results} }], failed => $failed,
        status => $got->{status} };
}

my $plain = workspace($exedra, $key, 'Plain')->{slug};
my $ranked = workspace($exedra, $key, 'Ranked', vectorSearchMode => 'rerank')->{slug};
fill($_, 19) for $plain, $ranked;
my $found = search($plain, question())->{ranks};

subtest 'the order of a service' => sub {
    is_deeply $found, [1 .. 4], 'as they are found, by words';
    is scalar(grep { $_->{target} =~ /rerank/ } $provider->requests), 0, 'nobody is asked where it is not wanted';
    my $query = question();
    my $got = search($ranked, $query);
    is_deeply $got->{ranks}, [12, 11, 10, 9], 'the best of a longer list, as the service has it';
    is_deeply [map { sprintf '%.2f', $_ } @{ $got->{scores} }], ['0.12', '0.11', '0.10', '0.09'], 'with its scores';
    my $asked = $provider->last_request("rank $query");
    is_deeply [@$asked{qw(method target)}, $asked->{headers}{authorization}], [POST => '/v1/rerank', "Bearer $KEY"], 'asked in the way of Cohere, Jina and vLLM';
    is_deeply [sort keys %{ $asked->{json} }], [qw(documents model query top_n)], 'with these';
    is_deeply [@{ $asked->{json} }{qw(model query top_n)}, scalar @{ $asked->{json}{documents} }], ['good', $query, 4, 12], 'for rerank.list passages';
    is $asked->{json}{documents}[0], "whale-1.txt\n\nWhales swim swim swim in the sea, rank 1.", 'each under its title, without what clients see above it';
    is $provider->asked("rank $query"), 1, 'once';
    is psql($db, 'SELECT provider, model, prompt_tokens, completion_tokens, estimated FROM exedra.usage ORDER BY id DESC LIMIT 1'), "generic-openai\tgood\t23\t0\tf", 'and charged';
    is_deeply search($ranked, question(), n => 15)->{ranks}, [reverse 1 .. 15], 'a list that is asked for whole is ranked whole';
    is_deeply search($ranked, question(), n => 1)->{ranks}, [12], 'the best alone';
    is_deeply search($ranked, 'nothing of that kind')->{ranks}, [], 'nothing is nothing';
    $query = question();
    http($exedra, POST => "/v1/workspace/$ranked/chat", key => $key, json => { message => $query });
    is $provider->asked("rank $query"), 1, 'chats ask too';
    http($exedra, POST => '/api/chat/completions', key => $key, json => { model => 'good', messages => [{ role => 'user', content => $query = question() }],
        files => [{ type => 'collection', id => $ranked }] });
    is $provider->asked("rank $query"), 1, 'and what a chat of Open WebUI brings along';
};

subtest 'forms of answers' => sub {
    model('shuffled');
    is_deeply search($ranked, question())->{ranks}, [12, 11, 10, 9], 'results in any order';
    model('fewer');
    is_deeply search($ranked, question())->{ranks}, [12, 1, 2, 3], 'of what is not named the order stays, behind the rest';
    model('logits');
    my $got = search($ranked, question());
    is_deeply $got->{ranks}, [12, 11, 10, 9], 'scores of any size';
    is scalar(grep { $_ < 0 || $_ > 1 } @{ $got->{scores} }), 0, 'but clients see what is from 0 to 1';
    model($_), is_deeply [@{ search($ranked, question()) }{qw(ranks failed)}], [[12, 11, 10, 9], undef], $_ for 'late:0.2', 'flaky:500,1', 'flaky:reset,1';
};

subtest 'what a service does wrong' => sub {
    my %fault = ('status:500' => 'service_error', 'status:401' => 'service_error', 'status:404' => 'service_model', 'status:422' => 'service_refused', 'status:429' => 'service_busy', 'status:503' => 'service_unavailable',
        'later:503 60' => 'service_unavailable', reset => 'service_cut', cut => 'service_cut',
        map { $_ => 'service_invalid' } qw(html nothing array json-broken error-200 endless none index-odd index-half index-minus index-twice no-score text nan null));
    for my $model (sort keys %fault) {
        model($model);
        my $got = search($ranked, question());
        is_deeply [@$got{qw(status ranks failed)}], [200, $found, $fault{$model}], "$model: the order stays";
    }
    model('never');
    is_deeply [@{ search($ranked, question()) }{qw(ranks failed)}], [$found, 'service_timeout'], 'one that does not answer is waited for';
    my $query = question();
    is_deeply [@{ search($ranked, $query) }{qw(ranks failed)}], [$found, 'service_shunned'], '... and not asked again for a while';
    is $provider->asked("rank $query"), 0, 'indeed';
    model('good');
    is_deeply search($ranked, question())->{ranks}, [12, 11, 10, 9], 'another model there is';
};

subtest 'whose service' => sub {
    my $before = $provider->requests;
    exedractl($db, qw(setting set acme rerank_provider none));
    is_deeply [@{ search($ranked, question()) }{qw(ranks failed)}], [$found, undef], 'a tenant that wants none';
    exedractl($db, qw(setting set acme rerank_provider nobody));
    is_deeply [@{ search($ranked, question()) }{qw(ranks failed)}], [$found, 'service_missing'], 'one that names a provider that is not there';
    my $other = start_provider();
    exedractl($db, qw(provider set acme judge), $other->{url});
    exedractl($db, qw(setting set acme rerank_provider judge));
    my $query = question();
    is_deeply search($ranked, $query)->{ranks}, [12, 11, 10, 9], 'a tenant\'s own';
    is $other->asked("rank $query"), 1, 'is asked';
    exedractl($db, qw(provider set acme inside http://10.0.0.1/v1));
    exedractl($db, qw(setting set acme rerank_provider inside));
    is_deeply [@{ search($ranked, question()) }{qw(ranks failed)}], [$found, 'service_forbidden'], 'but not at an address that is not public';
    exedractl($db, qw(setting unset acme), $_) for qw(rerank_provider rerank_model);
    my $without = start_exedra(db => $db, settings => { reading() });
    is_deeply [@{ search($ranked, question(), server => $without) }{qw(ranks failed)}], [$found, undef], 'a server without one';
    ok $without->stop, 'it ends well';
};

subtest 'a question is embedded once' => sub {
    my $other = database();
    my $vectors = start_exedra(db => $other, settings => { %settings, 'embed.url' => $provider->{url}, 'embed.key' => $KEY, 'embed.model' => 'good' });
    my $beta = tenant($other, 'beta')->{key};
    my @files = map { my $file = upload($vectors, $beta, "f$_.txt", "Seals number $_ swim in the sea."); read_at_last($vectors, $beta, $file->{id}); $file } 1 .. 4;
    collection($vectors, $beta, 'Seals');
    http($vectors, POST => '/api/v1/knowledge/seals/file/add', key => $beta, json => { file_id => $files[0]{id} });
    my $ask = sub {
        my ($model, $query) = @_;
        return http($vectors, POST => '/api/chat/completions', key => $beta, json => { model => $model, messages => [{ role => 'user', content => $query }],
            files => [map({ { type => 'file', id => $_->{id} } } @files), { type => 'collection', id => 'seals' }] });
    };
    my $got = $ask->('good', 'seals in the sea, alone');
    is scalar(@{ $got->{json}{sources} }), 4, 'four files, and a collection that has one of them';
    is $provider->asked('embed seals in the sea, alone'), 1, 'the embedder is asked once';
    $ask->('seals', 'seals in the sea, in a workspace');
    is $provider->asked('embed seals in the sea, in a workspace'), 1, 'with a workspace too';
    exedractl($other, qw(embedder set beta generic-openai --model good:32 --workspace seals));
    wait_for { psql($other, "SELECT count(*) FROM exedra.embedded b JOIN exedra.embedder e ON e.id = b.embedder_id WHERE e.model = 'good:32'") == 1 } 20, 'vectors of another one';
    $ask->('good', 'seals in the sea, of two sorts');
    is $provider->asked('embed seals in the sea, of two sorts'), 2, 'another embedder is another vector';
    ok $vectors->stop, 'it ends well';
};

my $report = sanitizer_report($exedra->log_text);
ok !$report, 'no report of a sanitizer' or diag $report;
ok $exedra->stop, 'exedra ends well';
done_testing;
