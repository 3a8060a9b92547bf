-- $1 text: tenant; $2 text: setting; $3 text: value.
SELECT exedra.set_setting($1::text, $2::text, $3::text);
