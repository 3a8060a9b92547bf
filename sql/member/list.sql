-- Who is let into a workspace.  $1 bigint: its id.  Returns one row: a JSON array.  Index: workspace_account_workspace.
SELECT exedra.json_members($1::bigint);
