-- $1 text: tenant; $2 text: username; $3 text: workspace's slug.
SELECT exedra.grant_workspace($1::text, $2::text, $3::text);
