# SPDX-License-Identifier: ISC
#
# The program's statements, sql/<noun>/<verb>.sql: their texts, what tests call each with, and a database full of tenants to
# call them in.  A new statement needs parameters here.
package Exedra::Statements;
use strict;
use warnings;

use Exporter qw(import);
use Digest::MD5 qw(md5_hex);
use Exedra::Postgres qw(psql);
use Exedra::Process qw(slurp);

our @EXPORT = qw(statements %PARAMETERS fill_tenants caller_of call_text);

# "noun/verb" => text, without what is not a statement of the program.
sub statements {
    my %statement;
    for my $file (glob 'sql/*/*.sql') {
        my ($name) = $file =~ m{^sql/(.*)\.sql$};
        (my $text = slurp($file)) =~ s/;\s*$//;
        $statement{$name} = $text if $name !~ m{^(?:schema|function)/};
    }
    return %statement;
}

# What each is called with; WORDS stand for the caller's own things.
our %PARAMETERS = (
    'session/check' => [['1']],
    'session/enter' => [['HASH', 10, 'false', 1, 'NULL', "'chat'", 'NULL'], ['HASH', 10, 'true', 1, "'tTENANT'", "'chat'", "'192.0.2.1'"]],
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
    'account/begin_sign_in' => [["'t5000'", "'anna'"]], 'account/open_session' => [['TENANT', 'TENANT', 'NULL', "sha256('session')", 3600]],
    'account/close_session' => [['HASH']], 'account/replace_key' => [["sha256('own')", "'ends'"], ['NULL', "''"]], 'account/own_key' => [[]],
    'event/origin' => [["'192.0.2.1'", "'req-1'", "'key'"]], 'event/note' => [["'chat.export'", 'NULL', 'NULL', "'{}'"]],
    'event/list' => [['NULL', 'NULL', 'NULL', 50], [1000000, 'NULL', "'key.create'", 50], ['NULL', 5, 'NULL', 50], ['NULL', 5, "'key.create'", 50]],
    'event/expire' => [map { ["'$_'", 30, 0, 1000] } qw(chats visitors usage events)], 'event/plan' => [[30, 30, 30, 30]], 'event/expire_former' => [[30, 30, 1000]],
    'account/refuse_sign_in' => [['TENANT', 'TENANT'], ['TENANT', 'NULL']],
    'account/show' => [['HASH']], 'account/try_password' => [[]], 'account/expire_tries' => [[1000]], 'account/set_password' => [["'hash'"]],
    'account/issue_token' => [['TENANT', "sha256('token')"]], 'account/redeem_token' => [['NULL', "sha256('token')", "sha256('session')", 3600]],
    'session/visit' => [["'EMBEDADDRESS'", 'true', 1, 'NULL'], ["'EMBEDADDRESS'", 'false', 1, "'tTENANT'"]],
    'embed/check' => [["'EMBEDADDRESS'", "'https://a.test'", 'false', "'s1'"]], 'embed/list' => [[]], 'embed/delete' => [["'EMBEDADDRESS'"]],
    'embed/open' => [["'EMBEDADDRESS'", "'Why?'", "'s1'", "'{}'", 'gen_random_uuid()', "'w1'"]],
    'embed/history' => [["'EMBEDADDRESS'", "'s1'", 'NULL', 'true', 500]], 'embed/reset' => [["'EMBEDADDRESS'", "'s1'", 'NULL', 'true']],
    'embed/create' => [["'SLUG'", q('{"origins":["https://a.test"],"daily_limit":5}')]],
    'embed/update' => [["'EMBEDADDRESS'", q('{"enabled":false,"session_limit":3}')]],
    'embed/chats' => [["'EMBEDADDRESS'", 'NULL', "'-infinity'", 0, 200], ["'EMBEDADDRESS'", "'s1'", 'now()', 5, 200]],
    'setting/on' => [["'multi_user'"]], 'setting/put' => [[q('{"default_prompt":"x","language":null}')]], 'setting/system' => [[]],
    'setting/apply' => [[q('[{"name":"p","kind":"openai","url":"http://x.test/","model":"m"}]'), "'p'", q('{"chunk_size":"500"}')], ["'[]'", "''", "'{}'"]],
    'invite/create' => [["sha256('code')", "'CODE'", "'{WORKSPACE}'"]], 'invite/list' => [[]], 'invite/disable' => [['INVITE']],
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
    'job/claim' => [["'none'"]], 'job/waiting' => [[]], 'job/enqueue' => [["'read_file'", 'FILE']],
    'job/end' => [['JOB', 'TICKET', 'NULL', 'NULL'], ['JOB', 'TICKET', "'It is broken.'", 5]],
    'embedder/choose' => [["'SLUG'", "'p'", "'m'", 0], ['NULL', 'NULL', 'NULL', 'NULL']],
    'embedder/serve' => [["'{WORKSPACE}'", "'{}'", "'p'", "'m'", 0], ["'{}'", "'{FILE}'", "'p'", "'other'", 0], ["'{WORKSPACE}'", "'{FILE}'", "'p'", "'other'", 0]],
    'service/transcription' => [["'p'", "'m'"], ['NULL', 'NULL']], 'service/ranking' => [["'{WORKSPACE}'", "'p'", "'m'"]], 'service/charge' => [["'p'", "'m'", 5, 6, 'true']],
    'knowledge/unwait' => [['WORKSPACE', 'FILE']],
    'embedder/want' => [['WORKSPACE', 'VERSION', "'p'", "'m'", 0], [0, 'VERSION', "'p'", "'new'", 5]],
    'embedder/measure' => [['EMBEDDER', 5]], 'embedder/check' => [[0, "'p'", "'m'", 0], ['VERSION', "'p'", "'new'", 0]],
    'embedder/sweep' => [["'p'", "'m'", 0, 100], ["'p'", "'old'", 0, 100]], 'embedder/note' => [["'p'", "'m'", 0]],
    'embedding/missing' => [['VERSION', 'EMBEDDER', -1, 64], ['VERSION', 0, -1, 64]],
    'embedding/write' => [['EMBEDDER', 'VERSION', "'{1,2}'", "'{01,10}'", q('0123456789abcdef')]],
    'embedding/complete' => [['VERSION', 'EMBEDDER']], 'embedding/abandon' => [['VERSION', 'EMBEDDER']],
    'embedding/homes' => [['VERSION', 'NULL', 'NULL'], ['NULL', 'DOCUMENT', 'NULL'], ['NULL', 'NULL', "'xDOCUMENT'"]],
    'limit/hold' => [["md5(set_config('exedra.key', '-TENANT', true))::uuid", 500]], 'limit/settle' => [['TENANT', 'TICKET', 500, 'true']], 'key/note_uses' => [['ARRAY[HASH]']],
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
    'chat/keep' => [["'{TENANT}'", "'{CHAT}'", 'ARRAY[TICKET]::uuid[]', "'{Some text}'"]],
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

# A full database: two workspaces, two documents, four chunks, eight chats a tenant; tenant 1 has so many more.
sub fill_tenants {
    my ($db, $tenants, $more) = @_;
    my $last = 2 * $tenants + $more;
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
    UNION ALL SELECT i, 1 FROM generate_series(2 * $tenants + 1, $last) i;
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
INSERT INTO exedra.job (id, tenant_id, kind, subject_id, place, state, worker, ticket) OVERRIDING SYSTEM VALUE
    SELECT i, tenant, 'read_file', i, i, CASE WHEN i % 100 = 0 THEN 'waiting' ELSE 'running' END::exedra.job_state, 'w1', md5((8 * i + 1)::text)::uuid FROM things;
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
INSERT INTO exedra.quota SELECT t, s, CASE s WHEN 'tenant' THEN 0 ELSE t END, k, 1000000 FROM generate_series(1, $tenants) t,
    unnest('{tenant,account,key}'::text[]) s, unnest('{requests_minute,chats_day,tokens_day,tokens_month}'::text[]) k;
INSERT INTO exedra.quota_used SELECT DISTINCT tenant_id, subject, subject_id, substring(kind FROM '[a-z]+\$'), date_trunc(substring(kind FROM '[a-z]+\$'), now(), 'UTC'), 5, 100, 500 FROM exedra.quota;
INSERT INTO exedra.quota_hold SELECT tenant, md5((8 * i + 1)::text)::uuid, now(), tenant, tenant, 500 FROM things;
INSERT INTO exedra.chat (id, tenant_id, workspace_id, embed_id, api_session_id, conversation, origin, state, mode, prompt, answer, visitor) OVERRIDING SYSTEM VALUE
    SELECT 8 * i + 4 + n, tenant, i, i, 's' || n, 'e' || i || 'ss' || n, 'embed', 'done', 'chat', 'Why?', 'Therefore.', '{}' FROM things, generate_series(0, 1) n;
INSERT INTO exedra.open_chat (tenant_id, chat_id, ticket, worker)
    SELECT tenant_id, id, md5(id::text)::uuid, 'w1' FROM exedra.chat WHERE state = 'open';
INSERT INTO exedra.invite (hash, id, tenant_id, hint, workspace_ids) OVERRIDING SYSTEM VALUE
    SELECT sha256(('invite' || i)::bytea), i, tenant, 'code', ARRAY[i] FROM things;
INSERT INTO exedra.event (tenant_id, action, actor, at)
    SELECT tenant, CASE n WHEN 0 THEN 'key.create' ELSE 'session.open' END, 'operator', now() - n * interval '40 days' FROM things, generate_series(0, 1) n;
INSERT INTO exedra.usage (tenant_id, chat_id, provider, model, prompt_tokens, completion_tokens, estimated)
    SELECT tenant, 8 * i + n, 'p', 'm', 1, 1, true FROM things, generate_series(0, 3) n;
SELECT setval(pg_get_serial_sequence('exedra.' || t, 'id'), 10000000) FROM unnest('{account,workspace,thread,document,document_version,segment,embedder,file,job,chat,embed,invite}'::text[]) t;
VACUUM ANALYZE;
END
}

# A caller: a key and the things of its tenant, by the words of %PARAMETERS.
sub caller_of {
    my ($tenant, $key) = @_;
    my $thing = 2 * $tenant - 1;
    return { TENANT => $tenant, HASH => "sha256('$key$tenant'::bytea)", WORKSPACE => $thing, SLUG => "w$thing",
        THREAD => "t$thing", EMBEDADDRESS => "e$thing", DOCUMENT => $thing, EMBEDDER => $thing, FILE => $thing, FUUID => "md5('f$thing')::uuid", JOB => $thing, INVITE => $thing,
        VERSION => $thing, SEGMENT => $thing, NAME => "d$thing.json", CHAT => 8 * $thing + 1, TICKET => "'"
            . md5_hex($tenant == 1 ? 9 : 8 * $thing + 1) . "'::uuid" };
}

# "(5, 'w5')": the parameters of one call with the caller's things in place of words.
sub call_text {
    my ($values, $caller) = @_;
    my $call = @$values ? '(' . join(', ', @$values) . ')' : '';
    $call =~ s/\b([A-Z]{3,})\b/$caller->{$1} \/\/ $1/ge;
    $call =~ s/'([tfx])(TENANT|FILE|DOCUMENT)'/'$1$caller->{$2}'/g;
    return $call;
}

1;
