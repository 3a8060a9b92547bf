-- Who transcribes a tenant's recordings and ranks its passages: a provider that it has named for that, else the server's, which
-- stands in the workers' settings; they say it with every call, NULL where there is none.

SELECT exedra.define_type('service_setup', '
    provider text, model text, known boolean, kind text, url text, sealed_key text');

CREATE OR REPLACE FUNCTION exedra.choose_service(what text, server_provider text, server_model text) RETURNS exedra.service_setup
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    own_model text;
    s exedra.service_setup;
BEGIN
    SELECT max(t.value) FILTER (WHERE t.name = what || '_provider'), max(t.value) FILTER (WHERE t.name = what || '_model')
      INTO s.provider, own_model
      FROM exedra.setting t WHERE t.tenant_id = tenant AND t.name IN (what || '_provider', what || '_model');
    IF s.provider = 'none' THEN
        s.provider := NULL;
        RETURN s;
    END IF;
    s.provider := coalesce(s.provider, server_provider);
    -- A model belongs to the provider beside which it is named.
    s.model := coalesce(own_model, CASE WHEN s.provider = server_provider THEN server_model END, '');
    IF s.provider IS NOT NULL THEN
        -- url NULL: the server's, whose address and key stand in the settings.
        SELECT true, p.kind, p.url, encode(p.sealed_key, 'hex') INTO s.known, s.kind, s.url, s.sealed_key
          FROM exedra.provider p WHERE p.tenant_id = tenant AND p.name = s.provider;
        s.known := coalesce(s.known, s.provider = server_provider, false);
    END IF;
    RETURN s;
END $$;
COMMENT ON FUNCTION exedra.choose_service(text, text, text) IS 'Who does something for the tenant, transcription or rerank: what it has set, else the server''s; provider NULL where there is nobody.';
