# What is older than it is kept goes, in batches of a thousand and never anything else: chats, visitors' chats, the ledger and events, by
# the server's days or a tenant's own.  A process that is killed in the middle leaves whole batches and work that is done later.
use lib 't/lib';
use Exedra::Test;

my $db = database();
my %days = ('retain.chats' => 30, 'retain.visitors' => 10, 'retain.usage' => 400, 'retain.events' => 100);

# exedractl work, with these settings; it begins as what a cron job starts.
sub work_command {
    my $conf = spew(tmp_dir() . '/work.conf', join '', map { "$_ = $_[0]{$_}\n" } sort keys %{ $_[0] });
    return [program('exedractl'), '-c', $conf, '-d', $db->conninfo('runtime'), 'work'];
}

sub work {
    my $ran = run(work_command(@_));
    is $ran->{status} . $ran->{err}, '0', 'exedractl work';
}

# cron tells of a failure by its status alone.
subtest 'no database' => sub {
    my $command = work_command({});
    $command->[4] = 'dbname=none host=' . tmp_dir();
    my $ran = run($command);
    is_deeply [@$ran{qw(status out)}], [1, ''], 'is no success';
    like $ran->{err}, qr/event=database_connect .*\nexedractl: the database does not say what is to be done; the lines above say why\.\n\z/s, 'and says why';
};

# How many rows there are, as "tenant chats/visitors/ledger/events" of what is old, and of what is young.
sub left {
    my ($tenant) = @_;
    my $old = "< now() - interval '40 days'";
    return psql($db, "SELECT concat_ws(' ',
        (SELECT count(*) FROM exedra.chat WHERE tenant_id = t.id AND embed_id IS NULL AND created_at $old),
        (SELECT count(*) FROM exedra.chat WHERE tenant_id = t.id AND embed_id IS NULL AND NOT created_at $old),
        (SELECT count(*) FROM exedra.chat WHERE tenant_id = t.id AND embed_id IS NOT NULL AND created_at $old),
        (SELECT count(*) FROM exedra.chat WHERE tenant_id = t.id AND embed_id IS NOT NULL AND NOT created_at $old),
        (SELECT count(*) FROM exedra.usage WHERE tenant_id = t.id AND at < now() - interval '400 days'),
        (SELECT count(*) FROM exedra.usage WHERE tenant_id = t.id AND NOT at < now() - interval '400 days'),
        (SELECT count(*) FROM exedra.event WHERE tenant_id = t.id AND at < now() - interval '100 days'),
        (SELECT count(*) FROM exedra.event WHERE tenant_id = t.id AND NOT at < now() - interval '100 days' AND action = 'key.suspend'))
        FROM exedra.tenant t WHERE name = '$tenant'");
}

