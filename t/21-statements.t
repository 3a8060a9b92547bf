# Every statement under sql/ is good on a fresh database, and fast on a full one: with 10,000 tenants, as the workers' role
# under row-level security, none reads a tenant table but by an index that leads with the tenant, neither with a plan of its
# own nor with a generic one, and none of the functions and triggers behind it does.  A new statement needs parameters below.
use lib 't/lib';
use Exedra::Test;

my $tenants = 10_000;
my $db = database();

# sql/<noun>/<verb>.sql as "noun/verb" => text, without what is not a statement of the program.
my %statement;
for my $file (glob 'sql/*/*.sql') {
    my ($name) = $file =~ m{^sql/(.*)\.sql$};
    (my $text = slurp($file)) =~ s/;\s*$//;
    $statement{$name} = $text if $name !~ m{^(?:schema|function)/};
}

# What each is called with; WORDS stand for the caller's own things.
my %parameters = (
    'session/check' => [['1']],
    'session/enter' => [['HASH', 10, 'false', 1, 'NULL'], ['HASH', 10, 'true', 1, "'tTENANT'"]],
    'session/resume' => [['TENANT', 'CHAT', 'TICKET']],
    'session/start' => [["'30s'"]],
    'session/work' => [['JOB', 'TICKET']],
    'workspace/find' => [["'SLUG'", 'NULL'], ["'SLUG'", "'THREAD'"]], 'workspace/show' => [["'SLUG'"]], 'workspace/list' => [[]],
    'workspace/delete' => [["'SLUG'"]],
    'workspace/create' => [["'New'", "'new'", q('{"top_n":5}'), "'A prompt'"], ["'Taken'", "'SLUG'", "'{}'", "'A prompt'"]],
    'workspace/update' => [["'SLUG'", q('{"name":"Other","top_n":5}')]],
    'workspace_document/put' => [['WORKSPACE', "'{DOCUMENT,1}'"]],
    'workspace_document/change' => [["'SLUG'", "'{custom-documents/NAME}'", "'{}'"], ["'SLUG'", "'{}'", "'{custom-documents/NAME,x/y}'"]],
    'workspace_document/show' => [["'SLUG'"]],
    'document/begin' => [['HASH']],
    'document/write' => [['VERSION', 100, "'one'"]],
    'document/publish' => [['FILE', 'VERSION', 2, 'gen_random_uuid()', "'custom-documents'", "'new.json'", ("'text'") x 7, 10, 20, 'NULL'],
        ['FILE', 'VERSION', 'NULL', 'gen_random_uuid()', "'folder'", "'newer.json'", ("'text'") x 7, 10, 20, "'xDOCUMENT'"]],
    'document/replace' => [['DOCUMENT', 'VERSION', 2, 10, 20]],
    'document/abandon' => [['VERSION']],
    'file/begin' => [["'a.txt'", 'NULL', "'{}'", 10, "'receiving'"]],
    'file/write' => [['FILE', 100, "'some bytes'"]], 'file/read' => [['FILE', 0]], 'file/find' => [['FILE']],
    'file/receive' => [['FILE', 10, 'HASH', "'pending'"]], 'file/settle' => [['FILE', "'failed'", "'It is broken.'"]],
    'file/list' => [['NULL', 100, 0], ["'%.txt'", 100, 0]], 'file/show' => [['FUUID']], 'file/text' => [['FILE', 0]],
    'file/documents' => [['FILE']], 'file/delete_all' => [[]],
    'knowledge/list' => [['NULL', 30, 0], ["'%w%'", 30, 0]], 'knowledge/show' => [["'SLUG'", 'true'], ["'SLUG'", 'false']],
    'knowledge/update' => [["'SLUG'", "'Other'", "'What for'"]],
    'knowledge/files' => [["'SLUG'", 'NULL', "'name'", 'false', 30, 0], ['NULL', "'%a%'", "'created_at'", 'true', 30, 0]],
    'account/begin_sign_in' => [["'t5000'", "'anna'"]], 'account/open_session' => [['TENANT', 'TENANT', "sha256('session')", 3600]],
    'account/close_session' => [['HASH']], 'account/replace_key' => [["sha256('own')", "'ends'"], ['NULL', "''"]], 'account/own_key' => [[]],
    'account/show' => [[]], 'account/set_password' => [["'hash'"]],
    'account/issue_token' => [['TENANT', "sha256('token')"]], 'account/redeem_token' => [['NULL', "sha256('token')", "sha256('session')", 3600]],
    'session/visit' => [["'EMBEDADDRESS'", 'true', 1, 'NULL'], ["'EMBEDADDRESS'", 'false', 1, "'tTENANT'"]],
    'embed/check' => [["'EMBEDADDRESS'", "'https://a.test'", 'false']], 'embed/list' => [[]], 'embed/delete' => [["'EMBEDADDRESS'"]],
    'embed/open' => [["'EMBEDADDRESS'", "'Why?'", "'s1'", "'{}'", 'gen_random_uuid()', "'w1'"]],
    'embed/history' => [["'EMBEDADDRESS'", "'s1'", 'NULL', 'true', 500]], 'embed/reset' => [["'EMBEDADDRESS'", "'s1'", 'NULL', 'true']],
    'embed/create' => [["'SLUG'", q('{"origins":["https://a.test"],"daily_limit":5}')]],
    'embed/update' => [["'EMBEDADDRESS'", q('{"enabled":false,"session_limit":3}')]],
    'embed/chats' => [["'EMBEDADDRESS'", 'NULL', "'-infinity'", 0, 200], ["'EMBEDADDRESS'", "'s1'", 'now()', 5, 200]],
    'setting/on' => [["'multi_user'"]], 'setting/put' => [[q('{"default_prompt":"x","language":null}')]], 'setting/system' => [[]],
    'setting/apply' => [[q('[{"name":"p","kind":"openai","url":"http://x.test/","model":"m"}]'), "'p'", q('{"chunk_size":"500"}')], ["'[]'", "''", "'{}'"]],
    'invite/create' => [["sha256('code')", "'CODE'", "'{WORKSPACE}'"]], 'invite/list' => [[]], 'invite/disable' => [[1]],
    'invite/claim' => [['HASH', "'guest'", "'hash'"], ['HASH', 'NULL', 'NULL']],
    'user/list' => [[]], 'user/names' => [[]], 'user/create' => [["'new'", "'hash'", 10, "''", 'NULL'], ["'anna'", "'hash'", 30, "''", 5]],
    'user/update' => [['TENANT', q('{"bio":"x","suspended":true}')]], 'user/delete' => [['TENANT']],
    'member/list' => [['WORKSPACE']], 'member/set' => [['WORKSPACE', "'{TENANT}'"]], 'member/manage' => [["'SLUG'", "'{TENANT}'", 'true']],
    'chat/rows' => [[0, 20], [5, 20]], 'chat/export' => [[0, 200]], 'chat/export_workspace' => [[0, 200, 'WORKSPACE']], 'workspace/ids' => [[]], 'workspace/with_slugs' => [["'{SLUG,none}'"]],
    'knowledge/scope' => [["'{SLUG,none}'", 'ARRAY[FUUID]', "ARRAY['xDOCUMENT']"], ["'{}'", "'{}'", "'{}'"]],
    'document/cite' => [["'{DOCUMENT,1}'"]], 'document/whole' => [["'{WORKSPACE}'", "'{FILE}'", 20000], ["'{}'", "'{FILE}'", 0]],
    'knowledge/wait' => [['WORKSPACE', 'FILE']], 'knowledge/waiting' => [['FILE']], 'knowledge/add' => [['WORKSPACE', 'DOCUMENT']],
    'knowledge/remove' => [['WORKSPACE', 'FILE'], ['WORKSPACE', 'NULL']], 'knowledge/same_text' => [['WORKSPACE', 'FILE']],
    'chat/sweep' => [[1800]], 'document/sweep' => [[86400]],
    'file/delete' => [['FILE']], 'file/twin' => [["sha256('fFILE'::bytea)", "'a.txt'", q('{"title":"T"}')]], 'file/clear' => [['FILE']],
    'job/claim' => [["'none'"]], 'job/enqueue' => [["'read_file'", 'FILE']],
    'job/end' => [['JOB', 'TICKET', 'NULL', 'NULL'], ['JOB', 'TICKET', "'It is broken.'", 5]],
    'embedder/choose' => [["'SLUG'", "'p'", "'m'", 0], ['NULL', 'NULL', 'NULL', 'NULL']],
    'embedder/serve' => [['WORKSPACE', "'p'", "'m'", 0], [0, "'p'", "'other'", 0]],
    'embedder/want' => [['WORKSPACE', 'VERSION', "'p'", "'m'", 0], [0, 'VERSION', "'p'", "'new'", 5]],
    'embedder/measure' => [['EMBEDDER', 5]], 'embedder/check' => [[0, "'p'", "'m'", 0], ['VERSION', "'p'", "'new'", 0]],
    'embedder/sweep' => [["'p'", "'m'", 0, 100], ["'p'", "'old'", 0, 100]], 'embedder/note' => [["'p'", "'m'", 0]],
    'embedding/missing' => [['VERSION', 'EMBEDDER', -1, 64], ['VERSION', 0, -1, 64]],
    'embedding/write' => [['EMBEDDER', 'VERSION', "'{1,2}'", "'{01,10}'", q('0123456789abcdef')]],
    'embedding/complete' => [['VERSION', 'EMBEDDER']], 'embedding/abandon' => [['VERSION', 'EMBEDDER']],
    'embedding/homes' => [['VERSION', 'NULL', 'NULL'], ['NULL', 'DOCUMENT', 'NULL'], ['NULL', 'NULL', "'xDOCUMENT'"]],
    'vector_store/list' => [[]], 'usage/embedding' => [["'p'", "'m'", 5, 'true']],
    'document/show' => [["'NAME'"], ["'none.json'"]],
    'document/tree' => [[]], 'document/vectors' => [[]], 'document/read' => [['VERSION', 0]],
    'document/delete' => [["'{custom-documents/NAME,x/y}'"]],
    'document/move' => [["'{custom-documents,x}'", "'{NAME,y}'", "'{custom-documents,x}'", "'{new.json,z}'"]],
    'folder/create' => [["'new'"], ["'custom-documents'"]], 'folder/delete' => [["'custom-documents'"], ["'new'"]],
    'document/folder' => [["'custom-documents'", 0, 100], ["'custom-documents'", 0, 'NULL']],
    'chunk/show' => [["'{DOCUMENT}'", "'{VERSION}'", "'{1}'", "'{0.5}'", "'{0.25}'"], ["'{DOCUMENT,0}'", "'{VERSION,0}'", "'{0,0}'", "'{0.5,1}'", "'{NULL,NULL}'"]],
    'segment/find' => [["'{WORKSPACE}'", "'{}'", "'what is word7 of chunk5'"], ["'{}'", "'{FILE}'", "'word7'"], ["'{WORKSPACE,0}'", "'{FILE,0}'", "''"]],
    'segment/write' => [['VERSION', 100, "'simple'", q('\x0001'), q(array['\x00'::bytea])]], 'segment/merge' => [['SEGMENT'], [0]],
    'segment/replace' => [["'{SEGMENT}'", "'simple'", 2, q(array['\x00'::bytea]), "'{VERSION}'", "'{0}'", "'{0}'"]],
    'word/read' => [["'{SEGMENT,SEGMENT,0}'", "'{0,1,0}'"]], 'word/all' => [['SEGMENT']],
    'embedding/code' => [['EMBEDDER', "'{VERSION,0}'", "'{0,0}'", "'{100,100}'"]], 'embedding/read' => [['EMBEDDER', "'{VERSION,VERSION}'", "'{0,1}'"]],
    'workspace/search' => [["'SLUG'"]], 'workspace_document/pin' => [["'SLUG'", "'custom-documents'", "'NAME'", 'true']],
    'workspace_document/pinned' => [['WORKSPACE', 8000]],
    'chunk/write' => [['VERSION', 100, "'{one passage,another}'", "'{one passage,another}'", "'simple'"]],
    'chat/open' => [["'SLUG'", "'Why?'", 'NULL', 'NULL', "'[]'", "'api'", 'gen_random_uuid()', "'w1'", 'NULL', 'NULL', 'true'],
        ["'SLUG'", "'Why?'", "'query'", "'s1'", "'[]'", "'api'", 'gen_random_uuid()', "'w1'", 'NULL', 'TENANT', 'true'],
        ["'SLUG'", "'Why?'", 'NULL', 'NULL', "'[]'", "'api'", 'gen_random_uuid()', "'w1'", "'THREAD'", 'NULL', 'true']],
    'chat/open_free' => [["'Why?'", "'[]'", "'openai'", 'gen_random_uuid()', "'w1'"]],
    'chat/backfill' => [['CHAT', 20, 8]],
    'chat/checkpoint' => [['CHAT', "'Some text'"]],
    'chat/close' => [['TENANT', 'CHAT', 'TICKET', "'done'", 'true', "'Some text'", "'[]'", "'{}'", 'NULL', "'quote'", "'quote'", 5,
    6, 'true']],
    'chat/list' => [["'SLUG'", 'NULL', 100, 'false'], ["'SLUG'", 'NULL', 100, 'true'], ["'SLUG'", "'s1'", 100, 'true']],
    'chat/reset' => [["'SLUG'", 'NULL', 'NULL', 'NULL'], ["'SLUG'", "'s1'", 'NULL', 'TENANT'], ["'SLUG'", 'NULL', "'THREAD'", 'NULL']],
    'chat/stopped' => [["'{TENANT}'", "'{CHAT}'", "array[encode(HASH, 'hex')]"]],
    'chat/fail_worker' => [["'{w1}'", "'none'", 60000]],        # for all tenants, one by one: see below
    'model/list' => [["'quote'"]], 'model/show' => [["'quote'", "'SLUG'"]],
    'thread/create' => [["'SLUG'", "'New'", "'new'", 'NULL'], ["'SLUG'", "'Taken'", "'THREAD'", 'TENANT']],
    'thread/update' => [["'SLUG'", "'THREAD'", "'Other'"]], 'thread/delete' => [["'SLUG'", "'THREAD'"]],
    'thread/chats' => [["'SLUG'", "'THREAD'"]],
);

