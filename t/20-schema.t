# The schema keeps what the design promises.  Tenant tables are shut by forced row-level security and keyed by tenant;
# directory tables are a named list that the workers' role cannot touch; that role may call a named list of functions and
# only add to the ledger; a function that runs as the owner cannot be turned against it.
use lib 't/lib';
use Exedra::Test;

my @directory = qw(credential embed_address former_tenant invite job schema_version server_embedder sign_in
    sign_in_token tenant);
my @tenant_tables = qw(account chat chunk document document_text document_version embed embedded embedder
    embedding embedding_code event file file_part folder open_chat provider quota quota_hold quota_used segment
    segment_part setting thread usage word workspace workspace_account workspace_document workspace_file);
my @may_call = qw(account_id acting_account alter_account any_workspace apply_env asker begin_sign_in change_embed
    change_user chat_history check_embed_limits check_embeddings check_setting check_version choose_embedder choose_service
    chunk_text claim_invite claim_job close_chat close_session complete_embedding conversation count_jobs
    delete_user disable_invite drop_account drop_embedding embed_conversation embed_keeps embed_lets end_job
    enqueue_job enqueue_later enter enter_embed epoch expire expire_former expire_tries fail_chats file_collection file_hash file_head
    file_status file_tail find_embedder free_limits hold_limits in_rooms is_limited is_manager is_own iso issue_token json_array
    json_chat_row json_document json_embed json_embed_chat json_embed_item json_event json_extend json_file
    json_file_meta json_history json_knowledge json_members json_metadata json_model
    json_origin json_owner json_pinned json_source json_thread json_user json_visitor_history json_workspace
    json_workspace_document keep_answers key_ends key_id keys_of known_settings limits_of list_invites must_hold new_account
    new_embed new_invite note_embedder note_event note_origin note_uses open_chat open_embed_chat open_free_chat
    open_session other_admins own_key own_workspaces plan_retention put_provider put_settings redeem_token refuse_sign_in
    replace_key replace_segments resume role_name sees_all serving_embedder set_members setting_on settle_limits
    stopped_chats store_settings sweep_chats sweep_documents sweep_embeddings take_limit tenant_id tend_segments
    try_password     unembedded waiting_jobs wanted_embedder work_on workspace_files workspace_ids);
my @definers = qw(account_limited alter_account begin_sign_in chat_has_tenant check_version claim_invite claim_job
    close_session count_jobs disable_invite embedder_changed end_job enqueue_job enqueue_later enter enter_embed
    expire expire_former expire_tries fail_chats issue_token key_ends limits_gone list_invites new_embed new_invite note_embedder
    note_event note_uses open_session own_key password_changed plan_retention redeem_token refuse_sign_in
    replace_key stopped_chats sweep_chats sweep_documents tenant_of_request try_password waiting_jobs work_on);
# The administrator's: they run as the owner too, for a role that has no right on a table; so do views.
my @administrator = qw(change_key create_account create_key create_tenant delete_account delete_provider delete_tenant
    end_sessions every_tenant find_tenant grant_workspace list_accounts list_embedders list_embeds list_events list_failures
    list_jobs list_keys list_limits list_open_chats list_providers list_sessions list_settings list_tenants list_usage
    list_workspaces resume_account resume_tenant set_embedder set_limit set_provider set_setting suspend_account
    suspend_tenant tenant_sizes unset_embedder);
my @views = qw(accounts embedders embeds event_log failures jobs keys limits open_chats providers sessions settings
    tenants usage_daily workspaces);

my $db = database();                    # set up as EXEDRA_TEST_ROLES says
my $two = database(roles => 'two');     # where the workers' role is not the owner
my $runtime = $two->{role}{runtime};

# The rows of a query on the catalogue.
sub rows { return [split /\n/, psql($_[0], $_[1])] }

subtest 'two kinds of table' => sub {
    my $tables = "pg_class c WHERE relnamespace = 'exedra'::regnamespace AND relkind IN ('r', 'p', 'f', 'm', 'v')";
    is_deeply rows($db, "SELECT relname FROM $tables ORDER BY 1"), [sort @directory, @tenant_tables, @views],
        'every table and view is in one of the lists of this test';
    my $has_tenant = "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull)";
    is_deeply rows($db, "SELECT relname FROM $tables AND $has_tenant ORDER BY 1"), [sort 'credential', 'embed_address', 'invite', 'job', 'sign_in_token', @tenant_tables],
        'tenant tables have a tenant_id';
    is_deeply rows($db, "SELECT relname FROM $tables AND relrowsecurity AND relforcerowsecurity ORDER BY 1"), [sort @tenant_tables],
        'row-level security is enabled and forced on them';
    is_deeply rows($db, "SELECT relname FROM $tables AND (relrowsecurity OR relforcerowsecurity) AND relname = ANY ('{"
        . join(',', @directory) . "}')"), [],
        'and not on the directory: enter() would find no key';
};

