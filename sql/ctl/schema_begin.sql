-- One upgrade at a time; the schema's own objects are named in full.
SELECT pg_catalog.pg_advisory_xact_lock(5784236),
       pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('client_min_messages', 'warning', true);
