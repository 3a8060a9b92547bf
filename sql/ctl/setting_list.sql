-- $1 text: tenant.  Returns name, value, whether it was set, description of each setting; a value is one line: a line's end, a tab and a
-- backslash in it are written as in C.
SELECT name, replace(replace(replace(replace(value, chr(92), chr(92) || chr(92)), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r'), chr(9), chr(92) || 't'),
       is_set, description
  FROM exedra.list_settings($1::text);
