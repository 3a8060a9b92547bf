# The published document of AnythingLLM's Developer API, walked: each operation is asked with ids that exist, answers with a status that is
# documented, and holds every key of the documented example with a value of that JSON type.  Where it answers otherwise, the list below says
# so and why; a difference that is gone, or an operation that has been built, fails until it is taken out of the list.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;
use Exedra::Form;

my $document = '../shared/contract/anythingllm-openapi.json';
plan skip_all => "$document is missing" if !-e $document;
my $paths = json_value(slurp($document))->{paths};
my %documented = map { my $path = $_; map { (uc($_) . " $path" => $paths->{$path}{$_}) } keys %{ $paths->{$path} } } keys %$paths;

# Operations that are still to be built.
my @missing = ();

# What is otherwise than documented.  `status`: another status; `no`: keys of the example that are not there, or of another type.
my $placeholder = 'the document shows placeholders';
my $uuid = 'the running original calls it uuid';
my $text = 'the running original calls it text';
my %differs = (
    'POST /v1/admin/workspace-chats' => { no => { success => 'the running original answers chats and hasPages', error => 'the same' } },
    'GET /v1/documents' => { no => { map { ("localFiles.items.0.$_" => 'files lie in folders, as with the running original') } qw(id url title cached) } },
    'GET /v1/document/{docName}' => { no => { localFiles => 'the running original answers document' } },
    'GET /v1/documents/folder/{folderName}' => { no => { 'documents.0.more' => $placeholder } },
    'GET /v1/document/metadata-schema' => { no => { map { ("schema.$_" => $placeholder) } qw(keyOne keyTwo specialKey) } },
    'GET /v1/document/generated-files/{filename}' => { status => [501, 'no agent makes files'] },
    'POST /v1/openai/images/generations' => { status => [501, 'no provider makes images'] },
    'POST /v1/openai/embeddings' => { status => [501, 'this test has no embedder'] },
    (map { ("POST /v1/document/upload$_" => { no => { 'documents.0.name' => 'the running original has it after a move only' } }) } '', '/{folderName}'),
    'POST /v1/workspace/new' => { no => { message => 'null with the running original' } },
    'POST /v1/embed/new' => { no => { 'embed.allowlist_domains' => 'a text with the running original', 'embed.workspace_slug' => 'it has workspace_id' } },
    'POST /v1/workspace/{slug}/update' => { no => { 'workspace.documents' => 'the running original has none here' } },
    'POST /v1/workspace/{slug}/update-embeddings' => { no => { message => 'the running original has none' } },
    'POST /v1/workspace/{slug}/chat' => { no => { 'sources.0.chunk' => $text } },
    'POST /v1/workspace/{slug}/thread/{threadSlug}/chat' => { no => { 'sources.0.chunk' => $text } },
    'POST /v1/workspace/{slug}/vector-search' => { no => { 'results.0.distance' => 'only where a vector was compared: this test has no embedder' } },
    'POST /v1/workspace/{slug}/stream-chat' => { no => { id => $uuid } },
    'POST /v1/workspace/{slug}/thread/{threadSlug}/stream-chat' => { no => { id => $uuid } },
    'GET /v1/system' => { no => { 'settings.PineConeIndex' => 'left out where it is not set', 'settings.[KEY_NAME]' => $placeholder } },
    'POST /v1/system/update-env' => { no => { 'newValues.[ENV_KEY]' => $placeholder } },
    'GET /v1/system/export-chats' => { no => { '' => 'a line of JSON a workspace, as with the running original' } },
);

my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
exedractl($db, qw(setting set acme simple_sso on));

sub ask { my ($method, $path, %with) = @_; return http($exedra, $method, $path, key => $acme->{key}, %with) }

# ---- what the ids are of ----

