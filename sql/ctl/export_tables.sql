-- Returns the names of all tables that an export has, what others refer to before them.
SELECT exedra.exported_tables();
