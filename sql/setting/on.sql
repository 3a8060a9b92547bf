-- Is a switch of the tenant on?  $1 text: its name.  One row.  Index: setting_pkey.
SELECT exedra.setting_on($1::text) AS is_on;