my (%id, %made);
sub make {
    my ($path, $json) = @_;
    my $got = ask(POST => "/v1/$path", json => $json);
    die "$path: $got->{status} $got->{body}\n" if $got->{status} != 200;
    return $got->{json};
}
workspace($exedra, $acme->{key}, 'Sample Workspace');
my $stored = document($exedra, $acme->{key}, 'boats', 'Boats float on water.', 'sample-workspace');
my $user = make('admin/users/new', { username => 'sample-sam', password => 'long enough' })->{user}{id};
my $other = make('admin/users/new', { username => 'other', password => 'long enough' })->{user}{id};
make('admin/workspaces/sample-workspace/manage-users', { userIds => [$user] });
make('workspace/sample-workspace/thread/new', { slug => 'talk', userId => $user });
chat($exedra, $acme->{key}, 'sample-workspace', 'Do boats float?');
make('document/create-folder', { name => 'old' });
my $invite = make('admin/invite/new', {})->{invite}{id};
my $embed = (grep { $_->{pattern} eq '/v1/embed/new' } routes())
    ? make('embed/new', { workspace_slug => 'sample-workspace', allowlist_domains => ['example.com'] })->{embed} : {};
my $name = $stored->{location} =~ s{.*/}{}r;
%id = (slug => 'sample-workspace', threadSlug => 'talk', docName => $name, folderName => 'custom-documents', workspaceId => 1, workspaceSlug => 'sample-workspace',
    filename => 'text-00000000-0000-0000-0000-000000000000.txt', embedUuid => $embed->{uuid}, sessionUuid => '00000000-0000-4000-8000-000000000000');
sub form_with { return (body => form(@_), headers => { 'Content-Type' => "multipart/form-data; boundary=$BOUNDARY" }) }
my @file = form_with(part(file => "Trains run on rails.\n", filename => 'trains.txt'));

# ---- the operations, in an order in which each finds what it needs ----

my $question = { message => 'Do boats float?', mode => 'query' };
my @walk = (
    ['GET /v1/auth'], ['GET /v1/admin/is-multi-user-mode'], ['GET /v1/admin/users'], ['GET /v1/users'], ['GET /v1/users/{id}/issue-auth-token', { id => $user }],
    ['POST /v1/admin/users/new', {}, json => { username => 'newcomer', password => 'long enough', role => 'default' }],
    ['POST /v1/admin/users/{id}', { id => $other }, json => { username => 'renamed', role => 'manager', suspended => 0 }],
    ['GET /v1/admin/invites'], ['POST /v1/admin/invite/new', {}, json => { workspaceIds => [1, 2, 45] }],
    ['GET /v1/admin/workspaces/{workspaceId}/users'], ['POST /v1/admin/workspaces/{workspaceSlug}/manage-users', {}, json => { userIds => [$user, $other], reset => JSON::PP::false() }],
    ['POST /v1/admin/workspaces/{workspaceId}/update-users', {}, json => { userIds => [$user] }],
    ['POST /v1/admin/workspace-chats', {}, json => { offset => 0 }], ['POST /v1/admin/preferences', {}, json => { support_email => 'support@example.com' }],
    ['POST /v1/document/upload', {}, @file], ['POST /v1/document/upload/{folderName}', {}, @file],
    ['POST /v1/document/upload-link', {}, json => { link => 'http://127.0.0.1/' }],
    ['POST /v1/document/raw-text', {}, json => { textContent => 'Planes fly.', metadata => { title => 'planes' } }],
    ['GET /v1/documents'], ['GET /v1/documents/folder/{folderName}'], ['GET /v1/document/accepted-file-types'], ['GET /v1/document/metadata-schema'],
    ['GET /v1/document/{docName}'], ['GET /v1/document/generated-files/{filename}'], ['POST /v1/document/create-folder', {}, json => { name => 'new-folder' }],
    ['POST /v1/workspace/new', {}, json => { name => 'My New Workspace', topN => 4, chatMode => 'chat' }], ['GET /v1/workspaces'], ['GET /v1/workspace/{slug}'],
    ['POST /v1/workspace/{slug}/update', {}, json => { name => 'Updated', openAiTemp => 0.2 }], ['GET /v1/workspace/{slug}/chats'],
    ['POST /v1/workspace/{slug}/update-embeddings', {}, json => { adds => [$stored->{location}], deletes => [] }],
    ['POST /v1/workspace/{slug}/update-pin', {}, json => { docPath => $stored->{location}, pinStatus => JSON::PP::true() }],
    ['POST /v1/workspace/{slug}/chat', {}, json => $question], ['POST /v1/workspace/{slug}/stream-chat', {}, json => $question],
    ['POST /v1/workspace/{slug}/vector-search', {}, json => { query => 'boats', topN => 4, scoreThreshold => 0 }],
    ['POST /v1/workspace/{slug}/thread/new', {}, json => { userId => $user, name => 'Name', slug => 'thread-slug' }],
    ['POST /v1/workspace/{slug}/thread/{threadSlug}/update', {}, json => { name => 'Updated' }],
    ['POST /v1/workspace/{slug}/thread/{threadSlug}/chat', {}, json => { %$question, userId => $user }],
    ['POST /v1/workspace/{slug}/thread/{threadSlug}/stream-chat', {}, json => { %$question, userId => $user }], ['GET /v1/workspace/{slug}/thread/{threadSlug}/chats'],
    ['GET /v1/system/env-dump'], ['GET /v1/system'], ['GET /v1/system/vector-count'], ['POST /v1/system/update-env', {}, json => { VectorDB => 'lancedb', AnotherKey => 'x' }],
    ['GET /v1/system/export-chats'],
    ['GET /v1/openai/models'], ['POST /v1/openai/chat/completions', {}, json => { model => 'sample-workspace', messages => [{ role => 'user', content => 'Do boats float?' }] }],
    ['POST /v1/openai/embeddings', {}, json => { input => ['one', 'two'], model => undef }], ['POST /v1/openai/images/generations', {}, form_with(part(prompt => 'A boat.'))],
    ['GET /v1/openai/vector_stores'],
    ['GET /v1/embed'], ['GET /v1/embed/{embedUuid}/chats'], ['GET /v1/embed/{embedUuid}/chats/{sessionUuid}'],
    ['POST /v1/embed/new', {}, json => { workspace_slug => 'sample-workspace', chat_mode => 'chat', allowlist_domains => ['example.com'], max_chats_per_day => 100, max_chats_per_session => 10 }],
    ['POST /v1/embed/{embedUuid}', {}, json => { enabled => JSON::PP::true(), allowlist_domains => ['example.com'] }],
    ['DELETE /v1/embed/{embedUuid}'], ['DELETE /v1/workspace/{slug}/thread/{threadSlug}'], ['DELETE /v1/admin/invite/{id}', { id => $invite }],
    ['DELETE /v1/admin/users/{id}', { id => $other }], ['POST /v1/document/move-files', {}, json => { files => [{ from => $stored->{location}, to => "old/$name" }] }],
    ['DELETE /v1/document/remove-folder', {}, json => { name => 'new-folder' }], ['DELETE /v1/system/remove-documents', {}, json => { names => ["old/$name"] }],
    ['DELETE /v1/workspace/{slug}'],
);

