# SPDX-License-Identifier: ISC
#
# Who may call what, made from `exedra --routes`: every row of the table has expectations here, and a new one without any
# fails.  The key comes first, always: before the body, before its size, before everything else that may be wrong.  What is
# another tenant's, or a workspace one is not let into, answers byte for byte like what does not exist.  GET writes nothing.
#
# The walk is the same whatever way requests travel; t/30-routes*.t are the ways:
#
#   route_suite(db => $db, server => $exedra);
package Exedra::RouteSuite;
use strict;
use warnings;

use Exporter qw(import);
use Exedra::Test;
use Exedra::Answer qw(in_parallel judge);
use Exedra::Contract;
use Exedra::Form;

our @EXPORT = qw(route_suite);
our @EXPORT_OK = qw(route_house suite call told filled id_of nobody_of is_nobody);

# For each row: `body`, a good one; `unknown`, status and body for a workspace that does not exist (or what else the path
# names), `child` for a thread that does not; `body_with`, a good body with ids in it; `last`, what goes when; `status`,
# what the right key gets if not 200; `counts`, no two answers are the same.  SLUG, THREAD,
# NAME, FOLDER and SECRET stand for a workspace's slug, a thread's, a document's file name, a folder and something that only their
# tenant knows.  `form`: the body is a form with a file.
sub abort_with { return qq({"id":"<uuid>","type":"abort","textResponse":null,"sources":[],"close":true,"error":"$_[0]"}) }
my $question = { message => 'What is SECRET about?' };
my $text = { textContent => 'A text.', metadata => { title => 'Text' } };
my $completion = { model => 'SLUG', messages => [{ role => 'user', content => 'What is SECRET about?' }] };
my $no_model = '{"error":{"message":"The model \'SLUG\' does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"},'
    . '"detail":"The model \'SLUG\' does not exist"}';
