-- The accounts of the tenant, shortly.  Returns one row: a JSON array by id.  Index: account_pkey.
SELECT exedra.json_array(string_agg('{"id":' || a.id || ',"username":' || to_json(a.username::text) || ',"role":"' || exedra.role_name(a.role) || '"}',
                                    ',' ORDER BY a.id))
  FROM exedra.account a WHERE a.tenant_id = (SELECT exedra.tenant_id());
