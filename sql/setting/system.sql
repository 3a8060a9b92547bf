-- What the tenant has set, for its administrators.  One row: its id; settings by name, as JSON, without secrets; providers, as JSON, without their
-- keys; whether a workspace has documents, whether there are vectors.  Index: setting_pkey, provider_pkey.
SELECT exedra.tenant_id() AS tenant_id,
       coalesce((SELECT json_object_agg(s.name, s.value) FROM exedra.setting s
                  WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name NOT LIKE '%config' AND s.name NOT IN ('hub_api_key', 'agent_sql_connections')),
                '{}') AS settings,
       coalesce((SELECT json_agg(json_build_object('name', p.name, 'url', p.url, 'has_key', p.sealed_key IS NOT NULL, 'model', p.model,
                                                   'context', p.context_tokens, 'preferred', p.preferred) ORDER BY p.id)
                   FROM exedra.provider p WHERE p.tenant_id = (SELECT exedra.tenant_id())), '[]') AS providers,
       EXISTS (SELECT FROM exedra.workspace_document l WHERE l.tenant_id = (SELECT exedra.tenant_id())) AS has_documents,
       EXISTS (SELECT FROM exedra.embedded b WHERE b.tenant_id = (SELECT exedra.tenant_id())) AS has_vectors;