subtest 'on a fresh database' => sub {
    my $fresh = database();
    for my $as (qw(owner runtime)) {
        my @names = grep { m{^ctl/} ? $as eq 'owner' : $as eq 'runtime' } sort keys %statement;
        my $prepare = sub { my ($name) = @_; my $text = $statement{$name}; $text =~ /^CREATE /m ? $text : 'PREPARE '
            . $name =~ s{/}{_}r . " AS $text" };
        my $bad = psql_error($fresh, join('', map { $prepare->($_) . ";\n" } @names), as => $as);
        is $bad, '', @names . " statements can be prepared as the $as";
        diag "$_: " . psql_error($fresh, $prepare->($_), as => $as) for $bad ne '' ? @names : ();
    }
};

is_deeply [grep { !m{^ctl/} && !$parameters{$_} } sort keys %statement], [], 'this test has parameters for every statement';
is_deeply [grep { !$statement{$_} } sort keys %parameters], [], 'and for none that is gone';

# ---- a full database: two workspaces, two documents, four chunks, eight chats a tenant; tenant 1 is a big one ----

psql($db, <<END);
SET session_replication_role = replica;         -- no triggers: the rows fit together as they are
INSERT INTO exedra.tenant (id, name) OVERRIDING SYSTEM VALUE SELECT t, 't' || t FROM generate_series(1, $tenants) t;
INSERT INTO exedra.account (id, tenant_id, username) OVERRIDING SYSTEM VALUE SELECT t, t, 'anna' FROM generate_series(1, $tenants) t;
INSERT INTO exedra.credential (hash, tenant_id, account_id, role) SELECT sha256(('key' || t)::bytea), t, NULL, 30 FROM generate_series(1, $tenants) t
    UNION ALL SELECT sha256(('anna' || t)::bytea), t, t, 10 FROM generate_series(1, $tenants) t;
