-- The accounts of the tenant.  Returns one row: a JSON array by id.  Index: account_pkey.
SELECT exedra.json_array(string_agg(exedra.json_user(a)::text, ',' ORDER BY a.id))
  FROM exedra.account a WHERE a.tenant_id = (SELECT exedra.tenant_id());
