-- Invites: made by an administrator, claimed by somebody who has no key yet.

CREATE OR REPLACE FUNCTION exedra.invite_status(i exedra.invite) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN i.disabled_at IS NOT NULL THEN 'disabled' WHEN i.claimed_by IS NOT NULL THEN 'claimed' ELSE 'pending' END $$;
COMMENT ON FUNCTION exedra.invite_status(exedra.invite) IS 'pending, claimed or disabled.';

SELECT exedra.define_type('invite_json', '
    "id" bigint, "code" text, "status" text, "claimedBy" json, "workspaceIds" text, "createdAt" text, "createdBy" json, "lastUpdatedAt" text');
CREATE OR REPLACE FUNCTION exedra.json_person(tenant bigint, account bigint) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT ('{"id":' || a.id || ',"username":' || to_json(a.username::text) || '}')::json
      FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account
$$;
COMMENT ON FUNCTION exedra.json_person(bigint, bigint) IS 'Who made or claimed an invite.';
CREATE OR REPLACE FUNCTION exedra.json_invite(i exedra.invite, code text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(i.id, code, exedra.invite_status(i), exedra.json_person(i.tenant_id, i.claimed_by),
        '[' || array_to_string(i.workspace_ids, ',') || ']', exedra.iso(i.created_at),
        coalesce(exedra.json_person(i.tenant_id, i.created_by), '0'), exedra.iso(i.changed_at))::exedra.invite_json)
$$;
COMMENT ON FUNCTION exedra.json_invite(exedra.invite, text) IS 'An invite as AnythingLLM''s API shows it.';

CREATE OR REPLACE FUNCTION exedra.new_invite(hash bytea, code text, workspaces bigint[]) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made exedra.invite;
BEGIN
    INSERT INTO exedra.invite (hash, tenant_id, hint, workspace_ids, created_by)
    VALUES (new_invite.hash, exedra.tenant_id(), right(code, 7),
            ARRAY(SELECT w.id FROM exedra.workspace w WHERE w.tenant_id = exedra.tenant_id() AND w.id = ANY (workspaces) ORDER BY w.id),
            exedra.account_id())
    RETURNING * INTO made;
    PERFORM exedra.note_event('invite.create', made.id, '...' || made.hint, json_build_object('workspaces', made.workspace_ids));
    RETURN exedra.json_invite(made, code);
END $$;
COMMENT ON FUNCTION exedra.new_invite(bytea, text, bigint[]) IS 'Make an invite of the transaction''s tenant; workspaces that are not there are passed over.';

CREATE OR REPLACE FUNCTION exedra.list_invites() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN exedra.json_array((SELECT string_agg(exedra.json_invite(i, '*******-*******-*******-' || i.hint)::text, ',' ORDER BY i.id)
                                FROM exedra.invite i WHERE i.tenant_id = exedra.tenant_id()));
END $$;
COMMENT ON FUNCTION exedra.list_invites() IS 'The invites of the transaction''s tenant, with the ends of their codes.';

CREATE OR REPLACE FUNCTION exedra.disable_invite(invite bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    its_hint text;
BEGIN
    UPDATE exedra.invite i SET disabled_at = coalesce(i.disabled_at, now()), changed_at = now()
     WHERE i.tenant_id = exedra.tenant_id() AND i.id = invite RETURNING i.hint INTO its_hint;
    IF its_hint IS NOT NULL THEN
        PERFORM exedra.note_event('invite.disable', invite, '...' || its_hint);
    END IF;
    RETURN its_hint IS NOT NULL;
END $$;
COMMENT ON FUNCTION exedra.disable_invite(bigint) IS 'Shut an invite of the transaction''s tenant; false when there is none.';

CREATE OR REPLACE FUNCTION exedra.claim_invite(hash bytea, username text, password text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i exedra.invite;
    newcomer bigint;
BEGIN
    -- The row is locked: of many who bring the same code, one is let in.
    SELECT v.* INTO i FROM exedra.invite v JOIN exedra.tenant t ON t.id = v.tenant_id AND t.suspended_at IS NULL
     WHERE v.hash = claim_invite.hash FOR UPDATE OF v;
    IF NOT FOUND OR exedra.invite_status(i) <> 'pending' THEN
        RETURN 'unknown';
    ELSIF username IS NULL THEN
        RETURN 'pending';
    END IF;
    PERFORM exedra.work_for(i.tenant_id, NULL, 30);
    INSERT INTO exedra.account (tenant_id, username, password) VALUES (i.tenant_id, claim_invite.username, claim_invite.password)
        ON CONFLICT ON CONSTRAINT account_tenant_id_username_key DO NOTHING RETURNING id INTO newcomer;
    IF newcomer IS NULL THEN
        RETURN 'taken';
    END IF;
    INSERT INTO exedra.workspace_account (tenant_id, workspace_id, account_id)
    SELECT w.tenant_id, w.id, newcomer FROM exedra.workspace w WHERE w.tenant_id = i.tenant_id AND w.id = ANY (i.workspace_ids);
    UPDATE exedra.invite v SET claimed_by = newcomer, changed_at = now() WHERE v.hash = claim_invite.hash;
    PERFORM set_config('exedra.account_id', newcomer::text, true);
    PERFORM exedra.note_event('invite.claim', i.id, '...' || i.hint);
    RETURN 'done';
END $$;
COMMENT ON FUNCTION exedra.claim_invite(bytea, text, text) IS 'Make an account by an invite (or, without a name, only look): done, pending, taken, unknown.';
