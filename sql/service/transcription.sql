-- Who transcribes the tenant's recordings.  $1 text, $2 text: the server's provider and model.
-- One row: an exedra.service_setup.  Index: setting_pkey.
SELECT s.* FROM exedra.choose_service('transcription', $1::text, $2::text) s;