INSERT INTO exedra.provider (tenant_id, name, kind, url, preferred)
    SELECT t, 'p' || n, 'openai', 'http://x', n = 1 FROM generate_series(1, $tenants) t, generate_series(1, 2) n;
INSERT INTO exedra.setting SELECT t, s, 'simple' FROM generate_series(1, $tenants) t, unnest('{default_prompt,language}'::text[]) s;
CREATE TEMP TABLE things AS SELECT i, (i + 1) / 2 AS tenant FROM generate_series(1, 2 * $tenants) i
    UNION ALL SELECT i, 1 FROM generate_series(2 * $tenants + 1, 2 * $tenants + 1500) i;
INSERT INTO exedra.workspace (id, tenant_id, name, slug) OVERRIDING SYSTEM VALUE SELECT i, tenant, 'W', 'w' || i FROM things;
INSERT INTO exedra.workspace_account SELECT tenant, i, tenant FROM things WHERE i % 2 = 1;
INSERT INTO exedra.thread (tenant_id, workspace_id, account_id, slug) SELECT tenant, i, tenant, 't' || i FROM things;
INSERT INTO exedra.folder (tenant_id, name) SELECT DISTINCT tenant, 'custom-documents' FROM things;
INSERT INTO exedra.file (id, tenant_id, uuid, account_id, name, sha256, state) OVERRIDING SYSTEM VALUE
    SELECT i, tenant, md5('f' || i)::uuid, tenant, 'a.txt', sha256(('f' || i)::bytea), 'done' FROM things;
