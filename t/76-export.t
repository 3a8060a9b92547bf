# A tenant leaves and comes back: exedractl export and import.  Everything that it has is in the file, whatever table it lies in;
# in another installation, under another name beside itself, and after pg_dump and restore, every GET route and every search
# answers to the byte as before.  A file that is not whole or not honest brings nothing in, and says which line it is.
use lib 't/lib';
use Exedra::Test;
use Encode ();
use Digest::MD5 qw(md5);
use Digest::SHA qw(sha256_hex);
use Exedra::Contract;
use Exedra::Hostile qw(asan);
use Exedra::Model ();
use Exedra::OpenWebUI;
use Exedra::RouteSuite ();

my $embedder = start_model(answer => sub {
    my ($client, $request) = @_;
    my ($input, $i) = ($request->{json}{input}, 0);
    Exedra::Model::reply_json($client, { object => 'list', data => [map { { object => 'embedding', index => $i++, embedding => [map { $_ - 127 } unpack "C16", md5(Encode::encode_utf8(lc))] } } ref $input ? @$input : $input] });
});
my $PAGE = 'https://page.example';
my $SESSION = '6f1c32d3-9f0a-4c7e-8a61-000000000001';           # that of the route suite
my $dir = tmp_dir();
my %settings = (reading(), 'embed.url' => $embedder->{url}, 'embed.model' => 'm', 'embed.provider' => 'house', 'outbound.allow' => '127.0.0.0/8',
    'secret.file' => "$dir/secret.key", processes => 1);
my ($conf, $other_conf) = map { write_settings("$dir/$_.conf", { 'secret.file' => "$dir/$_.key" }) } qw(secret other);
my $db = database();

# ---- a rich tenant ----

tenant($db, 'first');                       # so that nothing has the number 1
my $acme = tenant($db, 'acme');
my $provider = run([program('exedractl'), '-d', $db->conninfo('owner'), '-c', $conf, qw(provider set acme mine), $embedder->{url}, qw(--key - --model m)], stdin => "sk-mine\n");
is $provider->{status}, 0, 'a provider with a key' or diag $provider->{err};
my $exedra = start_exedra(db => $db, settings => \%settings);
my $key = $acme->{key};
sub admin { my ($method, $path, $json, %with) = @_; return http($exedra, $method, $path, key => $key, defined $json ? (json => $json) : (), %with) }
sub good { my ($got, $what) = @_; $got->{status} == 200 or die "$what: $got->{status} $got->{body}\n"; return $got->{json} }