subtest 'policies' => sub {
    my $ours = '(tenant_id = ( SELECT exedra.tenant_id() AS tenant_id))';
    is_deeply rows($db, "SELECT tablename FROM pg_policies WHERE schemaname = 'exedra' AND policyname = 'tenant' AND permissive = 'PERMISSIVE'
        AND roles = '{public}' AND cmd = 'ALL' AND qual = '$ours'
        AND with_check = '(tenant_id = exedra.tenant_id())' ORDER BY 1"), \@tenant_tables,
        'each has the policy `tenant`, asked once a statement';
    is_deeply rows($db, "SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'exedra' AND policyname <> 'tenant'
        AND permissive = 'PERMISSIVE'"), [], 'no other policy lets in more';
};

subtest 'keys lead with the tenant' => sub {
    is_deeply rows($db, "SELECT x.indexrelid::regclass FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
        WHERE c.relnamespace = 'exedra'::regnamespace AND c.relrowsecurity AND
        (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = x.indkey[0]) <> 'tenant_id'"), [], 'every index';
    is_deeply rows($db, "SELECT conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
        WHERE k.contype = 'f' AND r.relnamespace = 'exedra'::regnamespace AND r.relrowsecurity AND
        (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) <> 'tenant_id'"), [],
        'every reference to a tenant table, so that it cannot point to another tenant';
};

subtest 'everything is explained' => sub {
    is_deeply rows($db, "SELECT relname FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relkind IN ('r', 'v')
        AND coalesce(obj_description(oid, 'pg_class'), '') = ''"), [], 'tables and views';
    is_deeply rows($db, "SELECT proname FROM pg_proc WHERE pronamespace = 'exedra'::regnamespace
        AND coalesce(obj_description(oid, 'pg_proc'), '') = ''"), [], 'functions';
};

subtest "the workers' role" => sub {
    is_deeply rows($two, "SELECT relname, p FROM pg_class, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p
        WHERE relnamespace = 'exedra'::regnamespace AND relkind = 'r' AND relname = ANY ('{" . join(',', @directory) . "}')
        AND (has_table_privilege('$runtime', oid, p)
             OR p <> ALL ('{DELETE,TRUNCATE,TRIGGER}') AND has_any_column_privilege('$runtime', oid, p))"), [],
        'has no right on a directory table';
    is psql_error($two, "SELECT * FROM exedra.$_", as => 'runtime'), '42501', "cannot read $_" for @directory, @views;
    is_deeply rows($two, "SELECT proname FROM pg_proc WHERE pronamespace = 'exedra'::regnamespace
        AND has_function_privilege('$runtime', oid, 'EXECUTE') ORDER BY 1"), \@may_call, 'may call the functions of this list';
    is_deeply rows($two, "SELECT relname FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relowner = '$runtime'::regrole
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'exedra'::regnamespace AND proowner = '$runtime'::regrole"), [], 'owns nothing';
    is psql($two, "SELECT has_schema_privilege('$runtime', 'exedra', 'CREATE')"), 'f', 'can make nothing';
    $two->{role}{outsider} = 'exedra_one';
    is psql_error($two, 'SELECT exedra.tenant_id()', as => 'outsider'), '42501', 'a role that the schema knows nothing of can do nothing';
    is psql($two, "SELECT count(*) FROM exedra.workspace", as => 'runtime'), 0, 'without a tenant it sees nothing';
};

subtest 'the ledger is append-only' => sub {
    my $id = exedractl($two, qw(tenant create ledger));
    my $as_ledger = "BEGIN; SELECT set_config('exedra.tenant_id', '$id', true);";
    my $row = "INSERT INTO exedra.usage (tenant_id, provider, model, prompt_tokens, completion_tokens, estimated)";
    is psql_error($two, "$as_ledger $row VALUES ($id, 'p', 'm', 1, 1, false)", as => 'runtime'), '', 'INSERT';
    is psql_error($two, "$as_ledger $row VALUES ($id + 1, 'p', 'm', 1, 1, false)", as => 'runtime'), '42501', "not for another tenant";
    is psql_error($two, "$as_ledger $row VALUES ($id, 'p', 'm', -1, 1, false)", as => 'runtime'), '23514', 'nor a negative amount';
    is psql_error($two, "$as_ledger $_", as => 'runtime'), '42501', $_
        for 'UPDATE exedra.usage SET model = model', 'DELETE FROM exedra.usage', 'TRUNCATE exedra.usage';
};

subtest 'functions that run as the owner' => sub {
    is_deeply rows($two, "SELECT proname FROM pg_proc WHERE pronamespace = 'exedra'::regnamespace AND prosecdef ORDER BY 1"), [sort @definers, @administrator],
        'are those of this list';
    is_deeply rows($two, "SELECT proname FROM pg_proc WHERE pronamespace = 'exedra'::regnamespace AND prosecdef
        AND NOT coalesce(proconfig::text ~ 'search_path=', false)"), [], 'each fixes its search_path';
    # Temporary objects come before everything that search_path names unless it names them last (CREATE FUNCTION, Writing
    # SECURITY DEFINER Functions Safely): else a caller's own type `text` is used, and its checks run as the owner.
    is psql_error($two, "CREATE FUNCTION pg_temp.look(x pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS \$\$
        BEGIN IF current_user = '$two->{role}{owner}' THEN RAISE 'caught' USING ERRCODE = 'ZZ001'; END IF; RETURN true; END \$\$;
        CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.look(VALUE));
        SELECT * FROM exedra.enter('\\x00', 10, true, 1, NULL)", as => 'runtime'), 'EX401', "a caller's type is not taken for PostgreSQL's";
};

done_testing;
