-- Returns what the tenant has sealed: kind, name, what it is bound to, hexadecimal.
SELECT kind, name, belongs_to, sealed FROM exedra.sealed_secrets();