my %account = map { $_->[0] => account($acme, @$_) } ['bea', role => 'default'], ['max', role => 'manager'];
my $people = { map { $_->{username} => $_->{id} } @{ good(admin(GET => '/v1/admin/users'), 'users')->{users} } };
good(admin(POST => "/v1/admin/users/$people->{bea}", { password => 'long enough', bio => "Likes \x{1F40B}s." }), 'password');
workspace($exedra, $key, $_) for 'Empty', 'Hall', 'Cellar';
exedractl($db, qw(account grant acme bea hall));
document($exedra, $key, 'whales', join("\n\n", map { "Whale number $_ sings in the sea, and its song has $_ verses. " x 3 } 1 .. 40), 'hall');
my $plan = document($exedra, $key, 'plan', 'SECRET plans of the house.', 'hall');
my $wine = document($exedra, $key, 'cellar', "What lies in the cellar:\n\t\"wine\" \\ and \x{4e2d}\x{6587}.", 'cellar');
document($exedra, $key, 'loose', 'In no workspace.');
good(admin(POST => '/v1/document/create-folder', { name => 'shelf' }), 'folder');
good(admin(POST => '/v1/document/move-files', { files => [{ from => $plan->{location}, to => 'shelf/' . $plan->{location} =~ s{.*/}{}r }] }), 'move');
good(admin(POST => '/v1/workspace/cellar/update-pin', { docPath => $wine->{location}, pinStatus => \1 }), 'pin');
my $file = upload($exedra, $key, 'bytes.txt', join('', map { "line $_\n" } 1 .. 28_000));
read_at_last($exedra, $key, $file->{id});
my $collection = collection($exedra, $key, 'Kept');
admin(POST => "/v1/knowledge/$collection->{id}/file/add", { file_id => $file->{id} });
upload($exedra, $account{bea}{key}, 'broken.pdf', "%PDF-1.4\n\xff\xfe", type => 'application/pdf');
for my $asked ([$key, 'hall', 'What sings?'], [$key, 'hall', 'And then?', sessionId => 'a-session'], [$account{bea}{key}, 'hall', 'Who is "bea"?'], [$key, 'cellar', "Tabs\tand\nlines?",
        attachments => [{ name => 'a.png', mime => 'image/png', contentString => 'data:image/png;base64,' . 'AAAA' x 3000 }]]) {
    my ($who, $slug, $message, %more) = @$asked;
    good(chat($exedra, $who, $slug, { message => $message, mode => 'chat', %more }), $message);
}
for my $thread ([$key, 'a-talk'], [$account{bea}{key}, 'bea-talk']) {
    good(http($exedra, POST => '/v1/workspace/hall/thread/new', key => $thread->[0], json => { name => 'A talk', slug => $thread->[1] }), 'thread');
    good(http($exedra, POST => "/v1/workspace/hall/thread/$thread->[1]/chat", key => $thread->[0], json => { message => $_, mode => 'chat' }), 'thread') for 'One?', 'Two?', 'Three?';
}
my $embed = good(admin(POST => '/v1/embed/new', { workspace_slug => 'hall', chat_mode => 'chat', allowlist_domains => $PAGE }), 'embed')->{embed}{uuid};
sub visit { my ($server, $uuid) = @_; return http($server, POST => "/embed/$uuid/stream-chat", body => json_text({ sessionId => $SESSION, message => 'What sings?' }),
    headers => { 'Content-Type' => 'text/plain', Origin => $PAGE }) }
is visit($exedra, $embed)->{status}, 200, 'an embed';
admin(POST => '/v1/admin/invite/new', { workspaceIds => [2] }) for 1 .. 2;
my $code = good(admin(POST => '/v1/admin/invite/new', {}), 'invite')->{invite}{code};
good(admin(POST => '/v1/admin/preferences', { custom_app_name => 'House', gmail_agent_config => 'a secret of mail' }), 'preferences');
exedractl($db, qw(setting set acme simple_sso on));
good(http($exedra, POST => '/v1/auths/signin', json => { email => 'bea', password => 'long enough' }, params => { EXEDRA_TENANT => 'acme' }), 'sign in');
$exedra->stop;
run([program('exedractl'), '-c', write_settings("$dir/work.conf", { %settings, 'db.url' => $db->conninfo('runtime') }), 'work']);         # what is still to be done
psql($db, q{INSERT INTO exedra.job (tenant_id, kind, subject_id, due_at, state, worker, ticket)
    SELECT id, 'embed_version', 999999, '2999-01-01', 'running', 'n/p/w', gen_random_uuid() FROM exedra.tenant WHERE name = 'acme'});

# ---- asking everything ----

my %ids = (SLUG => 'hall', THREAD => 'a-talk', NAME => $plan->{location} =~ s{.*/}{}r, FOLDER => 'shelf', EMBED => $embed, FILE => $file->{id}, ROOM => 3, USER => $people->{bea});
my @targets = map { Exedra::RouteSuite::target_of($_, \%ids) } grep { $_->{method} eq 'GET' && $_->{pattern} !~ m{^/(?:metrics|readyz|livez|ping)$} } routes();
push @targets, qw(/v1/workspace/cellar /v1/workspace/hall/chats?apiSessionId=a-session /v1/workspace/cellar/chats /v1/documents/folder/custom-documents /v1/knowledge/kept /v1/knowledge/kept/files),
    "/v1/embed/$embed/chats/$SESSION", (map { "/v1/system/export-chats?type=$_" } qw(csv json jsonl jsonAlpaca)), (map { "/v1/files/$file->{id}$_" } qw(/content /data/content)), '/v1/workspace/hall/thread/bea-talk/chats';
