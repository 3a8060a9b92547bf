# Ids that are another's, or none, wherever an id may stand, made from the route table: in every path and in every body.
# Another tenant's is answered exactly as one that does not exist; -1, 2^63, 1.5, 1e3, text and the like never as an error
# of ours and never as something near.  And what a caller may not set (id, role, tenant, owner ...) is not set, whatever
# else the body holds.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract qw(fingerprint);
use Exedra::Form;
use Exedra::Hostile qw(inside_of);
use Exedra::Crossing qw(held_by);
use Exedra::RouteSuite qw(route_house suite call told filled id_of);

my $db = database();
my $exedra = start_exedra(db => $db);
my $first = 0;                          # ids that nothing else in an answer looks like
psql($db, "ALTER TABLE exedra.$_ ALTER COLUMN id RESTART WITH " . ($first += 1_000_001)) for qw(account workspace invite);
route_house(db => $db, server => $exedra);
my %suite = suite();
my ($house, $expect, $rank, $real, $random) = @suite{qw(house expect rank real random)};
my @routes = @{ $suite{routes} };
my ($acme, $beta) = map { $house->{$_}{key} } qw(acme beta);

# Beta's own things, by which it gets as far as the ids in a body.
http($exedra, POST => '/v1/workspace/beta-room/thread/new', key => $beta, json => { name => 'Talk', slug => 'beta-talk' });
my $document = document($exedra, $beta, 'own', 'A text of beta.', 'beta-room');
psql($db, "INSERT INTO exedra.setting SELECT id, 'simple_sso', 'on' FROM exedra.tenant");
my %own = (SLUG => 'beta-room', THREAD => 'beta-talk', NAME => $document->{location} =~ s{.*/}{}r, FOLDER => 'custom-documents',
    EMBED => http($exedra, POST => '/v1/embed/new', key => $beta, json => { workspace_slug => 'beta-room' })->{json}{embed}{uuid},
    USER => psql($db, "SELECT id FROM exedra.account WHERE username = 'out'"), ROOM => psql($db, "SELECT id FROM exedra.workspace WHERE slug = 'beta-room'"),
    FILE => psql($db, "SELECT f.uuid FROM exedra.file f JOIN exedra.document d ON d.file_id = f.id WHERE d.uuid = '$document->{id}'"));
$own{USER} = http($exedra, POST => '/v1/admin/users/new', key => $beta, json => { username => 'ben', password => 'long enough' })->{json}{user}{id};