# Old chats first, as they were asked; among them visitors', and one that is still open.
sub fill {
    my ($tenant) = @_;
    psql($db, "SELECT exedra.create_tenant('$tenant') AS t \\gset
        INSERT INTO exedra.workspace (tenant_id, name, slug) VALUES (:t, 'Hall', 'hall') RETURNING id AS w \\gset
        INSERT INTO exedra.embed (tenant_id, uuid, workspace_id) VALUES (:t, '$tenant', :w) RETURNING id AS e \\gset
        INSERT INTO exedra.chat (tenant_id, workspace_id, embed_id, origin, state, mode, prompt, answer, created_at)
        SELECT :t, :w, CASE WHEN n % 3 = 0 THEN :e END, 'api', CASE WHEN n = 1 THEN 'open' ELSE 'done' END::exedra.chat_state, 'chat', 'Q', 'A',
               now() - CASE WHEN n <= 4500 THEN interval '60 days' WHEN n % 3 = 0 THEN interval '9 days' ELSE interval '29 days' END
          FROM generate_series(1, 4530) n;
        INSERT INTO exedra.usage (tenant_id, provider, model, prompt_tokens, completion_tokens, estimated, at)
        SELECT :t, 'p', 'm', 1, 1, false, now() - CASE WHEN n <= 2500 THEN interval '401 days' ELSE interval '399 days' END FROM generate_series(1, 2510) n;
        INSERT INTO exedra.event (tenant_id, action, actor, at)
        SELECT :t, 'key.suspend', 'operator', now() - CASE WHEN n <= 1200 THEN interval '101 days' ELSE interval '99 days' END FROM generate_series(1, 1210) n;");
}

fill($_) for qw(acme beta shut gone);
psql($db, "SELECT exedra.set_setting('beta', 'retain_chats', '365'); SELECT exedra.set_setting('beta', 'retain_events', '0');
    SELECT exedra.suspend_tenant('shut'); SELECT exedra.delete_tenant('gone'); ANALYZE;");
my $former = sub { psql($db, "SELECT (SELECT count(*) FROM exedra.usage WHERE tenant_id = 4), (SELECT count(*) FROM exedra.event WHERE tenant_id = 4),
    (SELECT count(*) FROM exedra.former_tenant)") };
my ($whole, $kept) = ('3000 20 1500 10 2500 10 1200 10', '1 20 0 10 0 10 0 10');
is left('acme'), $whole, 'thousands of each';

subtest 'by default everything is kept' => sub {
    work({});
    is left('acme'), $whole, 'for ever';
    is $former->(), "2510\t1212\t1", 'also what a tenant has left that is gone';
};

subtest 'killed in the middle' => sub {
    # Somebody holds a chat of the fourth batch.
    my $hold = spawn(['psql', '-X', '-q', '-d', $db->conninfo('super'), '-c', "BEGIN; SELECT FROM exedra.chat WHERE id = (SELECT min(id) + 3300 FROM exedra.chat WHERE tenant_id = 1)
        FOR UPDATE; SELECT pg_sleep(300)"], log => tmp_dir() . '/hold');
    wait_for { psql($db, "SELECT count(*) FROM pg_stat_activity WHERE datname = '$db->{name}' AND wait_event = 'PgSleep'") == 1 } 20, 'a chat that is held';
    my $worker = spawn(work_command(\%days), log => tmp_dir() . '/work');
    wait_for { left('acme') =~ /^1001 / } 60, 'three batches';
    end_process($worker, signal => 'KILL');
    end_process($hold, signal => 'KILL');
    psql($db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$db->{name}' AND wait_event = 'PgSleep'");
    wait_for { psql($db, "SELECT count(*) FROM pg_stat_activity WHERE datname = '$db->{name}' AND pid <> pg_backend_pid()") == 0 } 20, 'the end of what it had begun';
    like left('acme'), qr/^(?:1001|3\d\d) 20 1500 10 2500 10 1200 10$/, 'whole batches are gone, and nothing else';
    is psql($db, "SELECT count(*) FROM exedra.job WHERE kind = 'retain' AND state = 'running'"), 1, 'the job is there';
};

subtest 'and then' => sub {
    # Nobody sees such a process die: after a while its work is another's.
    psql($db, "UPDATE exedra.job SET changed_at = now() - interval '1 day'");
    work(\%days);
    is left('acme'), $kept, 'all that is too old is gone, but for a chat that is open';
    is left('beta'), '3000 20 0 10 0 10 1200 10', "a tenant's own days hold";
    is left('shut'), $whole, 'a suspended tenant keeps what it has';
    is psql($db, "SELECT count(*) FROM exedra.job WHERE kind = 'retain'"), 0, 'the jobs are done';
    is psql($db, "SELECT string_agg(object_name || ' ' || n, ',' ORDER BY object_name) FROM (SELECT object_name, sum((detail ->> 'n')::int) AS n FROM exedra.event
        WHERE tenant_id = 1 AND action = 'retention.delete' GROUP BY 1) e"), 'chats 2999,events 1200,usage 2500,visitors 1500', 'events say how much';
    is psql($db, "SELECT max((detail ->> 'n')::int) FROM exedra.event WHERE action = 'retention.delete'"), 1000, 'at most a thousand at a time';
    is psql($db, "SELECT DISTINCT actor FROM exedra.event WHERE action = 'retention.delete'"), 'worker', 'by whom';
    my $before = psql($db, 'SELECT count(*) FROM exedra.event');
    work(\%days);
    is psql($db, 'SELECT count(*) FROM exedra.event'), $before, 'where nothing is too old nothing is done';
};

subtest 'in a pool' => sub {
    psql($db, "SELECT exedra.resume_tenant('shut'); SELECT exedra.set_setting('shut', 'retain_usage', '100')");
    my $exedra = start_exedra(db => $db, settings => \%days);
    psql($db, 'SELECT exedra.plan_retention(30, 10, 400, 100)', as => 'runtime');
    wait_for { psql($db, "SELECT count(*) FROM exedra.job WHERE kind = 'retain'") == 0 } 60, 'its end';
    is left('shut'), '1 20 0 10 0 0 0 10', 'the same';
};

# Anybody may try any number of names, and each has a row.
subtest 'tries to sign in' => sub {
    psql($db, "INSERT INTO exedra.sign_in (subject, began_at) SELECT sha256(i::text::bytea), now() - interval '4 minutes' FROM generate_series(1, 60000) i; INSERT INTO exedra.sign_in VALUES ('now')");
    work({});
    is psql($db, "SELECT encode(subject, 'escape') FROM exedra.sign_in"), 'now', 'are forgotten when they count no more';
};

subtest 'a tenant that is gone' => sub {
    is $former->(), "10\t12\t1", 'its ledger and events are kept for as long as the server says';
    psql($db, "UPDATE exedra.usage SET at = now() - interval '500 days'; ALTER TABLE exedra.event DISABLE TRIGGER event_stays;
        UPDATE exedra.event SET at = now() - interval '500 days' WHERE tenant_id = 4; ALTER TABLE exedra.event ENABLE TRIGGER event_stays");
    work(\%days);
    is $former->(), "0\t0\t0", 'and then there was none';
};

done_testing;
