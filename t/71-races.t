# The same asked for by fifty at once: one gets it, the others are told why not, and nobody gets an error of ours.  Names
# of people, slugs of threads, folders, invites, tokens; the last administrator; things that go while others use them.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel rows_of);
use Exedra::Form;
use Time::HiRes qw(time sleep);

my $MANY = 50;
my $db = database();
my $exedra = start_exedra(db => $db);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my @workers = $exedra->worker_pids;

sub admin { my ($method, $path, $json, %with) = @_; return http($exedra, $method, "/v1/$path", key => $key, defined $json ? (json => $json) : (), timeout => 60, %with) }
sub person { return admin(POST => 'admin/users/new', { username => $_[0], password => 'long enough', role => $_[1] // 'default' })->{json}{user}{id} }

# What the sub gives for each number, all of them at the same moment: replies without their headers.
sub race(&;$) {
    my ($do, $n) = @_;
    my $start = time + 0.3;
    return in_parallel($n // $MANY, sub {
        sleep $start - time if time < $start;
        my $got = $do->($_[0]);
        return { status => $got->{status}, body => $got->{body}, json => $got->{json} };
    }, 1 .. $n // $MANY);
}

# Two transactions: the second begins when the first has done its part, the first ends when the second waits for it (or has no need to).
# Their errors, '' where there are none.
sub overlap {
    my ($first, $second) = @_;
    my $held = q{DO $$ BEGIN FOR try IN 1 .. 40 LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock');
        PERFORM pg_sleep(0.05), pg_stat_clear_snapshot(); END LOOP; END $$};
    my $holds = q{SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DO $$ BEGIN FOR try%'};
    return in_parallel(2, sub {
        if ($_[0] == 2) {
            wait_for { psql($db, $holds) } 10, 'the first transaction';
        }
        return psql_error($db, 'BEGIN; ' . ($_[0] == 1 ? "$first; $held" : $second) . '; COMMIT', as => 'owner');
    }, 1, 2);
}

# How often each answer came: { "200 {...}" => 49 }.
sub tally { my %n; $n{"$_->{status} $_->{body}"}++ for @_; return \%n }

# ---- names ----

subtest 'a user name' => sub {
    my @got = race { admin(POST => 'admin/users/new', { username => 'sam', password => "password $_[0]" }) };
    my ($won, @lost) = sort { $a->{status} <=> $b->{status} } @got;
    is "$won->{status} $won->{json}{user}{username}", '200 sam', 'one is made';
    is_deeply tally(@lost), { '400 {"user":null,"error":"A user with that username already exists"}' => $MANY - 1 }, 'the others are told';
    is psql($db, "SELECT count(*) FROM exedra.account WHERE username = 'sam'"), 1, 'there is one';

    my @id = map { person("p$_") } 1 .. 20;
    @got = race { admin(POST => "admin/users/$id[$_[0] - 1]", { username => 'tom' }) } 20;
    is_deeply tally(@got), { '200 {"success":true,"error":null}' => 1, '200 {"success":false,"error":"A user with that username already exists"}' => 19 },
        'twenty who want to be called so';
};

subtest 'slugs of workspaces' => sub {
    my @got = race { admin(POST => 'workspace/new', { name => 'Race' }) };
    is_deeply [grep { $_ != 200 } map { $_->{status} } @got], [], 'all are made';
    my %slug = map { ($_->{json}{workspace}{slug} // '') => 1 } @got;
    is keys %slug, $MANY, 'each with a slug of its own';
    is grep({ $_ eq 'race' } keys %slug), 1, 'one has the short one';
};

subtest 'a slug of a thread' => sub {
    my @got = race { admin(POST => 'workspace/race/thread/new', { name => "T$_[0]", slug => 'talk' }) };
    my @won = grep { $_->{json}{thread} } @got;
    is_deeply [map { "$_->{status} $_->{json}{thread}{slug}" } @won], ['200 talk'], 'one is made';
    is_deeply tally(grep { !$_->{json}{thread} } @got), { '200 {"thread":null,"message":"A thread with this slug exists already, or there is no such user."}' => $MANY - 1 },
        'the others are told, as the original does';
    is psql($db, "SELECT count(*) FROM exedra.thread WHERE slug = 'talk'"), 1, 'there is one';
};

subtest 'a folder' => sub {
    my @got = race { admin(POST => 'document/create-folder', { name => 'papers' }) };
    my ($won, @lost) = sort { $a->{status} <=> $b->{status} } @got;
    is $won->{status}, 200, 'one is made';
    my %told = map { ("$_->{status} " . ($_->{json}{success} ? 'made' : 'told')) => 1 } @lost;
    is_deeply \%told, { '409 told' => 1 }, 'the others are told';
};

subtest 'a name in a folder' => sub {
    my @names = map { document($exedra, $key, "d$_", "Text $_.")->{location} } 1 .. 10;
    my @got = race { admin(POST => 'document/move-files', { files => [{ from => $names[$_[0] - 1], to => 'papers/one.json' }] }) } 10;
    is_deeply [grep { $_ >= 500 || $_ == 0 } map { $_->{status} } @got], [], 'no error of ours';
    is psql($db, "SELECT count(*) FROM exedra.document WHERE folder = 'papers'"), 1, 'one came there';
    is psql($db, 'SELECT count(*) FROM exedra.document'), 10, 'and none was lost';
    my $file = psql($db, "SELECT folder || '/' || name FROM exedra.document WHERE folder = 'papers'");
    @got = race { admin(POST => 'document/move-files', { files => [{ from => $file, to => "custom-documents/n$_[0].json" }] }) };
    is_deeply [grep { $_ >= 500 || $_ == 0 } map { $_->{status} } @got], [], 'fifty who take it elsewhere: no error of ours';
    is grep({ $_->{status} == 200 && $_->{json}{success} } @got), 1, 'one did';
    is psql($db, 'SELECT count(*) FROM exedra.document'), 10, 'and it is there once';
};

# ---- what opens once ----

subtest 'an invite' => sub {
    my $code = admin(POST => 'admin/invite/new', {})->{json}{invite}{code};
    my @got = race { http($exedra, POST => "/api/invite/$code", json => { username => "guest$_[0]", password => 'long enough' }, timeout => 60) };
    is grep({ $_->{json}{success} } @got), 1, 'one comes in';
    is_deeply [sort map { $_->{status} } @got], [(200) x $MANY], 'the others are told, as the original does';
    is psql($db, "SELECT count(*) FROM exedra.account WHERE username LIKE 'guest%'"), 1, 'there is one';

    my @codes = map { admin(POST => 'admin/invite/new', {})->{json}{invite}{code} } 1 .. 20;
    @got = race { http($exedra, POST => "/api/invite/$codes[$_[0] - 1]", json => { username => 'only', password => 'long enough' }, timeout => 60) } 20;
    is grep({ $_->{json}{success} } @got), 1, 'twenty invites, one name: one gets it';
    is_deeply [grep { $_->{status} >= 500 || $_->{status} == 0 || !defined $_->{json} } @got], [], 'the others are told';
    is psql($db, "SELECT count(*) FROM exedra.invite WHERE claimed_by IS NULL"), 19, 'and may use theirs with another name';
};

subtest 'a token that signs in' => sub {
    exedractl($db, qw(setting set acme simple_sso on));
    my $id = person('sonia');
    my $token = admin(GET => "users/$id/issue-auth-token")->{json}{token};
    my @got = race { http($exedra, GET => "/api/request-token/sso/simple?token=$token", timeout => 60) };
    is grep({ $_->{status} == 200 } @got), 1, 'one is signed in';
    is_deeply { map { $_->{status} => 1 } grep { $_->{status} != 200 } @got }, { 401 => 1 }, 'the others are told';
    is psql($db, "SELECT count(*) FROM exedra.credential WHERE account_id = $id AND kind = 'session'"), 1, 'there is one session';
};

subtest 'an own key' => sub {
    my $max = account($acme, 'max');
    my @got = race { http($exedra, POST => '/api/v1/auths/api_key', key => $max->{key}, timeout => 60) } 20;
    is_deeply [grep { $_ != 200 } map { $_->{status} } @got], [], 'each gets one';
    my @opens = grep { http($exedra, GET => '/v1/auth', key => $_->{json}{api_key})->{status} == 200 } @got;
    is @opens, 1, 'the last one is it';
};

# ---- the last administrator ----

subtest 'two administrators put each other out' => sub {
    my $left = 0;
    for my $round (1 .. 15) {
        psql($db, "UPDATE exedra.account SET role = 10 WHERE role = 30");
        my @id = map { person("a$round$_", 'admin') } qw(x y);
        my @got = race { admin(POST => "admin/users/$id[$_[0] - 1]", { role => 'default' }) } 2;
        $left++ if psql($db, 'SELECT count(*) FROM exedra.account WHERE role = 30') == 0;
        fail "an error of ours: $_->{body}" for grep { $_->{status} >= 500 } @got;
    }
    is $left, 0, 'one of them always stays';
};

# ---- what goes while it is used ----

# Orphans: rows that belong to nothing.
sub orphans {
    return psql($db, q{SELECT 'workspace_document' FROM exedra.workspace_document l WHERE NOT EXISTS (SELECT FROM exedra.workspace w WHERE (w.tenant_id, w.id) = (l.tenant_id, l.workspace_id))
            OR NOT EXISTS (SELECT FROM exedra.document d WHERE (d.tenant_id, d.id) = (l.tenant_id, l.document_id))
        UNION ALL SELECT 'chat' FROM exedra.chat c WHERE c.workspace_id IS NOT NULL AND NOT EXISTS (SELECT FROM exedra.workspace w WHERE (w.tenant_id, w.id) = (c.tenant_id, c.workspace_id))
        UNION ALL SELECT 'open_chat' FROM exedra.open_chat});
}

subtest 'a workspace goes while it is used' => sub {
    my @document = map { document($exedra, $key, "g$_", "Going $_.")->{location} } 1 .. 4;
    my @does = (
        sub { admin(POST => 'workspace/going/chat', { message => "Going? $_[0]", mode => 'chat' }) }, sub { admin(POST => 'workspace/going/stream-chat', { message => "Going? $_[0]", mode => 'chat' }) },
        sub { admin(POST => 'workspace/going/update-embeddings', { adds => [$document[$_[0] % 4]] }) }, sub { admin(POST => 'workspace/going/update-embeddings', { deletes => [$document[$_[0] % 4]] }) },
        sub { upload($exedra, $key, "u$_[0].txt", "Words $_[0].", fields => { addToWorkspaces => 'going' }) }, sub { admin(POST => 'workspace/going/thread/new', { name => 'T' }) },
        sub { admin(POST => 'workspace/going/update', { name => "Going $_[0]" }) }, sub { admin(POST => 'workspace/going/vector-search', { query => 'Going' }) },
    );
    for my $round (1 .. 6) {
        workspace($exedra, $key, 'Going');
        my @got = race { my $n = $_[0]; sleep 0.004 * $round if $n == 1; $n == 1 ? admin(DELETE => 'workspace/going') : $does[$n % @does]->($n) } 33;
        is_deeply [map { "$_->{status} $_->{body}" } grep { $_->{status} >= 500 || $_->{status} == 0 } @got], [], "round $round: no error of ours";
        is admin(GET => 'workspace/going')->{body}, '{"workspace":[]}', 'it is gone';
    }
    is orphans(), '', 'nothing is left of it';
};

subtest 'a document goes in and out' => sub {
    workspace($exedra, $key, 'Door');
    my $document = document($exedra, $key, 'door', 'In and out.')->{location};
    my @got = race { admin(POST => 'workspace/door/update-embeddings', { $_[0] % 2 ? (adds => [$document]) : (deletes => [$document]) }) } 40;
    is_deeply [map { "$_->{status} $_->{body}" } grep { $_->{status} != 200 } @got], [], 'all are done';
    my $n = psql($db, "SELECT count(*) FROM exedra.workspace_document l JOIN exedra.workspace w ON w.id = l.workspace_id WHERE w.slug = 'door'");
    ok $n == 0 || $n == 1, "it is in once or not at all: $n";
    is scalar @{ admin(GET => 'workspace/door')->{json}{workspace}[0]{documents} }, $n, 'as the API says';
};

subtest 'two tabs in one thread' => sub {
    admin(POST => 'workspace/door/thread/new', { name => 'Tabs', slug => 'tabs' });
    my @got = race { admin(POST => 'workspace/door/thread/tabs/stream-chat', { message => "Tab $_[0]", mode => 'chat' }) } 10;
    is grep({ $_->{status} == 200 && $_->{body} =~ /finalizeResponseStream/ } @got), 10, 'all are answered';
    my $history = admin(GET => 'workspace/door/thread/tabs/chats')->{json}{history};
    is_deeply [map { $_->{role} } @$history], [('user', 'assistant') x 10], 'question and answer by turns';
    is_deeply [sort map { $_->{content} } grep { $_->{role} eq 'user' } @$history], [sort map { "Tab $_" } 1 .. 10], 'each once';
};

subtest 'a user goes while they work' => sub {
    for my $round (1 .. 4) {
        my $u = account($acme, "leaver$round");
        exedractl($db, qw(account grant acme), "leaver$round", 'door');
        my $id = psql($db, "SELECT id FROM exedra.account WHERE username = 'leaver$round'");
        my @got = race { my $n = $_[0]; my %as = (key => $u->{key});
            if ($n == 1) { sleep 0.005 * $round; return admin(DELETE => "admin/users/$id") }
            return $n % 3 == 0 ? upload($exedra, $u->{key}, "l$n.txt", "Leaver $n.", target => '/api/v1/files/')
                : $n % 3 == 1 ? admin(POST => 'workspace/door/chat', { message => "Leaving $n", mode => 'chat' }, %as) : admin(POST => 'workspace/door/thread/new', { name => "L$n" }, %as);
        } 24;
        is_deeply [map { "$_->{status} $_->{body}" } grep { $_->{status} >= 500 || $_->{status} == 0 } @got], [], "round $round: no error of ours";
        is psql($db, "SELECT (SELECT count(*) FROM exedra.credential WHERE account_id = $id) + (SELECT count(*) FROM exedra.thread WHERE account_id = $id)"), 0, 'their keys and threads are gone';
    }
    wait_for { psql($db, "SELECT count(*) FROM exedra.job WHERE state IN ('waiting', 'running') AND kind = 'read_file'") == 0 } 30, 'jobs to end';
    is orphans(), '', 'nothing hangs in the air';
};

# What is not there is passed over, also when it goes in the middle.
subtest 'one of many goes while they are put in' => sub {
    my ($tenant, $room) = split /\t/, psql($db, "SELECT tenant_id, id FROM exedra.workspace WHERE slug = 'door'");
    my $in = "SELECT exedra.work_for($tenant, NULL, 30)";
    document($exedra, $key, "many$_", "One of many $_.") for 1 .. 3;
    my @id = split /\n/, psql($db, "SELECT id FROM exedra.document WHERE title LIKE 'many%' ORDER BY title");
    my $put = slurp('sql/workspace_document/put.sql') =~ s/\$1/$room/gr =~ s/\$2/"'{" . join(',', @id) . "}'"/egr =~ s/^--.*\n//gmr =~ s/;\s*\z//r;
    is_deeply [overlap("$in; DELETE FROM exedra.document WHERE tenant_id = $tenant AND id = $id[1]", "$in; $put")], ['', ''], 'a document';
    is psql($db, "SELECT string_agg(d.title, ' ' ORDER BY l.id) FROM exedra.workspace_document l JOIN exedra.document d ON d.id = l.document_id
        WHERE l.workspace_id = $room AND d.title LIKE 'many%'"), 'many1.txt many3.txt', 'the others are in';
    my @members = map { person("many$_") } 1 .. 3;
    is_deeply [overlap("$in; DELETE FROM exedra.account WHERE tenant_id = $tenant AND id = $members[1]",
        "$in; SELECT exedra.set_members($room, '{" . join(',', @members) . "}', true)")], ['', ''], 'an account';
    is_deeply [map { $_->{username} } @{ admin(GET => "admin/workspaces/$room/users")->{json}{users} }], [qw(many1 many3)], 'the others are let in';
};

# A text belongs to all documents that show it, a file to all that were read in it: both go with the last one.
subtest 'the last documents of a text go together' => sub {
    my $tenant = psql($db, "SELECT id FROM exedra.tenant WHERE name = 'acme'");
    my $in = "SELECT exedra.work_for($tenant, NULL, 30)";
    my $put = sub { my ($name, $file, $version) = @_;
        return "INSERT INTO exedra.document (tenant_id, uuid, file_id, folder, name, version_id, title, url, author, description, source, chunk_source,
                published, word_count, token_estimate) VALUES ($tenant, gen_random_uuid(), $file, 'twins', '$name', $version, '', '', '', '', '', '', '', 1, 1)" };
    my $out = sub { "$in; DELETE FROM exedra.document WHERE tenant_id = $tenant AND name = '$_[0]'" };
    my $left = sub { psql($db, "SELECT count(*) FROM exedra.$_[0] WHERE tenant_id = $tenant AND id = $_[1]") };
    my $file = sub { psql($db, "INSERT INTO exedra.file (tenant_id, name, state) VALUES ($tenant, 'f', 'done') RETURNING id") };
    my $version = sub { psql($db, "INSERT INTO exedra.document_version (tenant_id, sha256, n_chunks) VALUES ($tenant, sha256('x'), 0) RETURNING id") };
    psql($db, "INSERT INTO exedra.folder (tenant_id, name) VALUES ($tenant, 'twins')");

    my $shared = $version->();
    psql($db, $put->("a$_", $file->(), $shared)) for 1, 2;
    is_deeply [overlap($out->('a1'), $out->('a2'))], ['', ''], 'two documents with one text';
    is $left->('document_version', $shared), 0, 'the text is gone';

    my $holds = $file->();
    psql($db, $put->("b$_", $holds, $version->())) for 1, 2;
    is_deeply [overlap($out->('b1'), $out->('b2'))], ['', ''], 'two documents of one file';
    is $left->('file', $holds), 0, 'the file is gone';

    $shared = $version->();
    psql($db, $put->('c1', $file->(), $shared));
    is_deeply [overlap("$in; " . $put->('c2', $file->(), $shared), $out->('c1'))], ['', ''], 'one comes while the last one goes';
    is $left->('document_version', $shared), 1, 'the text stays';
};

subtest 'a key is made while its account is shut' => sub {
    psql($db, "SELECT exedra.create_account('acme', 'shut')", as => 'owner');
    my ($tenant, $id) = split /\t/, psql($db, "SELECT tenant_id, id FROM exedra.account WHERE username = 'shut'");
    my $own = "SELECT exedra.work_for($tenant, $id, 10), exedra.replace_key(sha256('own'), '1234')";
    my %make = (create_key => "SELECT exedra.create_key('acme', 'shut')", open_session => "SELECT exedra.open_session($tenant, $id, NULL, sha256('session'), 60)",
        replace_key => $own);
    for (sort keys %make) {
        is_deeply [overlap("SELECT exedra.suspend_account('acme', 'shut')", $make{$_})], ['', ''], $_;
        is psql($db, "SELECT count(*), count(*) FILTER (WHERE account_suspended_at IS NULL) FROM exedra.credential WHERE account_id = $id"), "1\t0", '… shut too';
        psql($db, "DELETE FROM exedra.credential WHERE account_id = $id");
        psql($db, "SELECT exedra.resume_account('acme', 'shut')", as => 'owner');
    }
};

subtest 'a password is changed while somebody signs in' => sub {
    psql($db, "SELECT exedra.create_account('acme', 'moved')", as => 'owner');
    my ($tenant, $id) = split /\t/, psql($db, "UPDATE exedra.account SET password = 'old' WHERE username = 'moved' RETURNING tenant_id, id");
    my $change = "SELECT exedra.work_for($tenant, NULL, 30); UPDATE exedra.account SET password = 'new' WHERE id = $id";
    is_deeply [overlap($change, "SELECT exedra.open_session($tenant, $id, 'old', sha256('session'), 60)")], ['', ''], 'both come to their end';
    is psql($db, "SELECT count(*) FROM exedra.credential WHERE account_id = $id"), 0, 'the old one opens nothing';
    psql($db, "SELECT exedra.open_session($tenant, $id, 'new', sha256('session'), 60)");
    is psql($db, "SELECT count(*) FROM exedra.credential WHERE account_id = $id"), 1, 'the new one does';
};

subtest 'a limit is set while another is taken back' => sub {
    psql($db, "SELECT exedra.set_limit('acme', 'chats_day', 9)", as => 'owner');
    is_deeply [overlap("SELECT exedra.set_limit('acme', 'tokens_day', 9)", "SELECT exedra.set_limit('acme', 'chats_day', NULL)")], ['', ''], 'both are done';
    is psql($db, "SELECT limited FROM exedra.tenant WHERE name = 'acme'"), 't', 'the one that was set is looked at';
    psql($db, "SELECT exedra.set_limit('acme', 'tokens_day', NULL)", as => 'owner');
};

is_deeply [$exedra->worker_pids], \@workers, 'the same workers';
ok $exedra->stop, 'exedra ends well';
done_testing;