# The ids that a body may hold, for each route that takes one: bodies with WORDS for them, numbers as "#WORD".
my @files = map { { files => [$_] } } { type => 'file', id => 'FILE' }, { type => 'collection', id => 'SLUG' }, { id => 'SLUG' };
my $asks = { messages => [{ role => 'user', content => 'Hi' }] };
my %bodies = (
    (map { $_ => [] } 'POST /v1/admin/users/new', 'POST /v1/admin/users/{id}', 'POST /invite/{code}', 'POST /v1/admin/workspace-chats', 'POST /v1/admin/preferences',
        'POST /v1/system/update-env', 'POST /v1/workspace/{slug}/update', 'POST /v1/workspace/{slug}/vector-search',
        'POST /v1/workspace/{slug}/thread/{threadSlug}/update', 'POST /embed/{embedUuid}/stream-chat', 'POST /v1/openai/embeddings', 'POST /v1/embeddings', 'POST /embeddings',
        'POST /v1/auths/signin', 'POST /v1/auths/signup', 'POST /v1/auths/update/password', 'POST /v1/files', 'POST /v1/files/{id}/data/content/update',
        'POST /v1/knowledge/{id}/update'),
    'POST /v1/admin/invite/new' => [{ workspaceIds => ['#ROOM'] }],
    (map { ("POST /v1/admin/workspaces/{id}/$_" => [{ userIds => ['#USER'] }, { userIds => ['USER'] }]) } 'update-users', 'manage-users'),
    (map { $_ => [] } 'POST /v1/document/upload', 'POST /v1/document/upload/{folderName}', 'POST /v1/audio/transcriptions'),  # forms: below
    'POST /v1/document/upload-link' => [{ link => 'http://127.0.0.1/', addToWorkspaces => 'SLUG' }],
    'POST /v1/document/raw-text' => [{ textContent => 'A text.', metadata => { title => 'T' }, addToWorkspaces => 'SLUG' }],
    'POST /v1/document/create-folder' => [{ name => 'FOLDER' }],
    'DELETE /v1/document/remove-folder' => [{ name => 'FOLDER' }],
    'POST /v1/document/move-files' => [{ files => [{ from => 'custom-documents/NAME', to => 'custom-documents/moved.json' }] },
        { files => [{ from => 'secret-folder/NAME', to => 'FOLDER/NAME' }] }],
    'DELETE /v1/system/remove-documents' => [{ names => ['custom-documents/NAME'] }],
    'POST /v1/workspace/new' => [{ name => 'SLUG' }],
    'POST /v1/workspace/{slug}/update-embeddings' => [{ adds => ['custom-documents/NAME'] }, { deletes => ['custom-documents/NAME'] }],
    'POST /v1/workspace/{slug}/update-pin' => [{ docPath => 'custom-documents/NAME', pinStatus => \1 }],
    (map { ("POST /v1/workspace/{slug}/$_" => [{ message => 'Hi', sessionId => 'THREAD' }, { message => 'Hi', userId => '#USER' }]) } 'chat', 'stream-chat'),
    (map { ("POST /v1/workspace/{slug}/thread/{threadSlug}/$_" => [{ message => 'Hi', userId => '#USER' }]) } 'chat', 'stream-chat'),
    'POST /v1/workspace/{slug}/thread/new' => [{ slug => 'THREAD' }, { userId => '#USER' }],
    'POST /v1/embed/new' => [{ workspace_slug => 'SLUG' }], 'POST /v1/embed/{embedUuid}' => [{ workspace_id => '#ROOM' }],
    'POST /v1/openai/chat/completions' => [{ %$asks, model => 'SLUG' }],
    (map { $_ => [] } 'POST /v1/responses', 'POST /v1/completions'),           # 501, whatever they say
    (map { my $path = $_; ("POST $path" => [{ %$asks, model => 'SLUG' }, map { { %$asks, model => 'beta-room', %$_ } } @files]) } '/v1/chat/completions', '/chat/completions'),
    'POST /v1/knowledge/create' => [{ name => 'SLUG', description => 'x', access_grants => [{ principal_type => 'user', principal_id => 'USER', permission => 'read' }] }],
    'POST /v1/knowledge/{id}/access/update' => [{ access_grants => [{ principal_type => 'user', principal_id => 'USER', permission => 'read' }] }],
    (map { ("POST /v1/knowledge/{id}/file/$_" => [{ file_id => 'FILE' }]) } qw(add update remove)),
    'POST /v1/knowledge/{id}/files/batch/add' => [[{ file_id => 'FILE' }]],
    'POST /v1/retrieval/process/text' => [{ name => 'a.txt', content => 'Words', collection_name => 'SLUG' }],
    'POST /v1/retrieval/process/web' => [{ url => 'http://127.0.0.1/', collection_name => 'SLUG' }],
    'POST /v1/retrieval/process/file' => [{ file_id => 'FILE' }, { file_id => 'OWN', collection_name => 'SLUG' }],
    'POST /v1/retrieval/process/files/batch' => [{ files => [{ id => 'FILE' }], collection_name => 'beta-room' }, { files => [{ id => 'OWN' }], collection_name => 'SLUG' }],
    'POST /v1/retrieval/query/doc' => [{ collection_name => 'SLUG', query => 'Hi' }],
    'POST /v1/retrieval/query/collection' => [{ collection_names => ['SLUG'], query => 'Hi' }],
);

