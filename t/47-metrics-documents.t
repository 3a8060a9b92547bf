# GET /metrics about documents: what was stored and what failed, files that were read, jobs, and the calls of an embedder.
use lib 't/lib';
use List::Util qw(sum0);
use Exedra::Test;
use Exedra::Form qw(part form upload_form);
use Exedra::OpenWebUI;
use Exedra::Provider;

my $db = database();
my $provider = start_provider();
my $exedra = start_exedra(db => $db, settings => { reading(), processes => 1, 'embed.url' => $provider->{url}, 'embed.key' => $KEY, 'embed.model' => 'good',
    'metrics.loopback' => 'on', 'outbound.allow' => '127.0.0.0/8', 'secret.file' => tmp_dir() . '/secret.key' });
my $key = tenant($db, 'acme')->{key};

# The key of a new tenant whose embedder is this model.
sub tenant_with {
    my ($model) = @_;
    my $tenant = tenant($db, $model =~ s/:.*//r);
    my $before = scrape()->{'jobs_total{kind="embed_check",outcome="done"}'};
    exedractl($db, qw(embedder set), $tenant->{name}, 'generic-openai', '--model', $model);
    wait_for { scrape()->{'jobs_total{kind="embed_check",outcome="done"}'} > $before } 10, 'the change';
    return $tenant->{key};
}

# { series without the metric's exedra_ => value }
sub scrape { return { map { /^exedra_(\S+(?:\{.*\})?) ([\d.]+)$/ ? ($1 => $2) : () } split /\n/, http($exedra, GET => '/metrics')->{body} } }

# What has become more of documents, files, their jobs and calls since: { series => by how much }, without the labels that are always the same.
sub more_since {
    my ($before) = @_;
    my $after = scrape();
    my %more = map { $_ => $after->{$_} - ($before->{$_} // 0) } grep { /^(?:document|extraction|jobs_total\{kind="read_file"|provider|tokens)/ && !/_bucket|_sum/ } keys %$after;
    return { map { s/provider="generic-openai",call="embedding",?//r =~ s/\{\}//r => $more{$_} } grep { $more{$_} != 0 } keys %more };
}

# Does it, and waits until no job is under way.
sub becomes {
    my ($what, $do, $expected) = @_;
    my $before = scrape();
    $do->();
    my $more;
    eval { wait_for { $more = more_since($before); join(' ', sort keys %$more) eq join(' ', sort keys %$expected) } 10, $what };
    is_deeply $more, $expected, $what or diag explain $more;
}

my %asked = (provider_attempts_total => 1, 'provider_attempt_ends_total{end="done"}' => 1, provider_first_byte_seconds_count => 1);
my %embedded = (%asked, 'tokens_total{direction="in"}' => 7);

subtest 'what is stored' => sub {
    my $slug = workspace($exedra, $key, 'Hall')->{slug};
    my $document;
    becomes('a text' => sub { $document = document($exedra, $key, 'Whales', 'Whales sing for hours.') }, { documents_total => 1 });
    my $put = sub { http($exedra, POST => "/v1/workspace/$slug/update-embeddings", key => $key, json => { adds => [$document->{location}] }) };
    becomes('its vectors' => $put, \%embedded);
    becomes('a question' => sub { http($exedra, POST => "/v1/workspace/$slug/vector-search", key => $key, json => { query => 'whales' }) }, \%asked);
    becomes('vectors for the asking' => sub { http($exedra, POST => '/v1/openai/embeddings', key => $key, json => { input => ['a'] }) }, \%embedded);
    my %read = (documents_total => 1, 'extractions_total{outcome="done"}' => 1, extraction_duration_seconds_count => 1);
    becomes('a file that is read later' => sub { upload($exedra, $key, 'a.txt', 'Another text.') }, { %embedded, %read, 'jobs_total{kind="read_file",outcome="done"}' => 1 });
    becomes('one that is read at once' => sub { upload_form($exedra, form(part(file => 'A third text.', filename => 'b.txt')), target => '/v1/document/upload', key => $key) }, \%read);
};

subtest 'what fails' => sub {
    my %read = (extraction_duration_seconds_count => 1, 'document_failures_total{reason="file"}' => 1);
    becomes('a broken file' => sub { upload_form($exedra, form(part(file => "PK\3\4 broken", filename => 'b.docx')), target => '/v1/document/upload', key => $key) },
        { %read, 'extractions_total{outcome="file_broken"}' => 1 });
    becomes('one without text, later' => sub { upload($exedra, $key, 'c.txt', " \n ") },
        { %read, 'extractions_total{outcome="file_no_text"}' => 1, 'jobs_total{kind="read_file",outcome="failed"}' => 1 });
    my $other = tenant_with('fewer');
    becomes('an embedder that sends too few' => sub { upload($exedra, $other, 'd.txt', 'A text that waits.') },
        { %asked, 'provider_errors_total{code="embed_count"}' => 1, 'document_failures_total{reason="embedder"}' => 1, documents_total => 1,
            'extractions_total{outcome="done"}' => 1, extraction_duration_seconds_count => 1, 'jobs_total{kind="read_file",outcome="again"}' => 1 });
};

subtest 'jobs' => sub {
    psql($db, "INSERT INTO exedra.job (tenant_id, kind, subject_id, due_at) SELECT id, k, n, now() + interval '1 hour'
        FROM exedra.tenant, unnest('{merge_words,unheard_of}'::text[]) k, generate_series(1000001, 1000003) n WHERE name = 'acme'");
    eval { wait_for { scrape()->{'jobs_waiting{kind="merge_words"}'} == 3 } 20, 'the count' };
    my $metrics = scrape();
    is $metrics->{'jobs_waiting{kind="merge_words"}'}, 3, 'those that wait are counted now and then';
    is sum0(map { $metrics->{$_} } grep { /^jobs_running/ } keys %$metrics), 0, 'none is under way';
    psql($db, "DELETE FROM exedra.job WHERE subject_id > 1000000");
    upload($exedra, tenant_with('late:1'), 'e.txt', 'A text that takes its time.');
    ok eval { wait_for { scrape()->{'jobs_running{kind="read_file"}'} == 1 } 10, 'it' }, 'one that is';
    ok eval { wait_for { scrape()->{'jobs_running{kind="read_file"}'} == 0 } 20, 'its end' }, '... and no more';
    ok eval { wait_for { scrape()->{'jobs_waiting{kind="merge_words"}'} == 0 } 20, 'the count' }, 'nor do the others wait any more';
};

# The words are known beforehand; what they leave out would be `other`.
subtest 'labels' => sub {
    my $known = sub { my ($list) = slurp('src/base/metrics.c') =~ /\b$_[0]\[\] = \{(.*?)\};/s; my %known = map { $_ => 1 } $list =~ /"(\w+)"/g; return \%known };
    my ($kinds) = slurp('src/core/job.c') =~ /kinds\[\] = \{(.*?)\n\};/s;
    my ($codes) = slurp('src/core/extract.c') =~ /known\[\] = \{(.*?)\};/s;
    my %codes = (kinds => [$kinds =~ /\{"(\w+)"/g], extracted => [$codes =~ /"(\w+)"/g, slurp('src/core/extract.c') =~ /\bfail\([^,]+, \d+, "(\w+)"/g],
        codes => [map { slurp($_) =~ /\bfail\([^,]+, \d+, "(\w+)"/g } 'src/llm/embed.c', 'src/llm/service.c']);
    for my $list (sort keys %codes) {
        ok @{ $codes{$list} } > 3, scalar(@{ $codes{$list} }) . " $list";
        is_deeply [grep { !$known->($list)->{$_} } @{ $codes{$list} }], [], '... have places of their own';
    }
};

ok $exedra->stop, 'it ends well';
done_testing;
