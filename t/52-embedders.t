# Documents and the embedder: what it is asked, what is kept of its answers, and what becomes of a document when it answers wrongly, late
# or never: it is not put in, and no vector stays behind.  A change of the embedder: the old vectors serve until the new ones are
# there, which are made in the background.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Hostile qw(asan);
use Exedra::OpenWebUI;
use Exedra::Provider;

my $db = database();
my $provider = start_provider();
my $timeout = asan() ? 12 : 2;
my %settings = (reading(), 'embed.url' => $provider->{url}, 'embed.key' => $KEY, 'embed.model' => 'good', 'embed.batch' => 10,
    'chunk.size' => 100, 'chunk.overlap' => 0,
    'llm.timeout.connect' => $timeout, 'outbound.allow' => '127.0.0.0/8', 'secret.file' => tmp_dir() . '/secret.key', drain => 10);
my $exedra = start_exedra(db => $db, settings => \%settings);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $n = 0;

# A workspace whose documents this model embeds; of this provider, if one is named.
sub room {
    my ($model, $by) = @_;
    my $made = workspace($exedra, $key, 'Room ' . ++$n);
    embedder($made->{slug}, $by, $model) if defined $model;
    return $made;
}

sub embedder {
    my ($slug, $by, $model) = @_;
    exedractl($db, qw(embedder set acme), $by // 'generic-openai', defined $model ? ('--model', $model) : (), defined $slug ? ('--workspace', $slug) : ());
}

# A text of so many passages, like no other.
sub text { my ($passages) = @_; my $own = ++$n; return join "\n\n", map { "Passage $_ of text $own. It goes on and on. It goes on and on. It goes on and on." } 1 .. $passages }

sub put_by { return http($_[0], POST => "/v1/workspace/$_[1]/update-embeddings", key => $key, json => { adds => [map { $_->{location} } @_[2 .. $#_]] }) }
sub put { return put_by($exedra, @_) }
sub docpaths { return [map { $_->{docpath} } @{ $_[0]{json}{workspace}{documents} }] }
sub version_of { return psql($db, "SELECT version_id FROM exedra.document WHERE uuid = '$_[0]{id}'") }

# How many vectors, and complete sets, of this model there are; of this document only, if one is named.
sub vectors {
    my ($model, $document) = @_;
    my $where = "JOIN exedra.embedder b ON b.id = e.embedder_id WHERE b.model = '$model'"
        . ($document ? " AND e.version_id = (SELECT version_id FROM exedra.document WHERE uuid = '$document->{id}')" : '');
    return psql($db, "SELECT (SELECT count(*) FROM exedra.embedding e $where) || ' ' || (SELECT count(*) FROM exedra.embedded e $where)");
}

# What was asked for texts that hold this.
sub asked_of {
    my ($part) = @_;
    return grep { $_->{question} =~ /^embed / && grep { index($_, $part) >= 0 } ref $_->{json}{input} ? @{ $_->{json}{input} } : () } $provider->requests;
}

# As `work_for` a tenant's administrator sees it.
sub as_acme { return psql($db, "BEGIN; SELECT exedra.work_for(exedra.find_tenant('acme'), NULL, 30); $_[0]; COMMIT") =~ s/\A\s+//r }

subtest 'what the embedder is asked' => sub {
    my $slug = room()->{slug};
    my $document = document($exedra, $key, 'Whale song', my $text = text(25));
    is_deeply docpaths(put($slug, $document)), [$document->{location}], 'the document is put in';
    my @asked = asked_of("of text $n.");
    is_deeply [map { scalar @{ $_->{json}{input} } } @asked], [10, 10, 5], 'passages in batches of embed.batch';
    is_deeply [@{ $asked[0] }{qw(method target)}], [POST => '/v1/embeddings'], 'where it goes';
    is $asked[0]{headers}{authorization}, "Bearer $KEY", 'with the key';
    is_deeply { map { $_ => $asked[0]{json}{$_} } grep { $_ ne 'input' } keys %{ $asked[0]{json} } }, { model => 'good', encoding_format => 'float' }, 'model and form, nothing else';
    is_deeply [map { @{ $_->{json}{input} } } @asked],
        [map { "whale-song.txt\n\n$_" } @{ json_value(psql($db, 'SELECT json_agg(text ORDER BY no) FROM exedra.chunk WHERE version_id = ' . version_of($document))) }],
        'each under the title of its document, in order';
    is vectors('good', $document), '25 1', 'all are stored, and the set is complete';
    is psql($db, q{SELECT provider, model, prompt_tokens, completion_tokens, estimated FROM exedra.usage}), "generic-openai\tgood\t21\t0\tf", 'and charged, as the provider counted';
    put($slug, $document);
    my $second = room()->{slug};
    is_deeply docpaths(put($second, $document)), [$document->{location}], 'in a second workspace too';
    is scalar(asked_of("of text " . ($n - 1) . ".")), 3, 'nobody is asked again';
};

subtest 'what is stored' => sub {
    my $document = document($exedra, $key, 'Vectors', 'Some few words.', room()->{slug});
    my ($code, $bytes) = split /\t/, psql($db, "SELECT code, encode(vector, 'hex') FROM exedra.embedding WHERE version_id = " . version_of($document));
    my $wanted = vector_of("vectors.txt\n\nSome few words.");
    my $length = 0;
    $length += $_ * $_ for @$wanted;
    my @stored = unpack 'f<*', pack 'H*', $bytes;
    is scalar(grep { abs($stored[$_] - $wanted->[$_] / sqrt $length) > 1e-5 } 0 .. $#$wanted), 0, 'the vector, of length 1, as float32, little-endian';
    is $code, join('', map { $_ > 0 ? 1 : 0 } @$wanted), 'its code: a bit a component, 1 where it is positive';
    is psql($db, "SELECT dimension FROM exedra.embedder WHERE model = 'good'"), 64, 'the embedder\'s dimension';
};

subtest 'long texts' => sub {
    my $elsewhere = database();
    my $narrow = start_exedra(db => $elsewhere, settings => { %settings, 'embed.limit' => 100, 'embed.dimensions' => 16, 'embed.encoding' => 'base64', 'embed.batch' => 64 });
    my $narrow_key = tenant($elsewhere, 'narrow')->{key};
    my $document = document($narrow, $narrow_key, 'Cut', 'ä' x 90 . ' ' . ++$n, workspace($narrow, $narrow_key, 'Narrow')->{slug});
    my ($asked) = grep { $_->{question} =~ /^embed cut/ } $provider->requests;
    is $asked->{json}{input}[0], "cut.txt\n\n" . 'ä' x 45, 'are cut at embed.limit, at a character';
    is_deeply [@{ $asked->{json} }{qw(encoding_format dimensions)}], ['base64', 16], 'base64 and dimensions as the settings say';
    is psql($elsewhere, 'SELECT asked, dimension, (SELECT min(length(code)) FROM exedra.embedding) FROM exedra.embedder'), "16\t16\t16", '... and so it is';
    ok $narrow->stop, 'it ends well';
};

# How it is answered does not matter.
subtest 'forms of answers' => sub {
    for my $model (qw(numbers base64 slashes spaced reversed no-index good:100 late:0.3)) {
        my $room = room($model);
        my $document = document($exedra, $key, "Form $model", text(3));
        is_deeply docpaths(put($room->{slug}, $document)), [$document->{location}], $model;
        my $stored = psql($db, "SELECT string_agg(encode(e.vector, 'hex'), '' ORDER BY e.chunk_id) FROM exedra.embedding e JOIN exedra.embedder b ON b.id = e.embedder_id
            WHERE b.model = '$model' AND e.version_id = " . version_of($document));
        my @wanted = map { my $at = vector_of($_, $model =~ /:100/ ? 100 : 64); my $length = 0; $length += $_ * $_ for @$at; map { $_ / sqrt $length } @$at }
            map { @{ $_->{json}{input} } } asked_of("of text $n.");
        my @stored = unpack 'f<*', pack 'H*', $stored;
        is scalar(grep { abs($stored[$_] - $wanted[$_]) > 1e-5 } 0 .. $#wanted), 0, '... each vector with its text' if is scalar @stored, scalar @wanted, '... of the right number';
    }
};

subtest 'Ollama' => sub {
    exedractl($db, qw(provider set acme llama), $provider->{url}, qw(--kind ollama));
    my $room = room('good:48', 'llama');
    my $document = document($exedra, $key, 'Llama', text(3));
    is_deeply docpaths(put($room->{slug}, $document)), [$document->{location}], 'is understood';
    my ($asked) = asked_of("of text $n.");
    is $asked->{target}, '/api/embed', 'its own API, beside the /v1';
    is_deeply { map { $_ => $asked->{json}{$_} } grep { $_ ne 'input' } keys %{ $asked->{json} } }, { model => 'good:48', truncate => JSON::PP::true() }, 'in its own words';
    is vectors('good:48', $document), '3 1', 'the vectors are stored';
    exedractl($db, qw(provider set acme), 'llama at once', $provider->{url} =~ s{/v1$}{}r, qw(--kind ollama));
    is_deeply docpaths(put(room('good:24', 'llama at once')->{slug}, $document)), [$document->{location}], 'an address without /v1';
    my $wrong = room('fewer:llama', 'llama');
    is_deeply docpaths(put($wrong->{slug}, $document)), [], 'too few vectors are too few';
    is vectors('fewer:llama'), '0 0', '... and none stays';
};

# Each: what the log says of it, and how often the provider is asked.
subtest 'what an embedder does wrong' => sub {
    my $hasty = start_exedra(db => $db, settings => { %settings, 'embed.timeout' => $timeout });
    exedractl($db, qw(provider set acme closed), 'http://127.0.0.1:' . free_port() . '/v1');
    exedractl($db, qw(provider set acme outside), 'http://192.0.2.1:81/v1');
    my %fault = (
        'fewer' => [embed_count => 1], 'more' => [embed_count => 1], 'none' => [embed_count => 1], 'index-twice' => [embed_count => 1], 'index-odd' => [embed_count => 1],
        'mixed' => [embed_dimension => 1], 'empty' => [embed_dimension => 1], 'long' => [embed_dimension => 1], 'changing' => [embed_dimension => 2],
        (map { $_ => [embed_vector => 1] } qw(nan nan-small infinity huge over null null-vector zeros nan-base64)),
        (map { $_ => [embed_invalid => 1] } qw(words nested odd-base64 not-base64 half-float object no-data data-odd array html nothing json-broken endless)),
        'error-200' => [embed_error => 1],
        'late:' . 3 * $timeout => [embed_timeout => 1], 'never' => [embed_timeout => 1], 'silent-mid' => [embed_timeout => 1],
        'cut' => [embed_cut => 1], 'reset' => [embed_cut => [3, 6]],
        'status:400' => [embed_refused => 1], 'status:413' => [embed_refused => 1], 'status:404' => [embed_model => 1], 'status:401' => [embed_error => 1],
        'status:500' => [embed_error => 3], 'status:429' => [embed_busy => 3], 'status:503' => [embed_unavailable => 3], 'later:503 30' => [embed_unavailable => 1],
        'fails-later:500,1' => [embed_error => 4], 'fails-later:400,2' => [embed_refused => 3],
    );
    my @faults = sort keys %fault;
    my %room = map { $_ => room() } @faults;
    psql($db, join ';', map { "UPDATE exedra.workspace SET embedding_model = '$_' WHERE id = $room{$_}{id}" } @faults);
    my %document = map { $_ => document($exedra, $key, "Fault $_", text(25)) } @faults;
    my %by = ('closed' => 'embed_unreachable', 'nobody' => 'embed_missing');
    ($room{$_}, $document{$_}) = (room('good', $_), document($exedra, $key, "By $_", text(2))) for sort keys %by;
    my $good = document($exedra, $key, 'Good', 'Good words.', room()->{slug});
    my @got = in_parallel(12, sub { my $got = put_by($hasty, $room{$_[0]}{slug}, $document{$_[0]}); { status => $got->{status}, documents => docpaths($got) } }, @faults, sort keys %by);
    my %times;
    $times{$_->{json}{model} // ''}++ for $provider->requests;
    my %left = map { split /\t/ } split /\n/, psql($db, 'SELECT DISTINCT b.model, 1 FROM exedra.embedder b JOIN exedra.embedding e ON e.embedder_id = b.id');
    for my $i (0 .. $#got) {
        my $fault = (@faults, sort keys %by)[$i];
        my ($code, $asked) = $by{$fault} ? ($by{$fault}, 0) : @{ $fault{$fault} };
        subtest $fault => sub {
            is_deeply $got[$i], { status => 200, documents => [] }, 'the document is not put in';
            my ($said) = $hasty->log_text =~ /event=document_left_out \S+ document=\d+ workspace=$room{$fault}{id} code=(\w+)/;
            is $said, $code, 'the log says why';
            ok !$left{$fault}, 'no vector stays behind';
            my ($least, $most) = ref $asked ? @$asked : ($asked, $asked);
            my $times = $times{$fault} // 0;
            ok $times >= $least && $times <= $most, "it is asked $times times" if !$by{$fault};
        };
    }
    unlike $hasty->log_text, qr/\Q$KEY\E|$WORDS|goes on and on/, 'the log holds no key, none of its words, no text';
    is psql($db, 'SELECT count(*) FROM exedra.embedding e WHERE NOT EXISTS (SELECT FROM exedra.embedded b WHERE b.version_id = e.version_id AND b.embedder_id = e.embedder_id)'), 0,
        'there is no incomplete set at all';
    ok $hasty->stop, 'it ends well';
    my $changed = $room{'status:500'}{slug};
    embedder($changed, undef, 'good');
    is_deeply docpaths(put($changed, $document{'status:500'})), [$document{'status:500'}{location}], 'with another embedder such a document is put in';
};

subtest 'what may pass' => sub {
    for my $case (['flaky:500,2', 3], ['flaky:429,1', 2], ['flaky:503,2', 3]) {
        my ($model, $times) = @$case;
        my $document = document($exedra, $key, "Flaky $model", text(2));
        is_deeply docpaths(put(room($model)->{slug}, $document)), [$document->{location}], "$model: put in" or diag $exedra->log_text =~ /.*(?:left_out|retry).*\n/g;
        is scalar(grep { ($_->{json}{model} // '') eq $model } $provider->requests), $times, "... after $times calls";
    }
    my ($one, $two) = map { document($exedra, $key, "Dimension $_", text(1)) } 1, 2;
    my $slug = room('changes-later:1')->{slug};
    is_deeply docpaths(put($slug, $one, $two)), [$one->{location}], 'a later answer of another dimension is refused';
    is vectors('changes-later:1', $one), '1 1', '... and what was there stays';
    is vectors('changes-later:1', $two), '0 0', '... alone';
    my @some = map { document($exedra, $key, "Some $_", text(1)) } 1 .. 3;
    $slug = room('short:60')->{slug};
    my $short = document($exedra, $key, 'Short', 'Few words.');
    is_deeply docpaths(put($slug, $some[0], $short, $some[1])), [$short->{location}], 'of several those are put in that can be embedded';
};

subtest 'providers of a tenant\'s own' => sub {
    my $conf = write_settings(tmp_dir() . '/mine.conf', { 'secret.file' => $settings{'secret.file'} });
    my $ran = run([program('exedractl'), '-d', $db->conninfo('owner'), '-c', $conf, qw(provider set acme mine), $provider->{url}, qw(--key - --kind openai)], stdin => "sk-mine-secret\n");
    is $ran->{status}, 0, 'with a sealed key' or diag $ran->{err};
    my $own = start_exedra(db => $db, settings => { %settings, 'embed.url' => undef, 'embed.model' => undef });
    my $document = document($own, $key, 'Mine', text(2));
    my $slug = room('good:20', 'mine')->{slug};
    my $got = put_by($own, $slug, $document);
    is_deeply docpaths($got), [$document->{location}], 'where the server has no embedder';
    my ($asked) = asked_of("of text " . ($n - 1) . ".");
    is $asked->{headers}{authorization}, 'Bearer sk-mine-secret', '... gets its key';
    $slug = workspace($own, $key, 'Words alone')->{slug};
    $got = put_by($own, $slug, $document);
    is_deeply docpaths($got), [$document->{location}], 'a workspace without an embedder takes the document as it is';
    my $shut = start_exedra(db => $db, settings => { %settings, 'outbound.allow' => '10.0.0.0/8' });
    $document = document($shut, $key, 'Forbidden', text(1));
    my $room = room('good:21', 'mine');
    $got = put_by($shut, $room->{slug}, $document);
    is_deeply docpaths($got), [], 'an address that is not permitted';
    like $shut->log_text, qr/document_left_out .*code=embed_forbidden/, '... is called by its name';
    is scalar(asked_of("of text " . ($n - 1) . ".")), 0, '... and nobody is asked';
    psql($db, "UPDATE exedra.provider SET sealed_key = '\\x00' WHERE name = 'mine'");
    put($room->{slug}, $document);
    like $exedra->log_text, qr/document_left_out .*workspace=$room->{id} code=embed_sealed/, 'a key that cannot be read, too';
    my $none = room(undef);
    embedder($none->{slug}, 'none');
    $document = document($exedra, $key, 'Nobody', text(1), $none->{slug});
    is psql($db, 'SELECT count(*) FROM exedra.embedding WHERE version_id = ' . version_of($document)), 0, 'none is nobody, though the server has one';
    is psql($db, "SELECT count(*) FROM exedra.workspace_document WHERE workspace_id = $none->{id}"), 1, '... and the document is there';
    ok $_->stop, 'it ends well' for $own, $shut;
};

# Open WebUI's files, where an embedder's failure is told.
subtest 'files, and other texts for them' => sub {
    my $post = sub { return http($exedra, POST => "/api/v1/$_[0]", key => $key, json => $_[1]) };
    my $told = sub { return [$_[0]{status}, $_[0]{json}{detail}] };
    my $file = upload($exedra, $key, 'river.txt', text(3));
    is_deeply read_at_last($exedra, $key, $file->{id}), { status => 'completed' }, 'a file is read';
    is vectors('good', { id => $file->{id} }), '3 1', '... with its vectors';
    my $box = collection($exedra, $key, 'Box ' . ++$n)->{id};
    is $post->("knowledge/$box/file/add", { file_id => $file->{id} })->{status}, 200, 'it goes into a collection';
    my $old = version_of($file);
    is $post->("files/$file->{id}/data/content/update", { content => text(5) })->{status}, 200, 'it gets another text';
    isnt version_of($file), $old, '... which is another version';
    is vectors('good', $file), '5 1', '... with all its vectors, by then';
    is scalar(grep { /^river\.txt\n\n/ } map { @{ $_->{json}{input} } } asked_of("of text $n.")), 5, '... under its name';
    is psql($db, "SELECT count(*) FROM exedra.embedding WHERE version_id = $old"), 0, 'the old ones are gone';
    psql($db, "UPDATE exedra.workspace SET embedding_model = 'status:413' WHERE slug = '$box'");
    $old = version_of($file);
    is_deeply $told->($post->("files/$file->{id}/data/content/update", { content => text(2) })), [400, 'The embedder refused the text with status 413.'],
        'a text that cannot be embedded is refused';
    is version_of($file), $old, '... and the old one stays';
    is psql($db, 'SELECT count(*) FROM exedra.document_version v WHERE NOT EXISTS (SELECT FROM exedra.document d WHERE d.version_id = v.id)'), 0, '... and nothing of the new one';
    my $other = upload($exedra, $key, 'lake.txt', text(2));
    read_at_last($exedra, $key, $other->{id});
    is_deeply $told->($post->("knowledge/$box/file/add", { file_id => $other->{id} })), [400, 'The embedder refused the text with status 413.'], 'nor is a file put in';
    is_deeply [map { $_->{filename} // $_->{meta}{name} } @{ http($exedra, GET => "/api/v1/knowledge/$box", key => $key)->{json}{files} // [] }], ['river.txt'], '... as the list says';
};

# hostile case D047
subtest 'the same at once' => sub {
    my @rooms = map { room('gate') } 1 .. 3;
    my $document = document($exedra, $key, 'Twin', text(25));
    my @slugs = map { $_->{slug} } @rooms, @rooms;
    $provider->open_gate;
    my @got = in_parallel(6, sub { docpaths(put($_[0], $document)) }, @slugs);
    is_deeply \@got, [([$document->{location}]) x 6], 'six times the same document: each has it';
    is vectors('gate', $document), '25 1', '... with one set of vectors';
    is psql($db, "SELECT count(*) FROM exedra.workspace_document WHERE document_id = (SELECT id FROM exedra.document WHERE uuid = '$document->{id}')"), 3, '... and each workspace once';
    # One of two that do the same fails and takes back what is there.
    my $other = document($exedra, $key, 'Other', text(25));
    my $room = room('fails-later:400,4');
    @got = in_parallel(2, sub { docpaths(put($room->{slug}, $other)) }, 1, 2);
    my ($stored, $complete) = split / /, vectors('fails-later:400,4', $other);
    ok $stored == 25 && $complete == 1 || $stored == 0 && $complete == 0, "$stored vectors, $complete complete sets: all of it, or nothing";
    is !!$complete, !!@{ docpaths(http($exedra, POST => "/v1/workspace/$room->{slug}/update-embeddings", key => $key, json => {})) }, '... and so the document';
};

subtest 'deleted while it is embedded' => sub {
    $provider->shut_gate;
    my $room = room('gate');
    my $document = document($exedra, $key, 'Gone', text(12));
    my $version = version_of($document);
    my $pid = fork // die "fork: $!";
    if (!$pid) { eval { put($room->{slug}, $document) }; POSIX::_exit(0) }
    wait_for { asked_of("of text $n.") } 10, 'the first batch';
    psql($db, "DELETE FROM exedra.document WHERE uuid = '$document->{id}'");
    $provider->open_gate;
    waitpid $pid, 0;
    is psql($db, "SELECT count(*) FROM exedra.workspace_document WHERE workspace_id = $room->{id}"), 0, 'it is not put in';
    is psql($db, "SELECT (SELECT count(*) FROM exedra.embedding WHERE version_id = $version) + (SELECT count(*) FROM exedra.embedded WHERE version_id = $version)
        + (SELECT count(*) FROM exedra.chunk WHERE version_id = $version)"), 0, 'nothing of it is left';
    like $exedra->log_text, qr/document_left_out .*workspace=$room->{id} code=(?:version_gone|conflict)/, 'the log says why';
    put($room->{slug}, my $next = document($exedra, $key, 'Next', text(2)));
    is vectors('gate', $next), '2 1', 'the next is';
};

# ---- questions ----

# What a search finds, best first, and which of it a vector was compared for; and how the embedder failed.
sub search {
    my ($slug, $query, $server) = @_;
    my $got = http($server // $exedra, POST => "/v1/workspace/$slug/vector-search", key => $key, json => { query => $query, scoreThreshold => 0 });
    my ($failed) = ($server // $exedra)->log_text =~ /event=embed_failed id=\Q$got->{headers}{'x-request-id'}\E .*code=(\w+)/;
    return { status => $got->{status}, found => [map { $_->{text} =~ s/.*<.document_metadata>\n\n//sr } @{ $got->{json}{results} }],
        compared => scalar(grep { defined $_->{distance} } @{ $got->{json}{results} }), failed => $failed };
}

subtest 'questions' => sub {
    my $room = room('good:70');
    document($exedra, $key, "Sea $_", "$_ swim in the sea.", $room->{slug}) for qw(Whales Seals Herrings);
    my $got = search($room->{slug}, 'which herrings swim');
    is_deeply [$got->{found}[0], $got->{compared}, $got->{failed}], ['Herrings swim in the sea.', 3, undef], 'find by vectors';
    is $provider->last_request('embed which herrings swim')->{json}{model}, 'good:70', '... of the workspace\'s embedder';
    search($room->{slug}, 'ä' x 5000);
    is $provider->asked('embed ' . 'ä' x 4096), 1, 'a long question is cut';
    # From here on the same vectors are said to be another model's; rooms of before may have made one of that name.
    my $call = sub { psql($db, "DELETE FROM exedra.embedder WHERE model = '$_[0]' AND dimension IS DISTINCT FROM 70;
        UPDATE exedra.embedder SET model = '$_[0]' WHERE dimension = 70; UPDATE exedra.workspace SET embedding_model = '$_[0]' WHERE id = $room->{id}") };
    my %fault = ('status:500' => 'embed_error', 'nan' => 'embed_vector', 'good:71' => 'embed_dimension', 'cut' => 'embed_cut', 'status:404' => 'embed_model');
    for my $model (sort keys %fault) {
        $call->($model);
        $got = search($room->{slug}, "the sea, $model");
        is_deeply [@$got{qw(status compared failed)}, scalar @{ $got->{found} }], [200, 0, $fault{$model}, 3], "$model: found by words alone";
    }
    $call->('never');
    my $one = start_exedra(db => $db, settings => { %settings, processes => 1, 'embed.timeout' => $timeout });
    is search($room->{slug}, 'the sea', $one)->{failed}, 'embed_timeout', 'one that does not answer is waited for';
    is search($room->{slug}, 'the sea', $one)->{failed}, 'embed_shunned', '... and not asked again for a while';
    is scalar(@{ search($room->{slug}, 'the sea', $one)->{found} }), 3, '... and the words find what there is';
    my $other = room('good:72');
    document($exedra, $key, 'Sea again', 'Crabs swim in the sea.', $other->{slug});
    is search($other->{slug}, 'crabs', $one)->{compared}, 1, 'another model there is asked';
    ok $one->stop, 'it ends well';
    $call->('good:70');
    is search($room->{slug}, 'the sea')->{compared}, 3, 'when it is well again, so is the search';
};

# ---- changes ----

# Which embedder a search would compare with.
sub serving { my ($room) = @_; return as_acme("SELECT s.model FROM exedra.serving_embedder('{$room->{id}}', '{}', 'generic-openai', 'good', 0) s") }

subtest 'another model for a workspace' => sub {
    my $room = room('good:30');
    my @documents = map { document($exedra, $key, "Change $_", text(3), $room->{slug}) } 1 .. 20;
    is serving($room), 'good:30', 'its vectors serve';
    $provider->shut_gate;
    embedder($room->{slug}, undef, 'gate');
    wait_for { grep { ($_->{json}{model} // '') eq 'gate' && $_->{json}{input}[0] =~ /^change/ } $provider->requests } 20, 'the first new vectors to be asked for';
    is serving($room), 'good:30', 'after a change the old ones serve still';
    is_deeply [map { vectors('good:30', $_) } @documents], [('3 1') x 20], '... all of them';
    is_deeply [@{ search($room->{slug}, 'Passage 2 of text') }{qw(compared failed)}], [4, undef], '... in searches';
    my $late = document($exedra, $key, 'Change later', text(1));
    $provider->open_gate;
    is_deeply [grep { $_ eq $late->{location} } @{ docpaths(put($room->{slug}, $late)) }], [$late->{location}], 'a document that is put in meanwhile gets the new ones';
    wait_for { vectors('gate', $documents[-1]) eq '3 1' && !grep { vectors('gate', $_) ne '3 1' } @documents } 30, 'all new vectors';
    is serving($room), 'gate', 'when they are there, they serve';
    is_deeply [@{ search($room->{slug}, 'Passage 2 of text') }{qw(compared failed)}], [4, undef], '... in searches';
    wait_for { vectors('good:30') eq '0 0' && psql($db, "SELECT count(*) FROM exedra.embedder WHERE model = 'good:30'") == 0 } 20, 'the end of the old ones';
    pass 'the old ones are deleted';
    wait_for { psql($db, "SELECT count(*) FROM exedra.job WHERE kind IN ('embed_version', 'embed_check') AND state <> 'failed' AND due_at < now() + interval '1 min'") == 0 } 20, 'the end of the jobs';
    pass '... and there is nothing more to do';
};

subtest 'to and fro' => sub {
    my $room = room('good:33');
    my @documents = map { document($exedra, $key, "Fro $_", text(4)) } 1 .. 24;
    my $flip = sub { for my $i (1 .. 15) { psql($db, "UPDATE exedra.workspace SET embedding_model = 'good:" . (33 + $i % 2) . "' WHERE id = $room->{id}") } return {} };
    my @got = in_parallel(4, sub { my ($from) = @_; return $from < 0 ? $flip->() : [map { put($room->{slug}, $documents[$_])->{status} } $from .. $from + 7] }, -1, 0, 8, 16);
    is_deeply [@got[1 .. 3]], [([(200) x 8]) x 3], 'documents are put in while the embedder changes again and again';
    psql($db, "UPDATE exedra.workspace SET embedding_model = 'good:33' WHERE id = $room->{id}");
    is_deeply [sort @{ docpaths(put($room->{slug})) }], [sort map { $_->{location} } @documents], 'all of them are there';
    wait_for { vectors('good:34') eq '0 0' && !grep { vectors('good:33', $_) ne '4 1' } @documents } 30, 'all vectors';
    is psql($db, 'SELECT count(*) FROM exedra.embedded b JOIN exedra.document_version v ON v.id = b.version_id
        WHERE v.n_chunks <> (SELECT count(*) FROM exedra.embedding e WHERE e.version_id = b.version_id AND e.embedder_id = b.embedder_id)'), 0, 'each set that counts as complete is';
};

subtest 'another model that does not work' => sub {
    my $room = room('good:31');
    my $document = document($exedra, $key, 'Keep', text(3), $room->{slug});
    embedder($room->{slug}, undef, 'status:422');
    wait_for { psql($db, q{SELECT count(*) FROM exedra.job WHERE kind = 'embed_version' AND state = 'failed' AND subject_id = } . version_of($document)) == 1 } 20, 'the job to fail';
    is psql($db, q{SELECT reason FROM exedra.job WHERE kind = 'embed_version' AND subject_id = } . version_of($document)), 'The embedder refused the text with status 422.', 'its reason is kept';
    is serving($room), 'good:31', 'the old vectors serve';
    is vectors('good:31', $document), '3 1', '... as they were';
    is vectors('status:422'), '0 0', 'of the new ones none stays';
    is_deeply docpaths(put($room->{slug})), [$document->{location}], 'the document is in the workspace still';
    embedder($room->{slug}, undef, 'good:31');
    is serving($room), 'good:31', 'and back';
};

# Their vectors are by the tenant's embedder, whatever those of most documents are by.
subtest 'files in no collection' => sub {
    my $gamma = tenant($db, 'gamma');
    my $room = workspace($exedra, $gamma->{key}, 'Gamma')->{slug};
    exedractl($db, qw(embedder set gamma generic-openai --model good:80 --workspace), $room);
    document($exedra, $gamma->{key}, "Room $_", text(2), $room) for 1 .. 4;
    my @files = map { my $file = upload($exedra, $gamma->{key}, "alone $_.txt", "Squids number $_ hide in the dark."); read_at_last($exedra, $gamma->{key}, $file->{id}); $file } 1 .. 2;
    my $ask = sub {
        my ($file, $query) = @_;
        http($exedra, POST => '/api/v1/retrieval/query/doc', key => $gamma->{key}, json => { collection_name => "file-$file->{id}", query => $query });
        my $asked = $provider->last_request("embed $query") // return 'none';
        return $asked->{json}{model};
    };
    is $ask->($files[0], 'squids, by themselves'), 'good', 'are searched by their own vectors';
    $provider->shut_gate;
    exedractl($db, qw(embedder set gamma generic-openai --model gate));
    wait_for { grep { ($_->{json}{model} // '') eq 'gate' && $_->{json}{input}[0] =~ /^alone/ } $provider->requests } 20, 'the first new vectors to be asked for';
    is $ask->($files[$_], "squids, in between $_"), 'good', 'after a change by the old ones still' for 0, 1;
    $provider->open_gate;
    wait_for { psql($db, "SELECT count(*) FROM exedra.embedded b JOIN exedra.embedder e ON e.id = b.embedder_id WHERE e.model = 'gate'
        AND b.version_id IN (SELECT version_id FROM exedra.document WHERE title LIKE 'alone%')") == 2 } 20, 'the new vectors';
    is $ask->($files[$_], "squids, afterwards $_"), 'gate', 'and then by the new ones' for 0, 1;
    exedractl($db, qw(tenant delete gamma));
};

# What was embedded for a question to be compared with is there still; but nobody is to be asked.
subtest 'none' => sub {
    my $delta = tenant($db, 'delta');
    my ($first, $second) = map { workspace($exedra, $delta->{key}, $_)->{slug} } 'First', 'Second';
    exedractl($db, qw(embedder set delta generic-openai --model good:80 --workspace), $second);
    document($exedra, $delta->{key}, "Of $_", text(2), $_) for $first, $second;
    my $asked = sub {
        my ($query, @names) = @_;
        http($exedra, POST => '/api/v1/retrieval/query/collection', key => $delta->{key}, json => { collection_names => \@names, query => $query });
        return scalar $provider->asked("embed $query");
    };
    is $asked->('delta, before', $first), 1, 'before: the server\'s is asked';
    exedractl($db, qw(embedder set delta none));
    is $asked->('delta, after', $first), 0, 'after: nobody, though the vectors are there';
    is $asked->('delta, the second', $second), 1, 'but for a workspace that has its own';
    is $asked->('delta, both', $first, $second), 1, 'in both too';
    exedractl($db, qw(embedder set delta none --workspace), $second);
    is $asked->('delta, neither', $first, $second), 0, 'until that is to have none either';
};

subtest 'another model for the tenant, for the server' => sub {
    my $beta = tenant($db, 'beta');
    my $slug = workspace($exedra, $beta->{key}, 'Beta')->{slug};
    my $document = document($exedra, $beta->{key}, 'Beta', text(3), $slug);
    is vectors('good', $document), '3 1', 'the server\'s embedder';
    exedractl($db, qw(embedder set beta generic-openai --model other --dimensions 12));
    wait_for { vectors('other', $document) eq '3 1' && vectors('good', $document) eq '0 0' } 20, 'the tenant\'s';
    is psql($db, "SELECT DISTINCT asked FROM exedra.embedder WHERE model = 'other'"), 12, 'a tenant\'s own, with its dimensions';
    like exedractl($db, qw(embedder list beta)), qr/^generic-openai\tother\t12\t12\t1\t\d{4}-[^\n]*$/, 'the list shows what is there';
    my $untouched = psql($db, "SELECT count(*) FROM exedra.embedding e JOIN exedra.embedder b ON b.id = e.embedder_id JOIN exedra.tenant t ON t.id = e.tenant_id
        WHERE t.name = 'acme' AND b.model = 'good'");
    cmp_ok $untouched, '>', 0, 'another tenant\'s stay';
    exedractl($db, qw(embedder unset beta));
    wait_for { vectors('good', $document) eq '3 1' && vectors('other') eq '0 0' } 20, 'the server\'s';
    pass 'and back';
    $exedra->reload('embed.model' => 'good:50');
    wait_for { vectors('good:50', $document) eq '3 1' && vectors('good', $document) eq '0 0' } 30, 'the server\'s new one';
    pass 'the server\'s settings name another one';
    $exedra->reload('embed.model' => undef, 'embed.url' => undef);
    $exedra->wait_log('event=reloaded');
    my $later = document($exedra, $beta->{key}, 'Beta later', text(1), $slug);
    wait_for { psql($db, 'SELECT provider IS NULL FROM exedra.server_embedder') eq 't' } 20, 'the new settings';
    is vectors('good:50', $document), '3 1', 'where no embedder is left the vectors stay, in case it comes back';
    $exedra->reload('embed.model' => 'good:50', 'embed.url' => $provider->{url});
    wait_for { vectors('good:50', $later) eq '1 1' } 20, 'what came in between';
    pass '... and what came in between is embedded then';
    exedractl($db, qw(tenant delete beta));
    is psql($db, "SELECT count(*) FROM exedra.embedding e WHERE NOT EXISTS (SELECT FROM exedra.tenant t WHERE t.id = e.tenant_id)"), 0, 'with the tenant all of it goes';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
