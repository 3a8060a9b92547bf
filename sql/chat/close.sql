-- Store what became of an open chat and charge it.  $1 bigint: tenant; $2 bigint: chat; $3 uuid: ticket; $4 text: state;
-- $5 boolean: include; $6 text: answer or NULL; $7 json: sources; $8 json: metrics; $9 text: reason of a failure or NULL;
-- $10 text: provider, or NULL when nothing is charged; $11 text: model; $12 bigint: tokens of the prompt; $13 bigint: of the
-- answer; $14 boolean: estimated.  Begins its transaction itself.  Raises EX410.
-- Shares its transaction.
SELECT exedra.close_chat($1::bigint, $2::bigint, $3::uuid, $4::text, $5::boolean, $6::text, $7::json, $8::json, $9::text, $10::text,
                         $11::text, $12::bigint, $13::bigint, $14::boolean);
