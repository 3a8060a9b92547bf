-- Change what AnythingLLM keeps in its environment.  $1 jsonb: providers; $2 text: the one that is preferred, '' for the server's, NULL
-- leaves it; $3 jsonb: settings.  Returns nothing; raises EX422.  Index: provider_tenant_id_name_key, setting_pkey.
-- Notes an event.
SELECT exedra.apply_env($1::jsonb, $2::text, $3::jsonb);
