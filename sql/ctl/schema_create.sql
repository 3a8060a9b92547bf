-- The schema itself, when it is not there.
CREATE SCHEMA IF NOT EXISTS exedra;
