-- $1 text: tenant; $2 text: setting.
SELECT exedra.set_setting($1::text, $2::text, NULL);