# A body with the ids in their places, as JSON.
sub body_of {
    my ($body, $ids) = @_;
    return filled(json_text($body), $ids) =~ s/"(#?)(USER|ROOM)"/$1 ? $ids->{$2} : "\"$ids->{$2}\""/ger =~ s/\bOWN\b/$own{FILE}/r;
}

# An answer without what differs between any two.
sub same {
    my ($got, $ids) = @_;
    my $told = told($got, $ids, 0);
    $told->{body} =~ s/[0-9A-Z]{7}(?:-[0-9A-Z]{7}){3}/<code>/g;
    $told->{body} =~ s/"(?:created|created_at|updated_at|createdAt)":\d+/"":0/g;
    $told->{body} =~ s/\b$ids->{SLUG}-\d{8}\b/SLUG-<number>/g;
    $told->{body} =~ s/"(\w+_tokens)":\d+/"$1":0/g;               # the history grows
    s/^content-length: .*/content-length/ for @{ $told->{headers} };
    return $told;
}

# ---- every route with an id in it is known ----

is_deeply [map { id_of($_) } grep { $_->{needs} =~ /body|upload/ && !$bodies{id_of($_)} } @routes], [], 'for every route with a body this test knows which ids may be in it';
is_deeply [sort grep { my $id = $_; !grep { id_of($_) eq $id } @routes } keys %bodies], [], 'and none that is gone';
# What is not looked up by tenant: addresses and codes are the right themselves, and what is 501 or set off looks at nothing.
my %own_right = map { $_ => 1 } 'GET /invite/{code}', 'POST /invite/{code}', 'GET /v1/document/generated-files/{filename}', 'GET /v1/users/{id}/issue-auth-token',
    (map { "$_ /embed/{embedUuid}/{sessionId}" } qw(GET DELETE OPTIONS)), (map { "$_ /embed/{embedUuid}/stream-chat" } qw(POST OPTIONS)),
    'POST /v1/document/upload/{folderName}';            # makes the folder
