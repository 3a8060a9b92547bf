# Who may call what, made from `exedra --routes`: every row of the table has expectations here, and a new one without any
# fails.  The key comes first, always: before the body, before its size, before everything else that may be wrong.  What is
# another tenant's, or a workspace one is not let into, answers byte for byte like what does not exist.  GET writes nothing.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract;

# For each row: `body`, a good one; `unknown`, status and body for a workspace that does not exist (or what else the path
# names), `child` for a thread that does not; `body_with`, a good body with ids in it.  SLUG, THREAD, NAME and SECRET stand
# for a workspace's slug, a thread's, a document's file name and something that only their tenant knows.
sub abort_with { return qq({"id":"<uuid>","type":"abort","textResponse":null,"sources":[],"close":true,"error":"$_[0]"}) }
my $question = { message => 'What is SECRET about?' };
my $text = { textContent => 'A text.', metadata => { title => 'Text' } };
my $completion = { model => 'SLUG', messages => [{ role => 'user', content => 'What is SECRET about?' }] };
my $no_model = '{"error":{"message":"The model \'SLUG\' does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"},'
    . '"detail":"The model \'SLUG\' does not exist"}';
my ($no_workspace, $no_thread) = map { qq({"message":"$_ not found"}) } 'Workspace', 'Thread';
my $not_valid = abort_with('Workspace SLUG or thread THREAD is not valid.');
my %expect = (
    'GET /ping' => {}, 'GET /livez' => {}, 'GET /readyz' => {},
    'GET /v1/auth' => {},
    'POST /v1/document/raw-text' => { body => $text, body_with => { %$text, addToWorkspaces => 'SLUG' } },
    'GET /v1/documents' => {},
    'GET /v1/document/{docName}' => { unknown => [404, 'Not Found'] },
    'POST /v1/workspace/new' => { body => { name => 'New' } },
    'GET /v1/workspaces' => {},
    'GET /v1/workspace/{slug}' => { unknown => [200, '{"workspace":[]}'] },
    'DELETE /v1/workspace/{slug}' => { unknown => [400, 'Bad Request'], last => 2 },
    'POST /v1/workspace/{slug}/update' => { body => { topN => 5 }, unknown => [400, 'Bad Request'] },
    'GET /v1/workspace/{slug}/chats' => { unknown => [400, 'Bad Request'] },
    'POST /v1/workspace/{slug}/update-embeddings' => { body => { adds => [] }, unknown => [400, 'Bad Request'],
        body_with => { adds => ['custom-documents/NAME'], deletes => [] } },
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
    'GET /v1/models' => {},
    'GET /v1/models/{id...}' => { unknown => [404, $no_model] },
    'POST /v1/chat/completions' => { body => $completion, unknown => [404, $no_model] },
);

# What who is nobody gets: status and body by the row's form.
my $native = [403, '{"error":"No valid api key found."}'];
my %nobody = (openai => [401, '{"error":{"message":"No valid api key found.","type":"invalid_request_error","param":null,"code":"invalid_api_key"},'
    . '"detail":"No valid api key found."}']);

