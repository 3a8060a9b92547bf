-- End the chats and jobs that CGI processes have left.  $1 int: begun more than so many seconds ago.  Returns how many chats.  Run
-- without a tenant.
SELECT exedra.sweep_chats($1::int) AS n;