subtest 'the list' => sub {
    is_deeply [sort map { $_->[0] } @walk], [sort keys %documented], 'every operation is walked, and no other';
    my %built = map { ("$_->{method} " . $_->{pattern} =~ s/\{\w+\}/{}/gr => 1) } routes();
    is_deeply [grep { !$built{s/\{\w+\}/{}/gr} } sort keys %documented], [sort @missing], 'those that are not built are known: ' . @missing;
};

# ---- what an answer must hold ----

sub kind_of { my $kind = Exedra::Contract::kind($_[0]); return $kind eq 'int' ? 'number' : $kind }

# The keys of the example that are not there, or of another type.  null stands for any type; of an array the first item counts.
sub lacking {
    my ($value, $example, $path) = @_;
    my $kind = kind_of($example);
    return () if $kind eq 'null' || ($path =~ /(?:^|\.)error$/ && kind_of($value) =~ /^(?:null|bool|string)$/);
    return $path if kind_of($value) ne $kind;
    if ($kind eq 'object') {
        return map { exists $value->{$_} ? lacking($value->{$_}, $example->{$_}, $path eq '' ? $_ : "$path.$_") : $path eq '' ? $_ : "$path.$_" } sort keys %$example;
    }
    return () if $kind ne 'array' || !@$example;
    return @$value ? lacking($value->[0], $example->[0], $path eq '' ? 0 : "$path.0") : ();
}

