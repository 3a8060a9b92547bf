-- The embeds of the tenant.  Returns one row: a JSON array.  Indexes: embed_pkey, workspace_pkey, chat_embed.
SELECT exedra.json_array(string_agg(exedra.json_embed_item(e, w.name, (
           SELECT count(*) FROM exedra.chat c
            WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.embed_id = e.id AND exedra.embed_keeps(c)))::text, ',' ORDER BY e.id))
  FROM exedra.embed e JOIN exedra.workspace w ON w.tenant_id = (SELECT exedra.tenant_id()) AND w.id = e.workspace_id
 WHERE e.tenant_id = (SELECT exedra.tenant_id());
