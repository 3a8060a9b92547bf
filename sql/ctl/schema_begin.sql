-- One upgrade at a time; the schema's own objects are named in full.  Returns, first, whether row-level security does not bind this role:
-- functions that run as their owner would see all tenants.
SELECT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles r WHERE r.rolname = current_user), pg_catalog.pg_advisory_xact_lock(5784236),
       pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('client_min_messages', 'warning', true);
