-- The end of the caller's own key, or NULL.  Index: credential_tenant.
SELECT exedra.own_key() AS hint;