INSERT INTO exedra.workspace_file SELECT tenant, CASE WHEN tenant = 1 THEN 1 ELSE i END, i FROM things;
INSERT INTO exedra.file_part SELECT tenant, i, 0, 'bytes' FROM things;
INSERT INTO exedra.document (id, tenant_id, uuid, file_id, external_id, folder, name, version_id, title, url, author, description, source,
    chunk_source, published, word_count, token_estimate) OVERRIDING SYSTEM VALUE
    SELECT i, tenant, gen_random_uuid(), i, 'x' || i, 'custom-documents', 'd' || i || '.json', i, 'T', 'u', 'a', 'd', 's', 'c', 'p', 1, 1 FROM things;
INSERT INTO exedra.document_version (id, tenant_id, sha256, n_chunks) OVERRIDING SYSTEM VALUE SELECT i, tenant, sha256(''), 2 FROM things;
INSERT INTO exedra.job (id, tenant_id, kind, subject_id, state, worker, ticket) OVERRIDING SYSTEM VALUE
    SELECT i, tenant, 'read_file', i, CASE WHEN i % 100 = 0 THEN 'waiting' ELSE 'running' END::exedra.job_state, 'w1', md5((8 * i + 1)::text)::uuid FROM things;
INSERT INTO exedra.document_text SELECT tenant, i, 0, 'The whole text.' FROM things;
INSERT INTO exedra.chunk (tenant_id, version_id, no, text) SELECT tenant, i, no, 'chunk' FROM things, generate_series(0, 1) no;
INSERT INTO exedra.segment (id, tenant_id, language, n_chunks) OVERRIDING SYSTEM VALUE SELECT i, tenant, 'simple', 2 FROM things;
INSERT INTO exedra.segment_part SELECT tenant, i, 0, i, 0, 2, 'simple', '\\x00020002' FROM things;
INSERT INTO exedra.word SELECT tenant, i, b, '\\x03617364040101' FROM things, generate_series(0, 1) b;
INSERT INTO exedra.embedder (id, tenant_id, provider, model, dimension) OVERRIDING SYSTEM VALUE SELECT i, tenant, 'p', CASE i WHEN 2 * tenant - 1 THEN 'm' ELSE 'old' || i END, 2
    FROM things WHERE i <= 2 * $tenants;
