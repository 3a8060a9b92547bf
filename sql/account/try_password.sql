-- The caller is about to show the account's old password.  Returns one row: whether there are tries left.
-- Notes an event.
SELECT exedra.try_password() AS may;