sub example_of {
    my ($operation, $status) = @_;
    my $content = $documented{$operation}{responses}{$status}{content} // {};
    my ($type) = grep { $_ ne 'application/xml' } sort keys %$content;
    return ($type // '', $type ? $content->{$type}{schema}{example} : undef);
}

# An answer as what the example shows: a JSON value, or the first event of a stream.
sub shown {
    my ($got, $type, $example) = @_;
    return ($got->{json}, $example) if $type ne 'text/event-stream';
    my ($first) = $got->{body} =~ /^data: (\{.*?"textResponseChunk".*\})$/m;
    return (json_value($first // '{}'), $example->[0]);
}

my %is_missing = map { $_ => 1 } @missing;
for my $step (@walk) {
    my ($operation, $ids, @with) = @$step;
    next if $is_missing{$operation};
    subtest $operation => sub {
        my ($method, $path) = split / /, $operation;
        $path =~ s/\{(\w+)\}/$ids->{$1} \/\/ $id{$1}/ge;
        is http($exedra, $method, $path, @with)->{status}, 403, 'without a key 403, as documented';
        my $got = ask($method, $path, @with);
        my $differs = $differs{$operation} // {};
        if ($differs->{status}) {
            is $got->{status}, $differs->{status}[0], "$differs->{status}[0]: $differs->{status}[1]";
            ok !$documented{$operation}{responses}{$got->{status}}, 'which is documented nowhere';
            return;
        }
        ok $documented{$operation}{responses}{$got->{status}}, "$got->{status} is documented" or diag $got->{body};
        my ($type, $example) = example_of($operation, $got->{status});
        return if !defined $example;
        my %no = %{ $differs->{no} // {} };
        if (exists $no{''}) {
            pass "not its example: $no{''}";
            return;
        }
        my %lacks = map { $_ => 1 } lacking(shown($got, $type, $example), '');
        is_deeply [sort keys %lacks], [sort keys %no], 'every key of the example has its type' . (%no ? ', but for what is known' : '') or diag $got->{body};
    };
}

# Programs are begun with the document's own bodies: each is sent as it stands, and of `a | b` each by itself.
subtest 'bodies as they stand' => sub {
    workspace($exedra, $acme->{key}, $_) for 'Sample Workspace', 'Workspace Slug 1';
    make('workspace/sample-workspace/thread/new', { slug => 'talk' });
    $id{id} = make('admin/users/new', { username => 'standing', password => 'long enough' })->{user}{id};
    $id{embedUuid} = make('embed/new', { workspace_slug => 'sample-workspace' })->{embed}{uuid};
    $id{workspaceId} = http($exedra, GET => '/v1/workspace/sample-workspace', key => $acme->{key})->{json}{workspace}[0]{id};
    my $no_document = 'The attachment this is a document.pdf cannot be read: ';
    my %otherwise = (
        'POST /v1/admin/users/new' => [400, 'password should be at least 8 characters long'], 'POST /v1/admin/users/{id}' => [200, 'password should be at least 8 characters long'],
        'POST /v1/document/move-files' => [404, 'Failed to move some files.'], 'POST /v1/workspace/{slug}/update-pin' => [404, 'Not Found'], 'POST /v1/openai/embeddings' => [501, 'embed'],
        'POST /v1/system/update-env' => [200, 'VectorDB'], (map { ("POST /v1/workspace/{slug}/$_" => [422, $no_document]) } qw(chat stream-chat thread/{threadSlug}/stream-chat)),
    );
    my $n = 0;
    for my $operation (sort keys %documented) {
        my $example = $documented{$operation}{requestBody}{content}{'application/json'};
        $example = $example->{example} // $example->{schema}{example} // next;
        next if $operation =~ /upload-link/;            # it would leave this machine
        my ($method, $path) = split / /, $operation;
        $path =~ s/\{(\w+)\}/$id{$1}/g;
        my @choices = map { [$_, split / \| /, $example->{$_}] } grep { ($example->{$_} // '') =~ / \| / } qw(mode role);
        my ($field, @values) = @{ $choices[0] // [] };
        my ($status, $words) = @{ $otherwise{$operation} // [200] };
        for my $body (@values ? map({ { %$example, $field => $_ } } @values) : $example) {
            my $got = ask($method, $path, json => $body);
            is $got->{status}, $status, $operation . (@values ? ", $field $body->{$field}" : '') or diag $got->{body};
            like $got->{body}, qr/\Q$words\E/i, '… says why' if $words;
            unlike $got->{body}, qr/"success":false|"error":"/, '… is taken' if !$words;
        }
        $n++;
    }
    cmp_ok $n, '>=', 25, "$n of them";
};

done_testing;