my @routes = sort { ($expect{id_of($a)}{last} // 0) <=> ($expect{id_of($b)}{last} // 0) } routes();
my @shut = grep { $_->{role} ne 'anyone' } @routes;
my %rank = (default => 1, manager => 2, admin => 3);
sub id_of { return "$_[0]{method} $_[0]{pattern}" }

is_deeply [grep { !$expect{$_} } map { id_of($_) } @routes], [], 'this test knows every route';
is_deeply [grep { my $id = $_; !grep { id_of($_) eq $id } @routes } sort keys %expect], [], 'and none that is gone';
is_deeply [map { id_of($_) } grep { $_->{role} !~ /^(?:anyone|default|manager|admin)$/ } @routes], [], 'every route names its least role';

# ---- tenants, accounts, keys ----

my $db = database();
my $exedra = start_exedra(db => $db);
my ($acme, $beta, $gone) = map { tenant($db, $_) } qw(acme beta gone);
my %account = map { $_->[0] => account($acme, @$_) } ['max', role => 'manager'], ['bea', role => 'default'],
    ['out', role => 'default'], ['sus', role => 'admin'];
workspace($exedra, $acme->{key}, 'Secret Room');
my $document = document($exedra, $acme->{key}, 'plan', 'SECRET plans of acme.', 'secret-room');
chat($exedra, $acme->{key}, 'secret-room', 'SECRET question?');
workspace($exedra, $beta->{key}, 'Beta Room');
exedractl($db, qw(account grant acme bea secret-room));

my %role_key = (default => $account{bea}{key}, manager => $account{max}{key}, admin => $acme->{key});
my ($expired, $suspended, $deleted) = map { key($acme, label => $_) } qw(expired suspended deleted);
psql($db, "UPDATE exedra.credential SET expires_at = now() - interval '1 s' WHERE label = 'expired'");
my %key_id = map { my @columns = split /\t/; $columns[4] => $columns[0] } split /\n/, exedractl($db, qw(key list acme));
exedractl($db, qw(key suspend acme), $key_id{suspended});
exedractl($db, qw(key delete acme), $key_id{deleted});
exedractl($db, qw(tenant suspend gone));
exedractl($db, qw(account suspend acme sus));
my @bad_keys = (['no key', undef], ['an empty one', ''], ['a wrong one', 'sk-exd-' . 'x' x 43], ['an expired one', $expired],
    ['a suspended one', $suspended], ['a deleted one', $deleted], ['one of a suspended tenant', $gone->{key}],
    ['one of a suspended account', $account{sus}{key}], ['one with a letter more', "$acme->{key}x"], ['another case', uc $acme->{key}]);

for my $thread ([$acme->{key}, 'secret-talk'], [$account{bea}{key}, 'bea-talk']) {
    http($exedra, POST => '/v1/workspace/secret-room/thread/new', key => $thread->[0],
        json => { name => 'SECRET talk', slug => $thread->[1] });
}
my %real = (SLUG => 'secret-room', THREAD => 'secret-talk', NAME => $document->{location} =~ s{.*/}{}r);
my %random = (SLUG => 'random-room', THREAD => 'random-talk', NAME => $real{NAME} =~ s/[0-9a-f]{8}-/00000000-/r);

# ---- requests ----

sub filled {
    my ($text, $ids) = @_;
    return $text =~ s/\b(SLUG|THREAD|NAME)\b/$ids->{$1}/gr;
}

# The request of a row with these ids; more goes to http().
sub call {
    my ($row, $ids, %with) = @_;
    my $target = $row->{pattern} =~ s/\{(?:slug|id\.\.\.)\}/$ids->{SLUG}/r =~ s/\{threadSlug\}/$ids->{THREAD}/r =~ s/\{docName\}/$ids->{NAME}/r;
    my $body = delete $with{with_body} // $expect{id_of($row)}{body};
    $with{body} //= filled(json_text($body), $ids) if $body;
    return http($exedra, delete $with{method} // $row->{method}, (delete $with{prefix} // '') . $target, %with);
}

# All that an answer tells, with the ids that were asked for as their names.
sub told {
    my ($got, $ids) = @_;
    my $body = $got->{body};
    $body =~ s/\Q$ids->{$_}\E/$_/g for keys %$ids;
    return { status => $got->{status}, body => plain($body),
        headers => [map { "$_: " . (/request-id/ ? '' : $got->{headers}{$_}) } sort keys %{ $got->{headers} }] };
}

sub named(&@) {
    my ($wrong, @rows) = @_;
    return [map { id_of($_) } grep { $wrong->() } @rows];
}

sub nobody_of { return $nobody{$_[0]{form}} // $native }
sub is_nobody { my ($row, $got) = @_; return "$got->{status} $got->{body}" eq join ' ', @{ nobody_of($row) } }

subtest 'who is nobody' => sub {
    my $before = fingerprint($db);
    for my $row (@shut) {
        my $told = told(call($row, \%real), \%real);
        is_deeply [@$told{qw(status body)}], nobody_of($row), id_of($row) . ' without a key';
        my @others = grep { !eq_hash(told(call($row, \%real, key => $_->[1]), \%real), $told) } @bad_keys;
        is_deeply [map { $_->[0] } @others], [], 'the same for every bad key';
    }
    is_deeply named(sub { call($_, \%real, key => 'wrong')->{status} != 200 }, grep { $_->{role} eq 'anyone' } @routes), [],
        'but for what anyone may ask';
    is fingerprint($db), $before, 'nothing was written';
};

subtest 'the key comes before the body' => sub {
    my @with_body = grep { $_->{needs} =~ /body/ } @shut;
    my %bad = ('broken' => '{"name":', 'an array' => '[1]', 'a string' => '"x"', 'no UTF-8' => "{\"name\":\"\xff\"}", 'a form' => 'name=x',
        'too deep' => '{"a":' x 40 . '1' . '}' x 40, 'of wrong types' => '{"name":[],"message":{},"mode":1,"metadata":1,"adds":1}');
    for my $what (sort keys %bad) {
        my $type = $what eq 'a form' ? 'application/x-www-form-urlencoded' : 'application/json';
        my %with = (body => $bad{$what}, headers => { 'Content-Type' => $type });
        is_deeply named(sub { !is_nobody($_, call($_, \%real, %with, key => 'wrong')) }, @with_body), [], "$what: a bad key";
        is_deeply named(sub { $rank{$_->{role}} > 1 && call($_, \%real, %with, key => $role_key{default})->{status} != 403 },
            @with_body), [], 'a low role';
        is_deeply named(sub { call($_, \%real, %with, key => $acme->{key})->{status} !~ /^4(?:00|15|22)$/ }, @with_body), [], 'a good key'
            if $what ne 'of wrong types';
    }
    # Nothing of the body is sent: who waits for it does not answer.
    for my $case (['no key', undef, CONTENT_LENGTH => 10], ['a wrong key', 'wrong', CONTENT_LENGTH => 1_000_000],
        ['a wrong key and chunks', 'wrong', HTTP_TRANSFER_ENCODING => 'chunked'],
        ['a wrong key, far too much', 'wrong', CONTENT_LENGTH => 1 << 40]) {
        my ($what, $key, @params) = @$case;
        my $answer = sub {
            my $connection = fcgi_open($exedra->{socket});
            my %headers = defined $key ? (Authorization => "Bearer $key") : ();
            $connection->send(begin_record(1), record(FCGI_PARAMS, 1,
                pairs(cgi_variables(POST => $_[0]{pattern} =~ s/[{}]//gr, headers => \%headers, params => {@params}))),
                record(FCGI_PARAMS, 1, ''));
            return eval { $connection->reply(2)->{status} } // 'waits';
        };
        is_deeply named(sub { $answer->($_) ne nobody_of($_)->[0] }, @with_body), [], "the body is not read: $what";
    }
};

subtest 'roles' => sub {
    my $before = fingerprint($db);
    for my $row (@shut) {
        for my $role (grep { $rank{$_} < $rank{$row->{role}} } sort keys %rank) {
            my $got = call($row, \%real, key => $role_key{$role});
            is $got->{status}, 403, id_of($row) . " is not for the role $role";
            like $got->{json}{message} // $got->{json}{error}, qr/\b$row->{role}\b/, 'it says which role is needed';
            my %form = (workspace => [qw(message workspace)], success => [qw(error success)],
                abort => [qw(close error id sources textResponse type)]);
            is_deeply [sort keys %{ $got->{json} }], $form{$row->{form}} // ['error'], "in the form `$row->{form}`";
        }
    }
    is fingerprint($db), $before, 'nothing was written';
};

subtest 'what is not theirs' => sub {
    my $before = fingerprint($db);
    for my $row (grep { $expect{id_of($_)}{unknown} } @routes) {
        my ($status, $body) = @{ $expect{id_of($row)}{unknown} };
        for my $case (['another tenant', $beta->{key}], ['an account outside', $account{out}{key}]) {
            my ($what, $key) = @$case;
            next if $what =~ /account/ && ($rank{$row->{role}} > 1);
            my ($foreign, $unknown) = map { told(call($row, $_, key => $key), $_) } \%real, \%random;
            is_deeply $foreign, $unknown, id_of($row) . ": for $what like what does not exist";
            is_deeply [@$foreign{qw(status body)}], [$status, $body], 'as the contract says';
        }
    }
    # A thread of another tenant, asked for in a workspace of one's own; one of another account, in the workspace of both.
    for my $row (grep { $expect{id_of($_)}{child} } @routes) {
        for my $case (['another tenant', $beta->{key}, 'beta-room'], ['another account', $account{bea}{key}, 'secret-room']) {
            my ($what, $key, $slug) = @$case;
            my ($foreign, $unknown) = map { my %ids = (%$_, SLUG => $slug); told(call($row, \%ids, key => $key), \%ids) } \%real, \%random;
            is_deeply $foreign, $unknown, id_of($row) . ": a thread of $what like one that does not exist";
            is_deeply [@$foreign{qw(status body)}], $expect{id_of($row)}{child}, 'as the contract says';
        }
    }
    is fingerprint($db), $before, 'nothing was written';
    for my $row (grep { $expect{id_of($_)}{body_with} } @routes) {
        my ($foreign, $unknown) = map { told(call($row, { %$_, SLUG => $row->{pattern} =~ /slug/ ? 'beta-room' : $_->{SLUG} },
            key => $beta->{key}, with_body => $expect{id_of($row)}{body_with}), $_) } \%real, \%random;
        is_deeply $foreign, $unknown, id_of($row) . ': an id in the body';
        is $foreign->{status}, 200, 'is passed over';
        unlike $foreign->{body}, qr/SECRET/, 'and nothing of it is shown';
    }
    is psql($db, "SELECT count(*) FROM exedra.workspace_document"), 1, "nobody's document went anywhere";
    is_deeply [map { $_->{slug} } @{ http($exedra, GET => '/v1/workspaces', key => $account{out}{key})->{json}{workspaces} }], [],
        'lists hold only what is theirs';
    unlike http($exedra, GET => $_, key => $beta->{key})->{body}, qr/SECRET|secret-room|\Q$real{NAME}/, "$_ too"
        for map { $_->{pattern} } grep { $_->{method} eq 'GET' && $_->{pattern} !~ /\{/ } @shut;
};

subtest 'the tenant that the web server names' => sub {
    for my $row (@shut) {
        my $got = call($row, \%real, key => $acme->{key}, params => { EXEDRA_TENANT => 'beta' });
        ok is_nobody($row, $got), id_of($row) . ' with a key of another' or diag $got->{body};
    }
    is http($exedra, GET => '/v1/auth', key => $acme->{key}, params => { EXEDRA_TENANT => 'acme' })->{status}, 200, 'the same';
    is http($exedra, GET => '/v1/auth', key => $acme->{key}, headers => { 'Exedra-Tenant' => 'beta' })->{status}, 200,
        'a header says nothing';
};

subtest 'GET writes nothing, and what the right key gets' => sub {
    my $before = fingerprint($db);
    for my $row (grep { $_->{method} eq 'GET' } @routes) {
        my $got = call($row, \%real, key => $acme->{key});
        is $got->{status}, 200, id_of($row);
        is_deeply told(call($row, \%real, key => $acme->{key}, prefix => '/api'), {}), told($got, {}), 'under /api too';
        my $head = call($row, \%real, key => $acme->{key}, method => 'HEAD');
        is_deeply [@{ told($head, {}) }{qw(status headers)}, $head->{body}], [@{ told($got, {}) }{qw(status headers)}, ''],
            'HEAD is the same without its body';
    }
    is fingerprint($db), $before, 'nothing was written';
    for my $row (grep { $_->{method} ne 'GET' } @routes) {
        is call($row, { %real, THREAD => 'bea-talk' }, key => $role_key{$row->{role}})->{status}, 200, id_of($row) . " as $row->{role}";
    }
};

ok $exedra->stop, 'exedra ends well';
done_testing;
