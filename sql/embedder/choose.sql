-- The embedder for a workspace by its slug, else the tenant's.  $1 text: slug, or anything else; $2 text, $3 text, $4 int: the
-- server's provider, model and dimension.  One row: an exedra.embedder_setup.  Index: workspace_tenant_id_slug_key.
SELECT e.* FROM exedra.choose_embedder(
    coalesce((SELECT w.id FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text), 0),
    $2::text, $3::text, $4::int) e;