is_deeply [map { id_of($_) } grep { $_->{pattern} =~ /\{/ && !$expect->{id_of($_)}{unknown} && !$own_right{id_of($_)} } @routes], [],
    'for every route with an id in its path it is known what one that does not exist gets';

# ---- another tenant's ----

# Nobody else changes it.
my $acme_has = held_by($db, 'acme');

subtest "another tenant's ids in a body" => sub {
    my $makes = qr{^/v1/(?:workspace/new|knowledge/create|document/create-folder)$};        # what takes a name has it then: these come last
    for my $row ((grep { $_->{pattern} !~ $makes } @routes), grep { $_->{pattern} =~ $makes } @routes) {
        for my $body (@{ $bodies{id_of($row)} // [] }) {
            my ($foreign, $unknown) = map { same(call($row, \%own, key => $beta, body => body_of($body, $_)), $_) } $real, $random;
            is_deeply $foreign, $unknown, id_of($row) . ' ' . json_text($body);
            unlike $foreign->{body}, qr/SECRET/, '... and nothing of theirs';
        }
    }
    for my $target ('/v1/document/upload', '/v1/document/upload/mine') {
        my ($foreign, $unknown) = map { same(upload($exedra, $beta, 'a.txt', 'A text.', target => $target, fields => { addToWorkspaces => $_->{SLUG} }), $_) } $real, $random;
        is_deeply $foreign, $unknown, "$target, addToWorkspaces";
    }
    my ($row) = grep { id_of($_) eq 'GET /v1/users/{id}/issue-auth-token' } @routes;
    my ($foreign, $unknown) = map { same(http($exedra, GET => "/v1/users/$_->{USER}/issue-auth-token", key => $beta), $_) } $real, $random;
    is_deeply $foreign, $unknown, id_of($row);
    isnt $foreign->{status}, 200, 'which is refused';
    is held_by($db, 'acme'), $acme_has, 'nothing of acme has changed';
};


# ---- what is no id ----

my @no_id = (-1, 0, 2147483648, '9223372036854775807', '9223372036854775808', '18446744073709551616', 1.5, '1e3', '1e400', 'text', '', '%D9%A1', '%20', 'x' x 3000,
    '1%20OR%201=1', "'", '%2e%2e', 'null', 'undefined');

# A number written otherwise is another id, and none.
# (A uuid in capitals is the same uuid.)
sub near { my ($id) = @_; return ("$id%20", "%20$id", "$id%00", "$id.") if $id =~ /^[0-9a-f-]{36}$/; return $id =~ /^\d+$/ ? ("$id.0", "0$id", "+$id", "%20$id", "$id%20", "${id}e0", "$id%00", "$id;", "-$id") : (uc $id, "$id%20", "%20$id", "$id%00", "$id.", "$id~") }

subtest 'what is no id, in a path' => sub {
    my $before = fingerprint($db);
    for my $row (grep { $_->{pattern} =~ /\{/ && $_->{role} ne 'anyone' && $expect->{id_of($_)}{unknown} } @routes) {
        my %place = map { $_ => 1 } Exedra::RouteSuite::target_of($row, { map { $_ => "<$_>" } keys %$real }) =~ /<(\w+)>/g;
        for my $word (sort keys %place) {
            my $nothing = call($row, { %$real, $word => $random->{$word} }, key => $acme)->{status};
            my @wrong = map {
                my $got = call($row, { %$real, $word => $_ }, key => $acme, $expect->{id_of($row)}{body} ? (body => body_of($expect->{id_of($row)}{body}, { %$real, SLUG => 'none' })) : ());
                my $list = $_ eq '' && $row->{method} eq 'GET' && $got->{status} eq '200';        # its own route
                ($list || $got->{status} =~ /^(?:$nothing|40[045]|422)$/) && !defined inside_of($got->{body}) ? () : substr("'$_': $got->{status}", 0, 60)
            } @no_id, near($real->{$word});
            is_deeply \@wrong, [], id_of($row) . ": $word";
        }
    }
    is fingerprint($db), $before, 'nothing was written';
};

my @no_value = (-1, 0, 2147483648, '9223372036854775807', '9223372036854775808', '18446744073709551616', 1.5, '1e3', '1e300', 'true', '[]', '{}', '[1]', '{"id":1}', 'null',
    map { json_text($_) } 'text', '', '1', '-1', '1.5', '1e3', '9223372036854775808', ' 1', '01', '١', 'x' x 3000, '../../x', "'; --", '{1}', '1,2');

subtest 'what is no id, in a body' => sub {
    my $has = held_by($db, 'acme');
    for my $row (@routes) {
        for my $body (@{ $bodies{id_of($row)} // [] }) {
            my $text = json_text($body);
            my @places = $text =~ /"#?(?:[\w-]+\/)?(?:USER|ROOM|SLUG|FILE|NAME|FOLDER|THREAD)"/g;
            for my $place (@places) {
                my $name = $row->{pattern} =~ /create-folder$/;             # any text is one
                my $nothing = call($row, \%own, key => $beta, body => body_of($body, $random));
                my @wrong = map {
                    my $filled = filled($text =~ s/\Q$place\E/\@\@/r, \%own) =~ s/"#?(USER|ROOM)"/$own{$1}/gr =~ s/\@\@/$_/r;
                    my $got = call($row, \%own, key => $beta, body => $filled);
                    $got->{status} < 500 && ($name || $nothing->{status} < 400 || $got->{status} >= 400) && !defined inside_of($got->{body}) ? () : substr "$_: $got->{status} $got->{body}", 0, 160;
                } @no_value;
                is_deeply \@wrong, [], id_of($row) . " $place in $text";
            }
        }
    }
    is held_by($db, 'acme'), $has, 'nothing of acme has changed';
};

# ---- what a caller may not set ----

# Members that clients send back, and others that would be an attack: none of these is anybody's to write.
my %extra = (id => 4242424, uuid => '42424242-4242-4242-4242-424242424242', tenant_id => 'BETA', tenantId => 'BETA', tenant => 'beta', account_id => 'BEN', user_id => 'BEN',
    owner => 'BEN', owner_id => 'BEN', created_by => 'BEN', createdBy => 'BEN', created_at => '1999-01-01T00:00:00.000Z', createdAt => '1999-01-01T00:00:00.000Z',
    is_admin => \1, superuser => \1, permissions => ['all'], scopes => ['all'], role_id => 30, daily_limit => 1_000_000,
    workspace => { id => 4242424, tenant_id => 'BETA', slug => 'hacked' }, user => { id => 'BEN', role => 'admin', suspended => 0 }, tenant_ids => ['BETA'], account => { role => 'admin' },
    '$set' => { role => 'admin' }, constructor => { prototype => { role => 'admin' } }, __proto__ => { role => 'admin' }, hash => 'x' x 64, password_hash => 'hacked', state => 'done',
    version_id => 4242424, file_id_ => 1, api_key_hash => 'x');
my %is_role = map { $_ => 1 } 'POST /v1/admin/users/new', 'POST /v1/admin/users/{id}';

# Who may what, and whose everything is: what no body may change but for what the route is there for.
sub rights { return psql($db, q{SELECT 'account', tenant_id, id, role, suspended_at IS NULL, username FROM exedra.account UNION ALL
    SELECT 'key', tenant_id, account_id, role, suspended_at IS NULL, encode(hash, 'hex') FROM exedra.credential ORDER BY 1, 2, 3, 4, 6}) }
# Rows with what was asked for: an id, an owner, a time.
sub smuggled { return psql($db, q{SELECT format('SELECT %L FROM exedra.%I t WHERE to_jsonb(t) @? %L', relname, relname, '$.* ? (@ == 4242424 || @ like_regex "42424242-4242|1999-01-01|hacked")')
    FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relkind = 'r' \gexec}) }

subtest 'what a caller may not set' => sub {
    my %id = (BETA => psql($db, "SELECT id FROM exedra.tenant WHERE name = 'beta'"), BEN => $own{USER});
    my ($beta_has, @may) = (held_by($db, 'beta'), grep { $_->{needs} =~ /body/ && $expect->{id_of($_)}{body} && ref $expect->{id_of($_)}{body} eq 'HASH' } @routes);
    cmp_ok scalar @may, '>', 40, 'routes that take an object';
    for my $row (@may) {
        my $body = $expect->{id_of($row)}{body};
        my %more = (%extra, $is_role{id_of($row)} ? () : (role => 'admin', is_active => \1, suspended => 0));
        delete @more{keys %$body};
        my $before = rights();
        my @got = map { call($row, { %$real, THREAD => $row->{role} eq 'default' ? 'bea-talk' : 'secret-talk' }, key => $suite{role_key}{$row->{role}} // undef, body => $_) }
            body_of($body, $real), body_of({ %$body, %more }, $real) =~ s/"(BETA|BEN)"/$id{$1}/gr;
        my ($plain, $loaded) = map { $_->{status} } @got;
        ok $loaded eq $plain || $loaded =~ /^(?:400|403|409|422)$/, id_of($row) . ": $plain, and with more than it may $loaded" or diag $got[1]{body};
        unlike $got[1]{body}, qr/4242424|1999-01-01|hacked/, '... nothing of it is answered' if $loaded == 200;
        is smuggled(), '', '... nothing of it is stored';
        is rights(), $before, '... nobody may more than before' if $row->{pattern} !~ m{users/|invite|signin|auths};
    }
    is held_by($db, 'beta'), $beta_has, 'and nothing came to beta';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
