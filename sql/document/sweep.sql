-- Delete texts and files that never came to their end.  $1 int: begun more than so many seconds ago.  Returns how many.  Run without a
-- tenant.  Indexes: document_version_unfinished, file_receiving.
SELECT exedra.sweep_documents($1::int) AS n;