my ($no_workspace, $no_thread) = map { qq({"message":"$_ not found"}) } 'Workspace', 'Thread';
my $no_user = '{"success":false,"error":"User not found"}';
my $nothing = qq({"detail":"We could not find what you're looking for :/"});
my $not_valid = abort_with('Workspace SLUG or thread THREAD is not valid.');
my %expect = (
    'GET /ping' => {}, 'GET /livez' => {}, 'GET /readyz' => {},
    'GET /metrics' => { counts => 1 },
    'GET /v1/auth' => {},
    'GET /v1/admin/is-multi-user-mode' => {}, 'GET /v1/admin/users' => {}, 'GET /v1/users' => {},
    'GET /v1/admin/invites' => {}, 'POST /v1/admin/invite/new' => { body => {} },
    'DELETE /v1/admin/invite/{id}' => { unknown => [404, '{"success":false,"error":"Invite not found or already disabled"}'], status => 404 },
    'GET /v1/embed' => {}, 'POST /v1/embed/new' => { body => { workspace_slug => 'SLUG' }, unknown => [404, '{"error":"Workspace not found"}'] },
    'GET /v1/embed/{embedUuid}/chats' => { unknown => [200, '{"chats":[]}'] }, 'GET /v1/embed/{embedUuid}/chats/{sessionUuid}' => { unknown => [200, '{"chats":[]}'] },
    'POST /v1/embed/{embedUuid}' => { body => { message_limit => 5 }, unknown => [404, '{"error":"Embed not found"}'] },
    'DELETE /v1/embed/{embedUuid}' => { unknown => [404, '{"error":"Embed not found"}'], last => 1 },
    # Visitors: what needs a page's origin is refused here, t/56-embed.t has it.
    'POST /embed/{embedUuid}/stream-chat' => { body => $question, status => 401 }, 'GET /embed/{embedUuid}/{sessionId}' => {}, 'DELETE /embed/{embedUuid}/{sessionId}' => {},
    (map { ("OPTIONS /embed/{embedUuid}/$_" => { status => 204 }) } 'stream-chat', '{sessionId}'),
    'GET /invite/{code}' => {}, 'POST /invite/{code}' => { body => { username => 'guest', password => 'SECRET word' } },
    'POST /v1/admin/users/new' => { body => { username => 'newcomer', password => 'long enough' } },
    'POST /v1/admin/users/{id}' => { body => { bio => 'SECRET' }, unknown => [200, $no_user] },
    'DELETE /v1/admin/users/{id}' => { unknown => [404, $no_user], last => 5 },
    'GET /v1/admin/workspaces/{id}/users' => { unknown => [200, '{"users":[]}'] },
    'POST /v1/admin/workspaces/{id}/update-users' => { body => { userIds => [] }, last => 2, unknown => [200, '{"success":true,"error":null}'] },
    'POST /v1/admin/workspaces/{id}/manage-users' => { body => { userIds => [1] },
        unknown => [404, '{"success":false,"error":"Workspace SLUG not found"}'] },
    'POST /v1/admin/preferences' => { body => { support_email => 'SECRET' } }, 'GET /v1/system/env-dump' => {}, 'GET /v1/system' => {},
    'POST /v1/system/update-env' => { body => { OpenAiModelPref => 'SECRET' } }, 'GET /v1/users/{id}/issue-auth-token' => { status => 403 },
    'GET /request-token/sso/simple' => { status => 401 }, 'GET /sso/simple' => { status => 401 },
    'GET /v1/document/generated-files/{filename}' => { status => 501 }, 'POST /v1/openai/images/generations' => { status => 501 },
    'POST /v1/admin/workspace-chats' => { body => {} }, 'GET /v1/system/export-chats' => {}, 'GET /v1/admin/events' => { counts => 1 },
    'POST /v1/document/upload' => { form => 1 }, 'POST /v1/document/upload/{folderName}' => { form => 1 },
    'POST /v1/document/upload-link' => { body => { link => 'http://127.0.0.1/' }, status => 422 },
    'POST /v1/document/raw-text' => { body => $text, body_with => { %$text, addToWorkspaces => 'SLUG' } },
    'GET /v1/documents' => {},
    'GET /v1/documents/folder/{folderName}' => { unknown => [404, '{"folder":"FOLDER","documents":[],"totalCount":0,"hasMore":false,'
        . '"error":"Folder \"FOLDER\" does not exist."}'] },
    'GET /v1/document/accepted-file-types' => {}, 'GET /v1/document/metadata-schema' => {},
    'POST /v1/document/create-folder' => { body => { name => 'New' } },
    'DELETE /v1/document/remove-folder' => { body => { name => 'FOLDER' }, body_with => { name => 'FOLDER' }, last => 5 },
    'POST /v1/document/move-files' => { body => { files => [{ from => 'custom-documents/NAME', to => 'custom-documents/moved.json' }] },
        unknown => [404, '{"success":false,"message":"Failed to move some files."}'] },
    'GET /v1/system/vector-count' => {},
    'DELETE /v1/system/remove-documents' => { body => { names => ['custom-documents/NAME'] }, body_with => { names => ['custom-documents/NAME'] }, last => 5 },
    'GET /v1/document/{docName}' => { unknown => [404, 'Not Found'] },
    'POST /v1/workspace/new' => { body => { name => 'New' } },
    'GET /v1/workspaces' => {},
    'GET /v1/workspace/{slug}' => { unknown => [200, '{"workspace":[]}'] },
    'DELETE /v1/workspace/{slug}' => { unknown => [400, 'Bad Request'], last => 2 },
    'POST /v1/workspace/{slug}/update' => { body => { topN => 5 }, unknown => [400, 'Bad Request'] },
    'GET /v1/workspace/{slug}/chats' => { unknown => [400, 'Bad Request'] },
    'POST /v1/workspace/{slug}/update-embeddings' => { body => { adds => [] }, unknown => [400, 'Bad Request'],
        body_with => { adds => ['custom-documents/NAME'], deletes => [] } },
    'POST /v1/workspace/{slug}/update-pin' => { body => { docPath => 'custom-documents/NAME', pinStatus => JSON::PP::true() },
        unknown => [404, 'Not Found'] },
    'POST /v1/workspace/{slug}/vector-search' => { body => { query => 'What is SECRET about?' },
        unknown => [400, '{"message":"Workspace SLUG is not a valid workspace."}'] },
    'POST /v1/workspace/{slug}/chat' => { body => $question, unknown => [400, abort_with('Workspace SLUG is not a valid workspace.')] },
    'POST /v1/workspace/{slug}/stream-chat' => { body => $question,
        unknown => [400, abort_with('Workspace SLUG is not a valid workspace.')] },
    'POST /v1/workspace/{slug}/thread/new' => { body => { name => 'New' }, unknown => [400, 'Bad Request'] },
    'POST /v1/workspace/{slug}/thread/{threadSlug}/update' => { body => { name => 'Talk' }, unknown => [404, $no_workspace],
        child => [404, $no_thread] },
    'DELETE /v1/workspace/{slug}/thread/{threadSlug}' => { unknown => [400, 'Bad Request'], child => [200, 'OK'], last => 1 },
    'GET /v1/workspace/{slug}/thread/{threadSlug}/chats' => { unknown => [404, $no_workspace], child => [404, $no_thread] },
    'POST /v1/workspace/{slug}/thread/{threadSlug}/chat' => { body => $question, unknown => [404, abort_with('Workspace SLUG not found.')],
        child => [404, abort_with('Thread THREAD not found.')] },
    'POST /v1/workspace/{slug}/thread/{threadSlug}/stream-chat' => { body => $question, unknown => [400, $not_valid],
        child => [400, $not_valid] },
    'GET /v1/openai/models' => {},
    'POST /v1/openai/chat/completions' => { body => $completion, unknown => [401, ''] },
    'POST /v1/openai/embeddings' => { body => { input => 'A text.' }, status => 501 }, 'GET /v1/openai/vector_stores' => {},
    'POST /v1/audio/transcriptions' => { form => 1, status => 501 },
    (map { ("POST /v1/$_" => { body => {}, status => 501 }) } qw(responses completions)),
    (map { ("POST /v1/$_" => { status => 501 }) } qw(moderations images/generations images/edits images/variations audio/speech audio/translations)),
    'POST /v1/embeddings' => { body => { input => 'A text.' }, status => 501 },
    'GET /v1/models' => {},
    'GET /v1/models/{id...}' => { unknown => [404, $no_model] },
    'POST /v1/chat/completions' => { body => $completion, unknown => [404, $no_model] },

    'GET /health' => {}, 'GET /health/db' => {}, 'POST /embeddings' => { body => { input => 'A text.' }, status => 501 },
    'GET /version' => {}, 'GET /config' => {}, 'GET /models' => {}, 'GET /v1/retrieval' => {},
    'POST /chat/completions' => { body => $completion, unknown => [400, '{"detail":"Model not found"}'] },
    'POST /v1/auths/signin' => { body => { email => 'nobody', password => 'SECRET' }, status => 400 },
    'POST /v1/auths/signup' => { body => { name => 'n', email => 'n', password => 'SECRET' }, status => 403 },
    'GET /v1/auths' => {}, 'GET /v1/auths/signout' => {}, 'POST /v1/auths/api_key' => {}, 'GET /v1/auths/api_key' => { status => 404 },
    'DELETE /v1/auths/api_key' => {}, 'POST /v1/auths/update/password' => { body => { password => 'SECRET', new_password => 'SECRET word' }, status => 400 },
    'GET /v1/files' => {}, 'DELETE /v1/files/all' => { last => 4 }, 'GET /v1/files/search' => { status => 422 },
    (map { ("GET /v1/files/{id}$_" => { unknown => [404, $nothing] }) } '', qw(/process/status /data/content /content /content/html /content/{name})),
    'POST /v1/files' => { form => 1 },
    'DELETE /v1/files/{id}' => { unknown => [404, $nothing], status => 404, last => 3 },     # seen, and not theirs
    'POST /v1/files/{id}/data/content/update' => { body => { content => 'SECRET words' }, unknown => [404, $nothing], status => 404 },
    'GET /v1/knowledge' => {}, 'GET /v1/knowledge/list' => {}, 'GET /v1/knowledge/search' => {}, 'GET /v1/knowledge/search/files' => {},
    'POST /v1/knowledge/create' => { body => { name => 'Kept', description => '' } },
    'GET /v1/knowledge/{id}' => { unknown => [404, $nothing] }, 'GET /v1/knowledge/{id}/files' => { unknown => [400, $nothing] },
    'POST /v1/knowledge/{id}/update' => { body => { name => 'Secret Room', description => 'SECRET' }, unknown => [400, $nothing] },
    'POST /v1/knowledge/{id}/file/add' => { body => { file_id => 'FILE' }, unknown => [400, $nothing] },
    'POST /v1/knowledge/{id}/file/update' => { body => { file_id => 'FILE' }, unknown => [400, $nothing] },
    'POST /v1/knowledge/{id}/access/update' => { body => { access_grants => [] }, unknown => [400, $nothing] },
    'GET /v1/knowledge/{id}/export' => { unknown => [400, $nothing], status => 501 }, 'POST /v1/knowledge/reindex' => {},
    'POST /v1/retrieval/process/text' => { body => { name => 'a.txt', content => 'SECRET words' } },
    'POST /v1/retrieval/process/web' => { body => { url => 'http://127.0.0.1/' }, status => 400 },
    'POST /v1/retrieval/query/doc' => { body => { collection_name => 'SLUG', query => 'What is SECRET about?' }, unknown => [200, '{"ids":[[]],"documents":[[]],"metadatas":[[]],"distances":[[]]}'] },
    'POST /v1/retrieval/query/collection' => { body => { collection_names => ['SLUG'], query => 'What is SECRET about?' }, unknown => [200, '{"documents":[[]],"metadatas":[[]],"distances":[[]]}'] },
    'POST /v1/retrieval/process/file' => { body => { file_id => 'FILE' }, unknown => [404, $nothing] },
    'POST /v1/retrieval/process/files/batch' => { body => { files => [{ id => 'FILE' }], collection_name => 'SLUG' }, last => 9 },
    'POST /v1/knowledge/{id}/file/remove' => { body => { file_id => 'FILE' }, unknown => [400, $nothing], last => 1 },
    'POST /v1/knowledge/{id}/files/batch/add' => { body => [{ file_id => 'FILE' }], unknown => [400, $nothing] },
    'POST /v1/knowledge/{id}/reset' => { unknown => [400, $nothing], last => 1 },
    'DELETE /v1/knowledge/{id}/delete' => { unknown => [400, $nothing], last => 3 },
);

