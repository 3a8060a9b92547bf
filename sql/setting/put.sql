-- Set settings of the tenant.  $1 jsonb: values by name, null takes one back.  Returns nothing; raises EX422.  Index: setting_pkey.
-- Notes an event.
SELECT exedra.put_settings($1::jsonb);
