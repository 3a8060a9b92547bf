-- The first statement of every connection.  $1 text: statement time-out.
-- search_path is fixed so that no object of somebody else's schema can stand in for one of ours; the time-outs keep a
-- lost client from holding locks.  Plans are made once a connection: planning would take longer than running; and they are
-- made for indexes in their order, since one that was made while a table was empty is kept when it is full.
-- Returns one row: whether row-level security binds this role (a superuser and BYPASSRLS are not bound), and the tenant
-- tables on which it is not forced.
SELECT NOT (r.rolsuper OR r.rolbypassrls) AS bound,
       (SELECT string_agg(c.relname, ' ' ORDER BY c.relname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'exedra')
           AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('credential', 'embed_address', 'invite', 'job', 'sign_in_token')
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity)) AS open_tables,
       (SELECT count(pg_catalog.set_config(s.name, s.value, false))
          FROM (VALUES ('search_path', 'pg_catalog, pg_temp'), ('timezone', 'UTC'), ('datestyle', 'ISO'), ('client_encoding', 'UTF8'),
                       ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('statement_timeout', $1::text),
                       ('lock_timeout', '10s'), ('idle_in_transaction_session_timeout', '30s'),
                       ('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'),
                       ('enable_bitmapscan', 'off')) s (name, value)) AS n_set
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;
