-- Is there a schema, and has it its version table?
SELECT to_regclass('exedra.schema_version') IS NOT NULL;
