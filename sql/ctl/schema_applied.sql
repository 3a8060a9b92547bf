-- Note a schema file as applied.  $1 int: its number; $2 int: oldest program that runs on it.
UPDATE exedra.schema_version SET version = $1::int, oldest_program = $2::int, changed_at = now() WHERE version < $1::int;
