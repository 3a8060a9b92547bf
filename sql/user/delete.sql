-- Delete an account with what is its own.  $1 bigint.  Returns done, unknown or last_admin.  Index: account_pkey.
-- Notes an event.
SELECT exedra.delete_user($1::bigint) AS outcome;