INSERT INTO exedra.embedding SELECT c.tenant_id, 2 * c.tenant_id - 1, c.version_id, c.id, '01', '01234567' FROM exedra.chunk c;
INSERT INTO exedra.embedded SELECT tenant, i, 2 * tenant - 1 FROM things WHERE i % 7 > 0;
INSERT INTO exedra.embedding_code SELECT tenant_id, embedder_id, version_id, 0, '\\x4040' FROM exedra.embedded;
INSERT INTO exedra.workspace_document (tenant_id, workspace_id, document_id) SELECT tenant, CASE WHEN tenant = 1 THEN 1 ELSE i END, i FROM things;
INSERT INTO exedra.chat (id, tenant_id, workspace_id, account_id, api_session_id, conversation, origin, state, mode, prompt, answer) OVERRIDING SYSTEM VALUE
    SELECT 8 * i + n, tenant, CASE WHEN tenant = 1 THEN 1 ELSE i END, CASE WHEN n % 2 = 0 THEN tenant END, CASE WHEN n > 1 THEN 's1' END, CASE WHEN n > 1 THEN 'ss1' ELSE '' END, 'api',
    CASE n WHEN 1 THEN 'open' ELSE 'done' END::exedra.chat_state, 'chat', 'Why?', 'Therefore.' FROM things, generate_series(0, 3) n;