# What who is nobody gets: status and body by the row's form.
my $native = [403, '{"error":"No valid api key found."}'];
my %nobody = (openai => [401, '{"error":{"message":"No valid api key found.","type":"invalid_request_error","param":null,"code":"invalid_api_key"},'
    . '"detail":"No valid api key found."}'],
    detail => [401, '{"detail":"Not authenticated"}']);

my @routes = sort { ($expect{id_of($a)}{last} // 0) <=> ($expect{id_of($b)}{last} // 0) } routes();
my @shut = grep { $_->{role} ne 'anyone' } @routes;
my %rank = (default => 1, manager => 2, admin => 3);
sub id_of { return "$_[0]{method} $_[0]{pattern}" }

my (%way, $db, %house, %role_key, @bad_keys, %real, %random);

# The whole walk, a subtest a promise.
#   db, server   the database, and what http() sends requests to
#   builder      a server that the tenants' things are made by; without one the same
#   prefix       comes before every target: '/ai'
#   before       a sub that gives what a client puts in front of a row's path, '/api' where it is not found without
#   variables    a sub that adds to the variables of a target (without the prefix) and gives them
#   as_tenant    a sub that gives http()'s options, or { server }, for requests of which the web server names this tenant
#   unread       a sub that sends the head of a request, { method, target, headers, params }, and none of its body: the
#                status that comes, 'waits' if none does; undef where something in between waits for the body
#   good         { route => status } of what the right key gets otherwise than by the table
#   at_once      so many requests at the same time
#   thin         1: of the variants of one case each row has every third only, and all rows together have all
#   apart        1: only what keeps tenants apart
sub route_suite {
    route_house(@_);
    subtest 'who is nobody' => \&who_is_nobody if !$way{apart};
    subtest 'the key comes before the body' => \&key_before_body if !$way{apart};
    subtest 'roles' => \&roles;
    subtest 'what is not theirs' => \&not_theirs;
    subtest 'ids in a body' => \&ids_in_a_body;
    subtest 'the tenant that the web server names' => \&named_tenant;
    subtest 'event streams' => \&event_streams;
    subtest 'GET writes nothing' => \&get_writes_nothing;
    subtest 'what the right key may' => \&right_key;
}

# The house in which the walk happens, and nothing more: takes what route_suite() takes.
sub route_house {
    %way = (prefix => '', at_once => 1, before => sub { '' }, variables => sub { () }, as_tenant => sub { (params => { EXEDRA_TENANT => $_[0] }) }, @_);
    $db = $way{db};
    every_route_is_known();
    build_house($way{builder} // $way{server});
}

sub every_route_is_known {
    is_deeply [grep { !$expect{$_} } map { id_of($_) } @routes], [], 'this test knows every route';
    is_deeply [grep { my $id = $_; !grep { id_of($_) eq $id } @routes } sort keys %expect], [], 'and none that is gone';
    is_deeply [map { id_of($_) } grep { $_->{role} !~ /^(?:anyone|default|manager|admin)$/ } @routes], [], 'every route names its least role';
}

# ---- tenants, accounts, keys ----

sub build_house {
    my ($server) = @_;
    my ($acme, $beta, $gone) = map { tenant($db, $_) } qw(acme beta gone);
    my %account = map { $_->[0] => account($acme, @$_) } ['max', role => 'manager'], ['bea', role => 'default'],
        ['out', role => 'default'], ['sus', role => 'admin'];
    workspace($server, $acme->{key}, 'Secret Room');
    my $document = document($server, $acme->{key}, 'plan', 'SECRET plans of acme.', 'secret-room');
    chat($server, $acme->{key}, 'secret-room', 'SECRET question?');
    workspace($server, $beta->{key}, 'Beta Room');
    exedractl($db, qw(account grant acme bea secret-room));
    %house = (acme => $acme, beta => $beta, out => $account{out});
    %role_key = (default => $account{bea}{key}, manager => $account{max}{key}, admin => $acme->{key});
    for my $thread ([$acme->{key}, 'secret-talk'], [$account{bea}{key}, 'bea-talk']) {
        http($server, POST => '/v1/workspace/secret-room/thread/new', key => $thread->[0],
            json => { name => 'SECRET talk', slug => $thread->[1] });
    }
    http($server, POST => '/v1/document/create-folder', key => $acme->{key}, json => { name => 'secret-folder' });
    %real = (FOLDER => 'secret-folder', EMBED => http($server, POST => '/v1/embed/new', key => $acme->{key}, json => { workspace_slug => 'secret-room', allowlist_domains => 'page.example' })->{json}{embed}{uuid}, SLUG => 'secret-room', THREAD => 'secret-talk', NAME => $document->{location} =~ s{.*/}{}r,
        (map { $_ => psql($db, "SELECT id FROM exedra." . ($_ eq 'USER' ? "account WHERE username = 'out'" : "workspace WHERE slug = 'secret-room'")) } qw(USER ROOM)),
        FILE => psql($db, "SELECT f.uuid FROM exedra.file f JOIN exedra.document d ON d.file_id = f.id WHERE d.uuid = '$document->{id}'"));
    %random = (FOLDER => 'random-folder', EMBED => $real{EMBED} =~ s/^.{8}/00000000/r, USER => 987654, ROOM => 987654, SLUG => 'random-room', THREAD => 'random-talk', FILE => $real{FILE} =~ s/^.{8}/00000000/r, NAME => $real{NAME} =~ s/[0-9a-f]{8}-/00000000-/r);
    spoil_keys($acme, $gone, $account{sus});
}

sub spoil_keys {
    my ($acme, $gone, $suspended_account) = @_;
    my ($expired, $suspended, $deleted) = map { key($acme, label => $_) } qw(expired suspended deleted);
    psql($db, "UPDATE exedra.credential SET expires_at = now() - interval '1 s' WHERE label = 'expired'");
    my %id = map { my @columns = split /\t/; $columns[4] => $columns[0] } split /\n/, exedractl($db, qw(key list acme));
    exedractl($db, qw(key suspend acme), $id{suspended});
    exedractl($db, qw(key delete acme), $id{deleted});
    exedractl($db, qw(tenant suspend gone));
    exedractl($db, qw(account suspend acme sus));
    @bad_keys = (['no key', undef], ['an empty one', ''], ['a wrong one', 'sk-exd-' . 'x' x 43], ['an expired one', $expired],
        ['a suspended one', $suspended], ['a deleted one', $deleted], ['one of a suspended tenant', $gone->{key}],
        ['one of a suspended account', $suspended_account->{key}], ['one with a letter more', "$acme->{key}x"], ['another case', uc $acme->{key}]);
}

# ---- requests ----

sub filled {
    my ($text, $ids) = @_;
    return $text =~ s/\b(SLUG|THREAD|NAME|FILE|FOLDER)\b/$ids->{$1}/gr;
}

sub target_of {
    my ($row, $ids) = @_;
    return $row->{pattern} =~ s{admin/(users|invite)/\{id\}}{admin/$1/$ids->{USER}}r =~ s/\{code\}/WRONG/r =~ s/\{filename\}/made-00000000-0000-0000-0000-000000000000.pdf/r =~ s{admin/workspaces/\{id\}/(users|update-users)}{admin/workspaces/$ids->{ROOM}/$1}r
        =~ s{files/\{id\}}{files/$ids->{FILE}}r =~ s/\{embedUuid\}/$ids->{EMBED}/r =~ s/\{session(?:Id|Uuid)\}/6f1c32d3-9f0a-4c7e-8a61-000000000001/r =~ s/\{name\}/a.txt/r =~ s/\{(?:slug|id(?:\.\.\.)?)\}/$ids->{SLUG}/r =~ s/\{threadSlug\}/$ids->{THREAD}/r =~ s/\{docName\}/$ids->{NAME}/r =~ s/\{folderName\}/$ids->{FOLDER}/r;
}

# The request of a row with these ids; more goes to http().  A program that does not end well spoils the status.
sub call {
    my ($row, $ids, %with) = @_;
    my $body = delete $with{with_body} // $expect{id_of($row)}{body};
    $with{body} //= filled(json_text($body), $ids) if $body;
    if ($expect{id_of($row)}{form} && !defined $with{body}) {
        $with{body} = form(part(file => "A text.\n", filename => 'text.txt'));
        $with{headers}{'Content-Type'} = "multipart/form-data; boundary=$BOUNDARY";
    }
    my $got = ask(delete $with{method} // $row->{method}, (delete $with{before} // $way{before}->($row)) . target_of($row, $ids), %with);
    my $report = sanitizer_report($got->{err} // '');
    $got->{status} .= ", exit $got->{exit}" if $got->{exit};
    $got->{status} .= ", $report" if $report;
    return $got;
}

sub ask {
    my ($method, $target, %with) = @_;
    my $server = delete $with{server} // $way{server};
    return http($server, $method, "$way{prefix}$target", %with, params => { $way{variables}->($target), %{ $with{params} // {} } });
}

# All that an answer tells, with the ids that were asked for as their names.
sub told {
    my ($got, $ids, $counts) = @_;
    my $body = $counts ? '' : $got->{body};
    $body =~ s{\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d\d:\d\d [AP]M}{<published>}g;        # an hour is no id
    $body =~ s{\d+/\d+/\d{4}, \d+:\d\d:\d\d [AP]M}{<published>}g;                     # nor one of a time of day
    $body =~ s/(?<![\w-])\Q$ids->{$_}\E(?![\w-])/$_/g for sort keys %$ids;     # whole: an id may be one digit
    my %varies = map { $_ => 1 } qw(x-request-id date), $counts ? 'content-length' : ();
    # how a web server sends a body whose length it was not told
    return { status => $got->{status}, body => plain($body), headers => [map { "$_: " . ($varies{$_} ? '' : $got->{headers}{$_}) }
            grep { $_ ne 'transfer-encoding' } sort keys %{ $got->{headers} }] };
}

# What the sub gives for each item, some of them at the same time.
sub for_each(&@) {
    my ($do, @items) = @_;
    my $one = sub { local $_ = $_[0]; $do->() };
    return $way{at_once} == 1 ? map { $one->($_) } @items : in_parallel($way{at_once}, $one, @items);
}

# The names of the rows for which the sub is true.
sub named(&@) {
    my ($wrong, @rows) = @_;
    my @is_wrong = for_each(sub { $wrong->() ? 1 : 0 }, @rows);
    return [map { !$is_wrong[$_] ? () : ref $is_wrong[$_] ? "$is_wrong[$_]{wrong}" : id_of($rows[$_]) } 0 .. $#rows];
}

my $turn = 0;
sub some { my $n = $turn++; return $way{thin} ? @_[grep { ($_ + $n) % 3 == 0 } 0 .. $#_] : @_ }

sub nobody_of { return $nobody{$_[0]{form}} // $native }
# Open WebUI tells who brings no key from who brings a bad one.
sub is_nobody {
    my ($row, $got) = @_;
    my $body = $got->{body} =~ s/Your session has expired or the token is invalid. Please sign in again./Not authenticated/r;
    return "$got->{status} $body" eq join ' ', @{ nobody_of($row) };
}

# ---- the promises ----

sub who_is_nobody {
    my $before = fingerprint($db);
    my @cases = map { { row => $_, keys => [some(@bad_keys)] } } @shut;
    my @found = for_each {
        my ($row, $told) = ($_->{row}, told(call($_->{row}, \%real), \%real));
        { told => $told, other => [map { $_->[0] } grep {
            my $got = call($row, \%real, key => $_->[1]);
            !is_nobody($row, $got) || $row->{form} ne 'detail' && !eq_hash(told($got, \%real), $told)
        } @{ $_->{keys} }] };
    } @cases;
    for my $i (0 .. $#cases) {
        is_deeply [@{ $found[$i]{told} }{qw(status body)}], nobody_of($shut[$i]), id_of($shut[$i]) . ' without a key';
        is_deeply $found[$i]{other}, [], 'the same for every bad key';
    }
    is_deeply named(sub { call($_, \%real, key => 'wrong')->{status} ne ($expect{id_of($_)}{status} // '200') }, grep { $_->{role} eq 'anyone' } @routes), [],
        'but for what anyone may ask';
    is fingerprint($db), $before, 'nothing was written';
}

sub key_before_body {
    my @with_body = grep { $_->{needs} =~ /body|upload/ } @shut;
    my %bad = ('broken' => '{"name":', 'an array' => '[1]', 'a string' => '"x"', 'no UTF-8' => "{\"name\":\"\xff\"}", 'a form' => 'name=x',
        'too deep' => '{"a":' x 40 . '1' . '}' x 40, 'of wrong types' => '{"name":[],"message":{},"mode":1,"metadata":1,"adds":1}');
    for my $what (sort keys %bad) {
        my $type = $what eq 'a form' ? 'application/x-www-form-urlencoded' : 'application/json';
        my %with = (body => $bad{$what}, headers => { 'Content-Type' => $type });
        is_deeply named(sub { !is_nobody($_, call($_, \%real, %with, key => 'wrong')) }, some(@with_body)), [], "$what: a bad key";
        is_deeply named(sub { call($_, \%real, %with, key => $role_key{default})->{status} ne '403' }, some(grep { $rank{$_->{role}} > 1 } @with_body)),
            [], 'a low role';
        is_deeply named(sub { call($_, \%real, %with, key => $house{acme}{key})->{status} !~ /^4(?:00|15|22)$/ }, some(@with_body)), [], 'a good key'
            if $what ne 'of wrong types';
    }
    $way{unread} or return;
    # Nothing of the body is sent: who waits for it does not answer.
    for my $case (['no key', undef, CONTENT_LENGTH => 10], ['a wrong key', 'wrong', CONTENT_LENGTH => 1_000_000],
        ['a wrong key and chunks', 'wrong', HTTP_TRANSFER_ENCODING => 'chunked'], ['a wrong key, far too much', 'wrong', CONTENT_LENGTH => 1 << 40]) {
        my ($what, $key, @params) = @$case;
        my %headers = defined $key ? (Authorization => "Bearer $key") : ();
        is_deeply named(sub {
            my $target = target_of($_, \%real);
            $way{unread}->($_->{method} => "$way{prefix}$target", headers => \%headers, params => { $way{variables}->($target), @params }) ne nobody_of($_)->[0];
        }, some(@with_body)), [], "the body is not read: $what";
    }
}

sub roles {
    my $before = fingerprint($db);
    my @cases = map { my $row = $_; map { [$row, $_] } grep { $rank{$_} < $rank{$row->{role}} } sort keys %rank } @shut;
    my %form = (openai => [qw(detail error)], workspace => [qw(message workspace)], success => [qw(error success)], documents => [qw(error success)], outcome => [qw(message success)], abort => [qw(close error id sources textResponse type)], detail => ['detail'],
        user => [qw(error user)], message => ['message'], outcome => [qw(message success)], documents => [qw(error success)]);
    my @got = for_each { call($_->[0], \%real, key => $role_key{$_->[1]}) } @cases;
    for my $i (0 .. $#cases) {
        my ($row, $role) = @{ $cases[$i] };
        my $json = $got[$i]{json};
        is $got[$i]{status}, 403, id_of($row) . " is not for the role $role";
        like $json->{message} // $json->{detail} // $json->{error}, qr/\b$row->{role}\b/, 'it says which role is needed';
        is_deeply [sort keys %$json], $form{$row->{form}} // ['error'], "in the form `$row->{form}`";
    }
    is fingerprint($db), $before, 'nothing was written';
}

# Each case is [what, key, row, ids that are another's, ids that are nobody's, the answer].
sub like_nothing {
    my @cases = @_;
    my @told = for_each { my ($key, $row, @ids) = @$_[1 .. 4]; [map { told(call($row, $_, key => $key), $_) } @ids] } @cases;
    for my $i (0 .. $#cases) {
        my ($what, $row, $expected) = @{ $cases[$i] }[0, 2, 5];
        my ($foreign, $unknown) = @{ $told[$i] };
        is_deeply $foreign, $unknown, id_of($row) . ": $what like one that does not exist";
        is_deeply [@$foreign{qw(status body)}], $expected, 'as the contract says';
    }
}

sub not_theirs {
    my $before = fingerprint($db);
    my ($beta, $out, $bea) = ($house{beta}{key}, $house{out}{key}, $role_key{default});
    my @cases;
    for my $row (grep { $expect{id_of($_)}{unknown} } @routes) {
        my @rest = ($row, \%real, \%random, $expect{id_of($row)}{unknown});
        push @cases, ["another tenant's", $beta, @rest];
        push @cases, ['one that the account is not let into', $out, @rest] if $rank{$row->{role}} == 1;
    }
    like_nothing(@cases);
    # A thread of another tenant, asked for in a workspace of one's own; one of another account, in the workspace of both.
    @cases = ();
    for my $row (grep { $expect{id_of($_)}{child} } @routes) {
        for my $case (["another tenant's thread", $beta, 'beta-room'], ["another account's thread", $bea, 'secret-room']) {
            my ($what, $key, $slug) = @$case;
            push @cases, [$what, $key, $row, { %real, SLUG => $slug }, { %random, SLUG => $slug }, $expect{id_of($row)}{child}];
        }
    }
    like_nothing(@cases);
    is fingerprint($db), $before, 'nothing was written';
}

sub ids_in_a_body {
    for my $row (grep { $expect{id_of($_)}{body_with} } @routes) {
        my ($foreign, $unknown) = map { told(call($row, { %$_, SLUG => $row->{pattern} =~ /slug/ ? 'beta-room' : $_->{SLUG} },
            key => $house{beta}{key}, with_body => $expect{id_of($row)}{body_with}), $_) } \%real, \%random;
        is_deeply $foreign, $unknown, id_of($row) . ": another tenant's like one that does not exist";
        is $foreign->{status}, 200, 'it is passed over';
        unlike $foreign->{body}, qr/SECRET/, 'and nothing of it is shown';
    }
    is psql($db, "SELECT count(*) FROM exedra.workspace_document"), 1, "nobody's document went anywhere";
    is_deeply [map { $_->{slug} } @{ ask(GET => '/v1/workspaces', key => $house{out}{key})->{json}{workspaces} }], [],
        'lists hold only what is theirs';
    my @lists = grep { $_->{method} eq 'GET' && $_->{pattern} !~ /\{/ } @shut;
    is_deeply named(sub { call($_, \%real, key => $house{beta}{key})->{body} =~ /SECRET|secret-room|\Q$real{NAME}/ }, @lists), [], 'all of them';
}

sub named_tenant {
    my ($acme, %beta) = ($house{acme}{key}, $way{as_tenant}->('beta'));
    is_deeply named(sub { !is_nobody($_, call($_, \%real, key => $acme, %beta)) }, @shut), [], 'a key of another opens nothing';
    is ask(GET => '/v1/auth', key => $acme, $way{as_tenant}->('acme'))->{status}, 200, 'a key of this one does';
    is ask(GET => '/v1/auth', key => $acme, headers => { 'Exedra-Tenant' => 'beta' })->{status}, 200, 'a header says nothing';
}

# Every route that streams an answer when asked to: whole, and complete as its dialect wants it.
sub event_streams {
    my @rows = grep { $_->{needs} =~ /stream/ && $_->{role} ne 'anyone' && $_->{pattern} =~ m{/(?:stream-chat|completions)$} } @routes;
    ok @rows > 3, 'there are some';
    my @judged = for_each {
        my $openai = $_->{pattern} =~ /completions/;
        my $got = call($_, { %real, THREAD => 'bea-talk' }, key => $role_key{default}, $openai ? (with_body => { %$completion, stream => \1 }) : ());
        judge($openai ? 'chunks' : 'stream', { %$got, whole => 1 });
    } @rows;
    for my $i (0 .. $#rows) {
        my $answer = $judged[$i];
        my $type = $answer->{headers}{'content-type'} // 'no type';
        like "$answer->{status} $type", qr{^200 text/event-stream\b}, id_of($rows[$i]) . ' is an event stream';
        ok $answer->{complete} && !$answer->{wrong}, '… and whole' or diag $answer->{wrong} // '', $answer->{raw};
        like $answer->{text}, qr/SECRET plans/, '… with the answer';
    }
}

sub get_writes_nothing {
    my $before = fingerprint($db);
    my $key = $house{acme}{key};
    my @rows = grep { $_->{method} eq 'GET' } @routes;
    my @got = for_each { [call($_, \%real, key => $key), call($_, \%real, key => $key, before => '/api'), call($_, \%real, key => $key, method => 'HEAD')] } @rows;
    for my $i (0 .. $#rows) {
        my ($get, $api, $head) = map { { %$_, told => told($_, {}, $expect{id_of($rows[$i])}{counts}) } } @{ $got[$i] };
        is $get->{status}, $way{good}{id_of($rows[$i])} // $expect{id_of($rows[$i])}{status} // 200, id_of($rows[$i]);
        is_deeply $api->{told}, $get->{told}, 'under /api too';
        is_deeply [@{ $head->{told} }{qw(status headers)}, $head->{body}], [@{ $get->{told} }{qw(status headers)}, ''],
            'HEAD is the same without its body';
    }
    is fingerprint($db), $before, 'nothing was written';
}

# One after the other: the last ones take away what the others need.
sub right_key {
    for my $row (grep { $_->{method} ne 'GET' } @routes) {
        # It went as a workspace; as a collection it is to go once more.
        workspace($way{builder} // $way{server}, $house{acme}{key}, 'Secret Room') if $row->{pattern} eq '/v1/knowledge/{id}/delete';
        is call($row, { %real, THREAD => 'bea-talk' }, key => $role_key{$row->{role}} // undef)->{status}, $expect{id_of($row)}{status} // 200, id_of($row) . " as $row->{role}";
    }
}

# For tests that have more to ask of this house, once it stands: the rows of the route table and what is expected of each, by
# id_of(); who is in it; the ids of what is there, and of what is not.
sub suite {
    return (routes => \@routes, expect => \%expect, house => \%house, role_key => \%role_key, bad_keys => \@bad_keys, rank => \%rank, real => \%real,
        random => \%random);
}

1;
