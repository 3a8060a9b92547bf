-- Change an account.  $1 bigint; $2 jsonb: columns by name.  Returns done, nothing, unknown, taken or last_admin.  Index: account_pkey.
-- Notes an event.
SELECT exedra.change_user($1::bigint, $2::jsonb) AS outcome;