INSERT INTO exedra.embed (id, tenant_id, uuid, workspace_id, chat_mode, daily_limit, session_limit) OVERRIDING SYSTEM VALUE
    SELECT i, tenant, 'e' || i, i, 'chat', 1000, 1000 FROM things;
INSERT INTO exedra.embed_address SELECT uuid, tenant_id, id FROM exedra.embed;
INSERT INTO exedra.chat (id, tenant_id, workspace_id, embed_id, api_session_id, conversation, origin, state, mode, prompt, answer, visitor) OVERRIDING SYSTEM VALUE
    SELECT 8 * i + 4 + n, tenant, i, i, 's' || n, 'e' || i || 'ss' || n, 'embed', 'done', 'chat', 'Why?', 'Therefore.', '{}' FROM things, generate_series(0, 1) n;
INSERT INTO exedra.open_chat (tenant_id, chat_id, ticket, worker)
    SELECT tenant_id, id, md5(id::text)::uuid, 'w1' FROM exedra.chat WHERE state = 'open';
INSERT INTO exedra.usage (tenant_id, chat_id, provider, model, prompt_tokens, completion_tokens, estimated)
    SELECT tenant, 8 * i + n, 'p', 'm', 1, 1, true FROM things, generate_series(0, 3) n;
SELECT setval(pg_get_serial_sequence('exedra.' || t, 'id'), 10000000) FROM unnest('{workspace,document,document_version,segment,file,job,chat}'::text[]) t;
VACUUM ANALYZE;
END

# ---- plans ----

my %sequential = map { $_ => 1 } qw(embedding_code segment segment_part word account chat chunk credential document document_text document_version embed embed_address embedded embedder embedding file file_part folder
    job open_chat provider setting tenant thread usage workspace workspace_account workspace_document workspace_file);

