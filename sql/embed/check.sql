-- What a visitor may do in an embed.  $1 text: its address; $2 text: the page's origin, or NULL; $3 boolean: whether an embed
-- without a list of origins is open; $4 text: the session, or NULL.  One row.  Indexes: embed_tenant_id_uuid_key, chat_partition.
SELECT e.enabled, exedra.embed_lets(e, $2::text, $3::boolean) AS lets, e.origins IS NULL AS anywhere, e.chat_mode, e.takes_model,
       e.takes_temperature, e.takes_prompt,
       EXISTS (SELECT FROM exedra.chat c
                WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.workspace_id = e.workspace_id
                  AND c.conversation = exedra.embed_conversation(e, $4::text)) AS known
  FROM exedra.embed e
 WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.uuid = $1::text;
