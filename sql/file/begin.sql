-- A file, before its bytes.  $1 text: its name; $2 text: content type as the client says, or NULL;
-- $3 json: what the client says of it; $4 bigint: its size; $5 text: its state.  Returns id and uuid: one row.
INSERT INTO exedra.file (tenant_id, account_id, name, content_type, meta, size, state)
VALUES (exedra.tenant_id(), exedra.account_id(), $1::text, $2::text, $3::json, $4::bigint, $5::text::exedra.file_state) RETURNING id, uuid;