# What is wrong with a plan: "Seq Scan of chat" and the like.
sub faults {
    my ($node) = @_;
    my @faults = map { faults($_) } @{ $node->{Plans} // [] };
    my $table = $node->{'Relation Name'} // ($node->{'Node Type'} eq 'Bitmap Index Scan' ? $node->{'Index Name'} : undef);
    return @faults if !defined $table || $node->{'Node Type'} !~ /Scan$/ || $node->{'Node Type'} eq 'Bitmap Heap Scan';
    return @faults if $node->{'Relation Name'} && !$sequential{$table};
    my $condition = $node->{'Index Cond'} // '';
    return (@faults, "$node->{'Node Type'} of $table by '$condition'")
        if $node->{'Node Type'} !~ /Index/ || $condition !~ /\b(?:tenant_id|hash)\b/ && $table !~ /^(?:tenant|pg_)/;
    return @faults;
}

# The callers, and the things that are theirs.
sub caller_of {
    my ($tenant, $key) = @_;
    my $thing = 2 * $tenant - 1;
    return { TENANT => $tenant, HASH => "sha256('$key$tenant'::bytea)", WORKSPACE => $thing, SLUG => "w$thing",
        THREAD => "t$thing", EMBEDADDRESS => "e$thing", DOCUMENT => $thing, EMBEDDER => $thing, FILE => $thing, FUUID => "md5('f$thing')::uuid", JOB => $thing,
        VERSION => $thing, SEGMENT => $thing, NAME => "d$thing.json", CHAT => 8 * $thing + 1, TICKET => "'"
        . ($tenant == 1 ? md5(9) : md5(8 * $thing + 1)) . "'::uuid" };
}

sub md5 { return psql($db, "SELECT md5('$_[0]')") }

# SQL that explains one call in both ways as PostgreSQL would choose by itself, then runs it three times in a session as the
# program sets it up, counting the sequential scans that are really made.
sub examine {
    my ($name, $caller, $values) = @_;
    my $call = 's' . (@$values ? '(' . join(', ', @$values) . ')' : '');
    $call =~ s/\b([A-Z]{3,})\b/$caller->{$1} \/\/ $1/ge;
    $call =~ s/'([tfx])(TENANT|FILE|DOCUMENT)'/'$1$caller->{$2}'/g;
    my $count = "SELECT coalesce(string_agg(relname || ' ' || seq_scan, ',' ORDER BY relname), '') FROM pg_stat_xact_user_tables
        WHERE schemaname = 'exedra' AND relname <> 'schema_version' AND seq_scan > 0;";
    my $session = 'DISCARD PLANS; PREPARE start AS ' . $statement{'session/start'} . "; EXECUTE start('30s'); DEALLOCATE start;";
    my $run = "SAVEPOINT before;\n\\echo \@run\nEXPLAIN (ANALYZE, FORMAT JSON) EXECUTE $call;\nROLLBACK TO before;\n";
    return "\\echo \@call\nPREPARE s AS $statement{$name};\nBEGIN;\n\\o /dev/null\nSELECT exedra.enter($caller->{HASH}, 10, false, 1, NULL);\n\\o\n"
        . join('', map { "SET LOCAL plan_cache_mode = force_${_}_plan;\n\\echo \@plan $_\nEXPLAIN (FORMAT JSON) EXECUTE $call;\n" }
            qw(custom generic))
        . "\\o /dev/null\n$session\n\\o\n\\echo \@scans\n$count\n$run$run$run\\echo \@scans\n$count\n\\echo .\nROLLBACK;\nDEALLOCATE s;\n";
}

# What goes through all tenants: it may read their names in one go, and take some milliseconds.
my %for_all = ('chat/fail_worker' => 2000, 'chat/sweep' => 2000, 'document/sweep' => 2000, 'embedder/note' => 2000);
# Deletes a big tenant's thousands of rows one by one, by their references.
my %slow = ('user/delete' => 2000, 'embedder/sweep' => 2000, 'knowledge/files' => 500);

# Who calls; how many milliseconds a call may take; which statements are for this caller.
my @callers = (['one of 10,000', caller_of(5000, 'key'), 5, qr/./], ['a big tenant', caller_of(1, 'key'), 100, qr{^(?!chat/(?:fail_worker|sweep)|document/sweep|(?:file|knowledge)/(?:delete_all|list))}],
    ['an account with the role default', caller_of(5000, 'anna'), 5,
    qr{^(?:session/|chat/(?!fail_worker|sweep)|chunk/show|segment/find|word/|embedding/(?:code|read)|embedder/(?:choose|serve)|vector_store/|usage/|workspace/(?:find|list|search|show)|thread/|model/)}]);
# What is wrong with a call, by what its examination printed, and its best time.
sub verdict {
    my ($name, $out) = @_;
    my %got;
    (undef, my @parts) = split /^\@(.*)\n/m, $out;
    while (my ($what, $text) = splice @parts, 0, 2) { push @{ $got{$what} }, $text }
    my @wrong = map { my $how = $_; map { "$how plan: $_" } faults(json_value($got{"plan $how"}[0])->[0]{Plan}) } qw(custom generic);
    my ($before, $after) = map { /(.*)/ } @{ $got{scans} };
    $after =~ s/^tenant \d+$// if $for_all{$name};
    push @wrong, "sequential scans: '$before' before it ran, '$after' after" if $before ne $after;
    my ($best) = sort { $a <=> $b } map { json_value($_)->[0]{'Execution Time'} } @{ $got{run} };
    return (\@wrong, $best);
}

sub examined {
    my ($caller, @calls) = @_;
    my (undef, @results) = split /^\@call\n/m, psql($db, join('', map { examine($_->[0], $caller, $_->[1]) } @calls), as => 'runtime');
    return @results;
}

for (@callers) {
    my ($who, $caller, $limit_ms, $may) = @$_;
    subtest $who => sub {
        my @calls = map { my $name = $_; map { [$name, $_] } @{ $parameters{$name} } } grep { $_ =~ $may } sort keys %parameters;
        my @results = examined($caller, @calls);
        for my $call (@calls) {
            my ($name, $values) = @$call;
            my $most = $for_all{$name} // $slow{$name} // $limit_ms;
            my ($wrong, $best) = verdict($name, shift @results);
            # A machine with other work has moments without any.
            for (my $more = 0; $best > $most && $more < 20; $more++) {
                (undef, my $again) = verdict($name, examined($caller, $call));
                $best = $again if $again < $best;
            }
            is_deeply [@$wrong, $best > $most ? "$best ms" : ()], [], "$name (" . join(', ', @$values) . ')';
        }
    };
}

done_testing;