my @searches = (map({ ["/v1/workspace/hall/vector-search", { query => $_, topN => 20, scoreThreshold => 0 }] } 'whale song', 'SECRET plans', 'verses 7'), ['/v1/workspace/cellar/vector-search', { query => 'wine' }],
    ['/v1/retrieval/query/doc', { collection_name => 'kept', query => 'line 17', k => 5 }], ['/v1/admin/workspace-chats', { offset => 0 }]);

# Every answer, by who asks for what.
sub answers {
    my ($at, $admin, $bea) = @_;
    my $server = start_exedra(db => $at, settings => \%settings);
    my %answer;
    for my $who ([admin => $admin], [bea => $bea]) {
        my ($name, $its) = @$who;
        my @asked = (map({ ["GET $_", http($server, GET => $_, key => $its, headers => { Origin => $PAGE })] } @targets),
            map { ["POST $_->[0] " . json_text($_->[1]), http($server, POST => $_->[0], key => $its, json => $_->[1])] } @searches);
        $answer{"$name: $_->[0]"} = "$_->[1]{status} $_->[1]{body}" for @asked;
    }
    $server->stop;
    return \%answer;
}

# The names of those that differ.
sub differences {
    my ($is, $was) = @_;
    my @wrong = grep { ($is->{$_} // '') ne ($was->{$_} // '') } sort keys %$was;
    diag "$_:\n was $was->{$_}\n  is $is->{$_}" =~ s/^(.{3000}).*/$1/sr for @wrong[0 .. ($#wrong < 4 ? $#wrong : 4)];
    return \@wrong;
}
# Some of what is done here is an event itself.
sub without_ours { my ($answers) = @_; return { map { $_ => $answers->{$_} =~ s/\{"id":\d+,"occurredAt":"[^"]*","action":"(?:tenant\.import|chat\.export)".*?"requestId":[^}]*\},?//gsr =~ s/,\]/]/r } keys %$answers } }

sub transfer { my ($at, $stdin, @command) = @_; return run([program('exedractl'), '-d', $at->conninfo('owner'), @command], defined $stdin ? (stdin => $stdin) : (), timeout => 120) }
sub export { my ($at, $name) = @_; my $got = transfer($at, undef, qw(export --tenant), $name); $got->{status} == 0 && !sanitizer_report($got->{err}) or die "export: $got->{err}\n"; return $got->{out} }

my $before = without_ours(answers($db, $key, $account{bea}{key}));
is_deeply [grep { $before->{$_} !~ /^(?:200|403|404|501|401|422|400)/ } sort keys %$before], [], 'the routes answer';
cmp_ok scalar(grep { /^200 .{40}/s } values %$before), '>', 60, 'most of them with something';
like $before->{'admin: POST /v1/workspace/hall/vector-search ' . json_text($searches[0][1])}, qr/"distance":0\.\d+.*"distance":0\.\d+/, 'searches compare vectors';
# Settings and providers, once stored, ask for this themselves.
psql($db, q{INSERT INTO exedra.job (tenant_id, kind, subject_id) SELECT t.id, 'embed_check', n FROM exedra.tenant t, (VALUES (0), (7)) v (n) WHERE t.name = 'acme'});
my $text = export($db, 'acme');
my @lines = split /^/, $text;

subtest 'everything is in it' => sub {
    my $all = psql($db, q{SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relnamespace = 'exedra'::regnamespace AND c.relkind IN ('r', 'p')});
    my @left_out = split /\n/, psql($db, 'SELECT name FROM exedra.unexported_tables()');
    my @tables = split /\n/, psql($db, 'SELECT exedra.exported_tables()');
    is join(' ', sort @left_out, @tables), $all, 'every table with a tenant is exported, or left out by name';
    my %written;
    /^\{"(\w+)":/ and $written{$1}++ for @lines[2 .. $#lines - 1];
    # The export is an event, which came after.
    is_deeply { map { $_ => $written{$_} // 0 } @tables }, { map { $_ => psql($db, "SELECT count(*) FROM exedra.$_ WHERE tenant_id = 2" . ($_ eq 'event' ? " AND action <> 'tenant.export'" : $_ eq 'job' ? " AND kind <> 'embed_check'" : '')) } @tables },
        'every row of each';
    is_deeply [grep { !$written{$_} } qw(account setting provider workspace workspace_account thread folder file file_part document document_version document_text chunk segment
        segment_part word embedder embedding embedded workspace_document chat embed usage credential invite job)], [], 'this tenant has some of nearly everything';
    my %place = map { $tables[$_] => $_ } 0 .. $#tables;
    is_deeply [grep { my ($from, $to) = split ' '; defined $place{$from} && defined $place{$to} && $place{$from} < $place{$to} } split /\n/,
        psql($db, q{SELECT conrelid::regclass::text || ' ' || confrelid::regclass FROM pg_constraint WHERE contype = 'f' AND connamespace = 'exedra'::regnamespace}) =~ s/exedra\.//gr], [], 'what is referred to comes first';
    unlike $text, qr/sk-mine|sk-exd-|a secret of mail|long enough|\Q$code\E/, 'no secret is in it to be read';
    like $lines[-1], qr/^\{"end":\{"lines":@{[@lines - 1]},"sha256":"@{[sha256_hex(join '', @lines[0 .. $#lines - 1])]}"\}\}\n\z/, 'the last line has number and hash of the others';
    cmp_ok +(sort { $b <=> $a } map { length } @lines)[0], '<', 400_000, 'lines are bounded';
};

my $elsewhere = database();
subtest 'in another installation' => sub {
    my $got = transfer($elsewhere, $text, '-c', $conf, 'import');
    is $got->{status}, 0, 'it is imported' or diag $got->{err};
    is_deeply [@$got{qw(out err)}], ["2\n", ''], 'with its number, and without a complaint';
    is_deeply differences(without_ours(answers($elsewhere, $key, $account{bea}{key})), $before), [], 'its old keys get the same answers, to the byte';
    my $same = sub { my (undef, @rows) = split /^/, $_[0]; join '', grep { !/^\{"(?:job|event|end)":/ } @rows };
    ok $same->(export($elsewhere, 'acme')) eq $same->($text), 'and its export has the same lines';
    is psql($elsewhere, q{SELECT state, worker, ticket FROM exedra.job WHERE kind = 'embed_version'}), "waiting\t\t", 'a job that was being done waits';
    is psql($elsewhere, q{SELECT count(*) FROM exedra.job WHERE kind = 'embed_check' AND subject_id = 7}), 0, 'one that is made anew is not brought along';

    my $server = start_exedra(db => $elsewhere, settings => \%settings);
    my $made = workspace($server, $key, 'New');
    is $made->{id}, 1 + psql($elsewhere, "SELECT max(id) FROM exedra.workspace WHERE slug <> 'new'"), 'numbers go on where they were';
    good(chat($server, $key, 'hall', { message => 'The last question?', mode => 'chat' }), 'chat');
    like http($server, GET => '/v1/workspace/hall/chats', key => $key)->{json}{history}[-2]{content}, qr/The last question/, 'a new chat is the newest';
    good(http($server, POST => '/v1/auths/signin', json => { email => 'bea', password => 'long enough' }, params => { EXEDRA_TENANT => 'acme' }), 'sign in');
    is visit($server, $embed)->{status}, 200, 'the embed has its address';
    is http($server, POST => "/invite/$code", json => { username => 'guest', password => 'long enough' }, params => { EXEDRA_TENANT => 'acme' })->{status}, 200, 'an invite is good';
    document($server, $key, 'more', 'A narwhal came by.', 'hall');
    like http($server, POST => '/v1/workspace/hall/vector-search', key => $key, json => { query => 'narwhal', scoreThreshold => 0 })->{body}, qr/A narwhal came by/, 'and new documents are found';
    $server->stop;
};

subtest 'beside itself, under another name' => sub {
    my $got = transfer($db, $text, 'import');
    is_deeply [$got->{status}, $got->{err}], [1, qq(exedractl: There is a tenant named "acme" already; --tenant gives another name.\n)], 'the same name is refused';
    $got = transfer($db, $text, qw(import --tenant), 'A B');
    is_deeply [$got->{status}, $got->{err}], [1, qq(exedractl: A tenant's name is 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first: "A B" is not.\n)], 'and one that is none';
    $got = transfer($db, $text, qw(-c), $conf, qw(import --tenant copy));
    is $got->{status}, 0, 'another is not' or diag $got->{err};
    like $got->{err}, qr/^exedractl: 4 of 4 rows of credential are left out: another tenant of this server has the same\.$/m, 'keys stay with whom they open, and that is told';
    like $got->{err}, qr/^exedractl: 3 of 3 rows of invite are left out/m, 'invites too';
    my ($fresh) = $got->{err} =~ /^exedractl: The embed $embed is another tenant's here; this one's is ([-0-9a-f]{36}), and pages must say so\.$/m;
    ok $fresh, 'an embed has another address';
    my $copy = { db => $db, name => 'copy' };
    my ($admin, $bea) = (key($copy), key($copy, account => 'bea'));
    my $is = answers($db, $admin, $bea);
    s/\Q$fresh\E/$embed/g for values %$is;
    # What an address of the original's shows is the original's.
    my @own = grep { !m{/embed/$embed|/v1/admin/invites$|/v1/auths$|/auths/api_key$|/events} } keys %$before;
    is_deeply differences($is, { map { $_ => $before->{$_} } @own }), [], 'the same answers, to the byte, but for that';
    is_deeply differences(answers($db, $key, $account{bea}{key}), { map { $_ => $before->{$_} } grep { !m{/events} } keys %$before }), [], "and the original's are what they were";
    my $secrets = "SELECT count(DISTINCT s.sealed) FROM (SELECT sealed_key AS sealed FROM exedra.provider WHERE name = 'mine') s";
    is psql($db, $secrets), 2, 'what is sealed is sealed anew, for the seal names the tenant';
    my $server = start_exedra(db => $db, settings => \%settings);
    exedractl($db, qw(embedder set copy mine --model m));
    document($server, $admin, 'sealed', 'By its own provider.', 'hall');
    unlike $server->log_text, qr/cannot be unsealed/, 'and opens';
    $server->stop;
    exedractl($db, qw(tenant delete copy));
    is_deeply differences(answers($db, $key, $account{bea}{key}), { map { $_ => $before->{$_} } grep { !m{/events} } keys %$before }), [], 'without it too';
};

subtest 'another secret.file' => sub {
    my $to = database();
    my $got = transfer($to, $text, '-c', $other_conf, 'import');
    is $got->{status}, 0, 'it is imported';
    like $got->{err}, qr/^exedractl: the secret of the $_ cannot be opened with this server's secret\.file: give it again\.$/m, "loudly: $_" for 'provider mine', 'setting gmail_agent_config';
};

# ---- files that are not good ----

# The lines with a change made, and the last line made to fit.
sub forged {
    my (@lines) = @_;
    pop @lines;
    return join '', @lines, sprintf qq({"end":{"lines":%d,"sha256":"%s"}}\n), scalar @lines, sha256_hex(join '', @lines);
}
sub changed {
    my ($table, $from, $to) = @_;
    my @new = @lines;
    my ($at) = grep { $new[$_] =~ /^\{"$table":/ && $new[$_] =~ $from } 0 .. $#new;
    die "no line of $table has $from" if !defined $at;
    ref $to ? $new[$at] =~ s/$from/$to->()/e : $new[$at] =~ s/$from/$to/;
    return ($at + 1, forged(@new));
}

subtest 'what is not whole or not honest' => sub {
    my $to = database();
    tenant($to, 'victim');
    my $server = start_exedra(db => $to, settings => \%settings);
    workspace($server, key({ db => $to, name => 'victim' }), 'Theirs');
    $server->stop;
    psql($to, 'DELETE FROM exedra.job');
    psql($to, 'SELECT exedra.work_for(1, NULL, 30); ' . join '', map { "INSERT INTO exedra.$_;" } "workspace (tenant_id, id, name, slug) OVERRIDING SYSTEM VALUE VALUES (1, 4711, 'Theirs', 'theirs2')",
        "account (tenant_id, id, username) OVERRIDING SYSTEM VALUE VALUES (1, 4711, 'their')", "file (tenant_id, id, name) OVERRIDING SYSTEM VALUE VALUES (1, 4711, 'their')");
    my $fingerprint = fingerprint($to);
    my $no = scalar @lines;
    my @cases = (
        ['nothing', '', 1, qr/the file ends here/], ['something else', "hello\n", 1, qr/byte 1/], ['other JSON', qq({"a":1}\n), 1, qr/no export/], ['the first line only', $lines[0], 2, qr/ends here/],
        ['cut off', join('', @lines[0 .. 20]), 22, qr/ends here, and is not whole/], ['cut off in a line', substr($text, 0, -200), undef, qr/in the middle/],
        ['without its last line', join('', @lines[0 .. $#lines - 1]), $no, qr/ends here/], ['without a line', join('', @lines[0 .. $#lines - 3], @lines[-2, -1]), undef, qr/Line/],
        ['a byte changed', $text =~ s/custom_app_name","value":"H/custom_app_name","value":"M/r, $no, qr/changed or damaged/], ['more behind it', "$text\n", $no + 1, qr/behind the last/],
        ['twice', $text . $text, $no + 1, qr/behind the last/], ['broken JSON', forged(@lines[0 .. 9], qq({"workspace":{"id":}}\n), ''), 11, qr/byte/], ['no row', forged(@lines[0 .. 9], qq([1]\n), ''), 11, qr/no row/],
        ['two in a line', forged(@lines[0 .. 9], qq({"folder":{"name":"a"},"folder2":{"name":"b"}}\n), ''), 11, qr/Line 11/], ['no UTF-8', forged(@lines[0 .. 9], qq({"folder":{"name":"\xff"}}\n), ''), 11, qr/byte/],
        ['a NUL', forged(@lines[0 .. 9], qq({"folder":{"name":"\\u0000"}}\n), ''), 11, qr/byte/], ['a bare NUL', forged(@lines[0 .. 9], qq({"folder":{"name":"\0"}}\n), ''), 11, qr/byte/], ['deep', forged(@lines[0 .. 9], '{"folder":' x 99 . '1' . '}' x 99 . "\n", ''), 11, qr/byte/],
        ['a later format', forged($lines[0] =~ s/"version":1/"version":2/r, @lines[1 .. $#lines]), 1, qr/format is exedra-tenant 2/], ['a later schema', forged($lines[0] =~ s/"schema":\d+/"schema":77/r, @lines[1 .. $#lines]), 1, qr/schema version 77/],
        ['a bad name', forged($lines[0], $lines[1] =~ s/"acme"/"..\/x"/r, @lines[2 .. $#lines]), 2, qr/Line 2/], ['a name that is taken', forged($lines[0], $lines[1] =~ s/"acme"/"victim"/r, @lines[2 .. $#lines]), undef, qr/"victim" already/],
        ['no tenant', forged($lines[0], @lines[2 .. $#lines]), 2, qr/tenant is to be/],
        (map { ["a table that is none: $_", forged(@lines[0 .. 9], qq({"$_":{"name":"x"}}\n), ''), 11, qr/There is no table/] } qw(nonsense tenant schema_version open_chat embedding_code pg_class), 'workspace; DROP', 'x' x 60),
        ['a tenant of its own', changed(workspace => qr/"id":/, '"tenant_id":1,"id":'), qr/columns of workspace are/], ['an unknown column', changed(chat => qr/"id":/, '"admin":true,"id":'), qr/columns of chat are/],
        ['a column missing', changed(chat => qr/"recency":-\d+,/, ''), qr/columns of chat are/], ['a column twice', changed(workspace => qr/"id":/, '"id":1,"id":'), qr/byte/],
        ['text for a number', changed(workspace => qr/"id":\d+/, '"id":"x"'), qr/invalid input/], ['half a number', changed(workspace => qr/"id":\d+/, '"id":1.5'), qr/invalid input/], ['an object for a text', changed(embedding => qr/"vector":"[^"]*"/, '"vector":{}'), qr/base64/],
        ['no base64', changed(file_part => qr/"bytes":"..../, '"bytes":"!!!!'), qr/base64/], ['no JSON inside', changed(chat => qr/"metrics":"/, '"metrics":"{'), qr/json/], ['a state there is not', changed(chat => qr/"state":"done"/, '"state":"gone"'), qr/chat_state/],
        ['nothing where something must be', changed(workspace => qr/"slug":"hall"/, '"slug":null'), qr/slug/], ['a role there is not', changed(account => qr/"role":10/, '"role":99'), qr/account_role_check/],
        ["another's workspace", changed(thread => qr/"workspace_id":\d+/, '"workspace_id":4711'), qr/foreign key/], ["another's account", changed(workspace_account => qr/"account_id":\d+/, '"account_id":4711'), qr/foreign key/],
        ["another's file", changed(document => qr/"file_id":\d+/, '"file_id":4711'), qr/foreign key/], ['a row twice', forged(map { /^\{"thread":/ ? ($_, $_) : $_ } @lines), undef, qr/Line \d+: duplicate key/],
        (map { ["the number $_->[0]", changed(chat => qr/"id":\d+/, qq("id":$_->[0])), $_->[1]] } [0, qr/out of range/], [-5, qr/out of range/], ['9223372036854775807', qr/out of range/], [1 << 50, qr/out of range/], ['9223372036854775808', qr/byte|range/]),
        ['a recency beyond all', changed(chat => qr/"recency":-\d+/, '"recency":-9223372036854775807'), qr/out of range/], ['a setting there is not', changed(setting => qr/"name":"custom_app_name"/, '"name":"is_root"'), qr/no setting/],
        ['a setting in clear', changed(setting => qr/("name":"gmail_agent_config","value":)"[^"]*"/, '"name":"gmail_agent_config","value":"clear"'), qr/secret/],
        ['words that are not whole', changed(segment_part => qr/"n_buckets":\d+/, '"n_buckets":0'), qr/segment are not whole/], ['words that are too many', changed(segment_part => qr/"n_buckets":\d+/, '"n_buckets":4096'), qr/segment are not whole/],
        ['a hash that is none', changed(credential => qr/"hash":"[^"]*"/, '"hash":"AAAA"'), qr/credential_hash_check/],
    );
    for my $case (@cases) {
        my ($what, $file, $line, $why) = ref $case->[1] || $case->[1] !~ /^\d+$/ ? @$case : (@$case[0, 2, 1, 3]);
        my $got = transfer($to, $file, 'import');
        is $got->{status}, 1, "$what: refused" or next;
        like $got->{err}, $why, '… why';
        like $got->{err}, qr/Line $line\b/, "… with the line" if defined $line && $why !~ /segment/;
        is $got->{out}, '', '… and nothing else is said';
        ok !sanitizer_report($got->{err}), '… well';
    }
    is fingerprint($to), $fingerprint, 'nothing was imported, and nobody else has changed';
    my $long = "$dir/long";
    open my $out, '>', $long or die;
    print $out @lines[0 .. 9], '{"folder":{"name":"';
    truncate $out, 1 << 30 or die;              # a hole: no disk is filled
    close $out;
    open my $in, '<', $long or die;
    my ($pid, $said) = Exedra::Process::spawn_reading([program('exedractl'), '-d', $to->conninfo('owner'), 'import'], stdin => $in, log => "$dir/long.log");
    isnt end_process($pid, signal => 'none', seconds => 120), 0, 'a line of a gigabyte: refused';
    like slurp("$dir/long.log"), qr/Line 11: it is longer than a line can be/, '… for its length';
    is fingerprint($to), $fingerprint, 'nothing of it';
    is transfer($to, $text, '-c', $conf, 'import')->{status}, 0, 'the file as it was is good';
};

subtest 'who may' => sub {
    for my $command ([qw(export --tenant acme)], [qw(import --tenant x)]) {
        my $got = run([program('exedractl'), '-d', $db->conninfo('runtime'), @$command], stdin => $text);
        role_setup() eq 'one' ? is($got->{status}, 0, "@$command: one role may all") : like($got->{err}, qr/permission denied/, "@$command: not the workers' role");
    }
    is transfer($db, undef, qw(export --tenant nobody))->{err}, qq(exedractl: There is no tenant named "nobody".\n), 'an unknown tenant';
    is transfer($db, undef, 'export')->{status}, 2, 'no tenant';
    like run(['sh', '-c', 'exec "$@" >/dev/full', 'sh', program('exedractl'), '-d', $db->conninfo('owner'), qw(export --tenant acme)])->{err}, qr/writing: No space left/, 'a full disk is told';
};

subtest 'dumps' => sub {
    my ($dump) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin/pg_dump';
    plan skip_all => 'pg_dump is missing' if !defined $dump;
    for my $who (qw(owner runtime)) {
        my $got = run([$dump, '-d', $db->conninfo($who)]);
        isnt $got->{status}, 0, "the $who\'s fails";
        like $got->{err}, qr/row-level security|permission denied/, 'and says why';
    }
    my $got = run([$dump, '-Fp', '-d', $db->conninfo('super')], timeout => 120);
    is $got->{status}, 0, "a superuser's is made";
    my $to = database(empty => 1);
    psql($to, $got->{out});
    my $was = { map { $_ => $before->{$_} } grep { !m{/events} } keys %$before };
    is_deeply differences(answers($to, $key, $account{bea}{key}), $was), [], 'restored, all answers are the same';
};

# ---- memory ----

# The most that a process has had so far, in kB.
sub peak_kb { my ($pid) = @_; slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m or die; return $1 }

subtest 'memory does not grow with the tenant' => sub {
    plan skip_all => 'a sanitizer has memory of its own' if asan();
    my ($big, $to) = (database(), database());
    my $id = exedractl($big, qw(tenant create big));
    psql($big, qq{SELECT exedra.work_for($id, NULL, 30); INSERT INTO exedra.file (tenant_id, name, state, size) VALUES ($id, 'big', 'stored', 24 * 262144);
        INSERT INTO exedra.file_part (tenant_id, file_id, no, bytes) SELECT $id, 1, n, decode(repeat(md5(n::text), 8192), 'hex') || decode(repeat(md5(n::text), 8192), 'hex') FROM generate_series(0, 23) n;
        INSERT INTO exedra.workspace (tenant_id, name, slug) VALUES ($id, 'W', 'w');
        INSERT INTO exedra.chat (tenant_id, workspace_id, origin, mode, prompt, answer, state) SELECT $id, 1, 'api', 'chat', 'Q' || n, repeat('A', 500), 'done' FROM generate_series(1, 10000) n});
    my ($pid, $from) = Exedra::Process::spawn_reading([program('exedractl'), '-d', $big->conninfo('owner'), qw(export --tenant big)], log => "$dir/big.log");
    my ($file, $peak) = ('', 0);
    sysread $from, $file, 1000;
    psql($big, "INSERT INTO exedra.$_") for "chat (tenant_id, workspace_id, origin, mode, prompt) VALUES ($id, 1, 'api', 'chat', 'LATE')", "setting VALUES ($id, 'LATE', 'LATE')";
    while (sysread $from, $file, 1 << 20, length $file) { $peak = peak_kb($pid) if $file !~ /^\{"end":/m }
    unlike $file, qr/LATE/, 'what comes while it goes on is not in it';
    is end_process($pid, signal => 'none'), 0, 'exported: ' . length($file) . ' bytes';
    cmp_ok $peak, '<', 24_000, "export: $peak kB";
    pipe my $read, my $write or die;
    ($pid, my $said) = Exedra::Process::spawn_reading([program('exedractl'), '-d', $to->conninfo('owner'), 'import'], stdin => $read, log => "$dir/big.log");
    close $read;
    my $last = rindex $file, "\n", length($file) - 2;
    Exedra::Process::syswrite_all($write, substr $file, 0, $last);
    $peak = peak_kb($pid);
    Exedra::Process::syswrite_all($write, substr $file, $last);
    close $write;
    is end_process($pid, signal => 'none'), 0, 'imported' or diag slurp("$dir/big.log");
    cmp_ok $peak, '<', 24_000, "import: $peak kB";
    is psql($to, 'SELECT count(*), sum(octet_length(bytes)) FROM exedra.file_part'), "24\t" . 24 * 262144, 'all of it';
};

done_testing;
