-- The number of the last schema file that was applied.
SELECT v.version FROM exedra.schema_version v;
