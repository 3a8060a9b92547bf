-- The first schema.  Two kinds of table live here.
--
-- Directory tables say which tenant a credential belongs to and hold no content.  They have no row-level
-- security; the runtime role has no right on them and reads them through SECURITY DEFINER functions only.
-- Tenant tables hold everything else: tenant_id leads every key, row-level security is enabled and forced
-- (sql/function/90-policy.sql).  Released files are never edited: a change is a new number, and additive.

-- ---------------------------------------------------------------- directory

CREATE TABLE exedra.schema_version (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    version         integer NOT NULL,
    oldest_program  integer NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE exedra.schema_version IS 'One row: the version of this schema, which a program must match.';
COMMENT ON COLUMN exedra.schema_version.version IS 'Number of the last file of sql/schema that was applied.';
COMMENT ON COLUMN exedra.schema_version.oldest_program IS 'Oldest schema version a running program may have been built for.';

CREATE TABLE exedra.server_embedder (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    provider    text,
    model       text,
    asked       integer,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE exedra.server_embedder IS 'One row: the embedder that the workers'' settings named last; when they name another one, tenants are looked through.';

CREATE TABLE exedra.tenant (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text COLLATE "C" NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    created_at    timestamptz NOT NULL DEFAULT now(),
    suspended_at  timestamptz,
    limited       boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE exedra.tenant IS 'Who shares nothing with anybody else: what one installation of the original is.';
COMMENT ON COLUMN exedra.tenant.name IS 'The name an administrator uses, and EXEDRA_TENANT in the web server.';
COMMENT ON COLUMN exedra.tenant.suspended_at IS 'Since when all of its credentials are shut; NULL = open.';
COMMENT ON COLUMN exedra.tenant.limited IS 'Whether it, an account or a key of it has limits; where not, nothing is counted.';

CREATE TABLE exedra.credential (
    hash          bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    id            bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id     bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    account_id    bigint,
    role          smallint NOT NULL CHECK (role IN (10, 20, 30)),
    kind          text NOT NULL DEFAULT 'key' CHECK (kind IN ('key', 'session')),
    label         text NOT NULL DEFAULT '',
    hint          text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    suspended_at  timestamptz,
    account_suspended_at  timestamptz,
    read_only     boolean NOT NULL DEFAULT false,
    groups        text[] CHECK ('open' = ANY (groups)),
    workspace_ids bigint[],
    addresses     cidr[],
    used_at       timestamptz,
    UNIQUE (tenant_id, id)
);
CREATE INDEX credential_tenant ON exedra.credential (tenant_id, account_id);
COMMENT ON COLUMN exedra.credential.kind IS 'key, or the session of an account that has signed in.';
COMMENT ON TABLE exedra.credential IS 'API keys and sessions, by the sha256 of their text; the text itself is shown once and kept nowhere.';
COMMENT ON COLUMN exedra.credential.account_id IS 'Whose key it is; NULL = the tenant''s own, which acts as its administrator.';
COMMENT ON COLUMN exedra.credential.role IS '10 default, 20 manager, 30 admin: the account''s role, or 30.';
COMMENT ON COLUMN exedra.credential.account_suspended_at IS 'Copy of account.suspended_at, so that one row tells whether a key is good.';
COMMENT ON COLUMN exedra.credential.hint IS 'The last four characters of the key, to tell keys apart in a list.';
COMMENT ON COLUMN exedra.credential.read_only IS 'Only for routes that write nothing.';
COMMENT ON COLUMN exedra.credential.groups IS 'Only for the routes of these groups, of which open is always one; NULL = of all.';
COMMENT ON COLUMN exedra.credential.workspace_ids IS 'Only these workspaces, and what is in them, exist for it; NULL = all that its account sees.';
COMMENT ON COLUMN exedra.credential.addresses IS 'Only from there, by the address that the web server says the client has; NULL = from everywhere.';
COMMENT ON COLUMN exedra.credential.used_at IS 'When it was last used, to about a minute; NULL = never.';

CREATE TYPE exedra.job_state AS ENUM ('waiting', 'running', 'failed');

CREATE TABLE exedra.job (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    kind        text NOT NULL,
    subject_id  bigint NOT NULL,
    state       exedra.job_state NOT NULL DEFAULT 'waiting',
    tries       integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now(),
    place       bigint NOT NULL,
    worker      text,
    ticket      uuid,
    reason      text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, kind, subject_id)
);
CREATE INDEX job_place ON exedra.job (place, id) WHERE state = 'waiting';
CREATE INDEX job_last ON exedra.job (tenant_id, place) WHERE state = 'waiting';
CREATE INDEX job_worker ON exedra.job (worker) WHERE state = 'running';
-- Where the line is: the place of the job that was begun last.
CREATE SEQUENCE exedra.job_front;
COMMENT ON TABLE exedra.job IS 'Work that outlasts the request that asked for it; done, its row goes.';
COMMENT ON COLUMN exedra.job.kind IS 'read_file: read a file and store what is in it; embed_version: make the vectors of a text; embed_check: look for texts that want them; merge_words: put small segments of words together.';
COMMENT ON COLUMN exedra.job.subject_id IS 'The file, version or segment that it is about; of embed_check the version after which to look.';
COMMENT ON COLUMN exedra.job.due_at IS 'Not before then: a job that failed is tried again later.';
COMMENT ON COLUMN exedra.job.place IS 'Its place in the line, behind its tenant''s own: tenants with many jobs and tenants with few take turns.';
COMMENT ON COLUMN exedra.job.ticket IS 'Proof with which the worker that took the job works for its tenant.';
COMMENT ON COLUMN exedra.job.worker IS 'Which worker has taken it, as node/pool/uuid; when it dies the job waits again.';

CREATE TABLE exedra.invite (
    hash           bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    id             bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id      bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    hint           text NOT NULL,
    workspace_ids  bigint[] NOT NULL DEFAULT '{}',
    created_by     bigint,
    claimed_by     bigint,
    disabled_at    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    changed_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);
CREATE INDEX invite_tenant ON exedra.invite (tenant_id, id);
COMMENT ON TABLE exedra.invite IS 'Codes with which somebody makes themselves an account, once.';
COMMENT ON COLUMN exedra.invite.hash IS 'sha256 of the code, which is shown when it is made and kept nowhere.';
COMMENT ON COLUMN exedra.invite.hint IS 'The code''s last group, to tell invites apart in a list.';
COMMENT ON COLUMN exedra.invite.workspace_ids IS 'Which workspaces the new account is let into.';

CREATE TABLE exedra.embed_address (
    uuid       text COLLATE "C" PRIMARY KEY,
    tenant_id  bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    embed_id   bigint NOT NULL
);
CREATE INDEX embed_address_embed ON exedra.embed_address (tenant_id, embed_id);
COMMENT ON TABLE exedra.embed_address IS 'Whose embed an address is: visitors of a web page know nothing else.';
COMMENT ON COLUMN exedra.embed_address.uuid IS 'Copy of embed.uuid.';

CREATE TABLE exedra.sign_in (
    subject   bytea PRIMARY KEY,
    began_at  timestamptz NOT NULL DEFAULT now(),
    n         integer NOT NULL DEFAULT 1
);
CREATE INDEX sign_in_began ON exedra.sign_in (began_at);
COMMENT ON TABLE exedra.sign_in IS 'How often somebody has lately tried to sign in under a name; old rows are used again or deleted.';
COMMENT ON COLUMN exedra.sign_in.subject IS 'sha256 of tenant and name: also of names that there are not.';

-- ---------------------------------------------------------------- people and settings

CREATE TABLE exedra.account (
    tenant_id     bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    username      text COLLATE "C" NOT NULL CHECK (username <> ''),
    role          smallint NOT NULL DEFAULT 10 CHECK (role IN (10, 20, 30)),
    bio           text NOT NULL DEFAULT '',
    password      text,
    daily_limit   integer CHECK (daily_limit > 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    suspended_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, username)
);
COMMENT ON TABLE exedra.account IS 'A person of a tenant.';
COMMENT ON COLUMN exedra.account.role IS '10 default, 20 manager, 30 admin.';
COMMENT ON COLUMN exedra.account.password IS 'Hashed: argon2id, or bcrypt where it was brought from elsewhere; NULL = nobody can sign in by one.';
COMMENT ON COLUMN exedra.account.daily_limit IS 'Questions a day; NULL = as many as they like.';

ALTER TABLE exedra.credential ADD FOREIGN KEY (tenant_id, account_id) REFERENCES exedra.account ON DELETE CASCADE;

CREATE TABLE exedra.sign_in_token (
    hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    account_id  bigint NOT NULL,
    expires_at  timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, account_id) REFERENCES exedra.account ON DELETE CASCADE
);
CREATE INDEX sign_in_token_account ON exedra.sign_in_token (tenant_id, account_id);
COMMENT ON TABLE exedra.sign_in_token IS 'Directory: tokens with which an administrator lets somebody sign in, once and soon; used, a row goes.';
COMMENT ON COLUMN exedra.sign_in_token.hash IS 'sha256 of the token, which is shown when it is made and kept nowhere.';

CREATE TABLE exedra.setting (
    tenant_id  bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    name       text COLLATE "C" NOT NULL,
    value      text NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE exedra.setting IS 'What a tenant has set otherwise than the default; exedra.known_settings() lists the names.';

CREATE TABLE exedra.quota (
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    subject     text COLLATE "C" NOT NULL CHECK (subject IN ('tenant', 'account', 'key')),
    subject_id  bigint NOT NULL,
    kind        text COLLATE "C" NOT NULL CHECK (kind IN ('requests_minute', 'chats_day', 'tokens_day', 'tokens_month')),
    most        bigint NOT NULL CHECK (most >= 0),
    PRIMARY KEY (tenant_id, subject, subject_id, kind)
);
COMMENT ON TABLE exedra.quota IS 'Limits: how much a tenant, an account or a key may ask of models in a minute, day or month (UTC).';
COMMENT ON COLUMN exedra.quota.subject_id IS 'The account or the key; 0 for the tenant.';

CREATE TABLE exedra.quota_used (
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    subject     text COLLATE "C" NOT NULL,
    subject_id  bigint NOT NULL,
    span        text COLLATE "C" NOT NULL,
    since       timestamptz NOT NULL,
    n           bigint NOT NULL,
    tokens      bigint NOT NULL,
    held        bigint NOT NULL,
    PRIMARY KEY (tenant_id, subject, subject_id, span)
)
WITH (fillfactor = 50);
COMMENT ON TABLE exedra.quota_used IS 'How much of its limits somebody has used; only of who has some.  Written with commits that nobody waits for.';
COMMENT ON COLUMN exedra.quota_used.span IS 'minute, day or month; since: when the one that is counted began.  The next one begins with nothing.';
COMMENT ON COLUMN exedra.quota_used.n IS 'Requests that ask a model, with those under way.';
COMMENT ON COLUMN exedra.quota_used.held IS 'Tokens set aside for requests under way; tokens: used by those that have ended.';

CREATE TABLE exedra.quota_hold (
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    ticket      uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    account_id  bigint,
    key_id      bigint,
    tokens      bigint NOT NULL,
    PRIMARY KEY (tenant_id, ticket)
);
COMMENT ON TABLE exedra.quota_hold IS 'What a request under way has taken of limits: given back or made exact when it ends.';
COMMENT ON COLUMN exedra.quota_hold.ticket IS 'The chat''s ticket; of vectors one of their own.';

CREATE TABLE exedra.provider (
    tenant_id       bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    name            text COLLATE "C" NOT NULL CHECK (name <> ''),
    kind            text NOT NULL CHECK (kind IN ('openai', 'ollama')),
    url             text NOT NULL,
    sealed_key      bytea,
    model           text,
    context_tokens  integer NOT NULL DEFAULT 8192 CHECK (context_tokens >= 512),
    preferred       boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
CREATE UNIQUE INDEX provider_preferred ON exedra.provider (tenant_id) WHERE preferred;
COMMENT ON TABLE exedra.provider IS 'Models of a tenant''s own, behind an API it has an account with.';
COMMENT ON COLUMN exedra.provider.kind IS 'How it is spoken to; ollama: as openai, but for embeddings.';
COMMENT ON COLUMN exedra.provider.name IS 'What a workspace''s chatProvider says.';
COMMENT ON COLUMN exedra.provider.sealed_key IS 'Its API key, sealed with the key file that lies outside the database; bound to tenant, name and url.';
COMMENT ON COLUMN exedra.provider.preferred IS 'Serves the workspaces that name no provider.';

-- ---------------------------------------------------------------- workspaces and documents

CREATE TABLE exedra.workspace (
    tenant_id             bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id                    bigint GENERATED ALWAYS AS IDENTITY,
    name                  text NOT NULL,
    description           text NOT NULL DEFAULT '',
    slug                  text COLLATE "C" NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    changed_at            timestamptz NOT NULL DEFAULT now(),
    temperature           double precision,
    history_length        integer NOT NULL DEFAULT 20,
    prompt                text,
    similarity_threshold  double precision NOT NULL DEFAULT 0.25,
    chat_provider         text,
    chat_model            text,
    top_n                 integer NOT NULL DEFAULT 4,
    chat_mode             text NOT NULL DEFAULT 'automatic' CHECK (chat_mode IN ('chat', 'query', 'automatic')),
    agent_provider        text,
    agent_model           text,
    refusal               text,
    vector_search_mode    text NOT NULL DEFAULT 'default' CHECK (vector_search_mode IN ('default', 'rerank')),
    router_id             integer,
    embedding_provider    text COLLATE "C",
    embedding_model       text COLLATE "C",
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);
COMMENT ON TABLE exedra.workspace IS 'A room with its own prompt, documents and conversations.';
COMMENT ON COLUMN exedra.workspace.description IS 'What it is for, where it is shown as a collection of files.';
COMMENT ON COLUMN exedra.workspace.slug IS 'Its name in URLs: made from the first name, never changed.';
COMMENT ON COLUMN exedra.workspace.history_length IS 'Earlier exchanges that a model is shown; 0 counts as 20.';
COMMENT ON COLUMN exedra.workspace.prompt IS 'System prompt; variables in braces are filled in for each question.';
COMMENT ON COLUMN exedra.workspace.embedding_provider IS 'Who makes the vectors of its documents; none: nobody; NULL: whom the tenant or the server names.';
COMMENT ON COLUMN exedra.workspace.refusal IS 'What query mode answers when nothing is found; NULL = a fixed sentence.';

CREATE TABLE exedra.workspace_account (
    tenant_id     bigint NOT NULL,
    workspace_id  bigint NOT NULL,
    account_id    bigint NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, account_id, workspace_id),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES exedra.workspace ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, account_id) REFERENCES exedra.account ON DELETE CASCADE
);
CREATE INDEX workspace_account_workspace ON exedra.workspace_account (tenant_id, workspace_id);
COMMENT ON TABLE exedra.workspace_account IS 'Which workspaces an account with the role default sees.';

CREATE TABLE exedra.thread (
    tenant_id     bigint NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    workspace_id  bigint NOT NULL,
    account_id    bigint,
    slug          text COLLATE "C" NOT NULL,
    name          text NOT NULL DEFAULT 'Thread',
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES exedra.workspace ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, account_id) REFERENCES exedra.account ON DELETE CASCADE
);
CREATE INDEX thread_workspace ON exedra.thread (tenant_id, workspace_id, id);
CREATE INDEX thread_account ON exedra.thread (tenant_id, account_id) WHERE account_id IS NOT NULL;
COMMENT ON TABLE exedra.thread IS 'A conversation of its own inside a workspace.';

CREATE TABLE exedra.folder (
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    name        text COLLATE "C" NOT NULL CHECK (name <> ''),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE exedra.folder IS 'Where documents lie: a label, one level deep; custom-documents is made with the first document.';

CREATE TYPE exedra.file_state AS ENUM ('receiving', 'stored', 'pending', 'done', 'failed');

CREATE TABLE exedra.file (
    tenant_id     bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    uuid          uuid NOT NULL DEFAULT gen_random_uuid(),
    account_id    bigint,
    key_id        bigint DEFAULT abs(nullif(current_setting('exedra.key', true), '')::bigint),
    name          text NOT NULL,
    content_type  text,
    size          bigint NOT NULL DEFAULT 0,
    sha256        bytea CHECK (octet_length(sha256) = 32),
    state         exedra.file_state NOT NULL DEFAULT 'receiving',
    reason        text,
    meta          json NOT NULL DEFAULT '{}',
    n_documents   integer,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, uuid),
    FOREIGN KEY (tenant_id, account_id) REFERENCES exedra.account ON DELETE CASCADE
);
CREATE INDEX file_hash ON exedra.file (tenant_id, sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX file_receiving ON exedra.file (tenant_id) WHERE state = 'receiving';
CREATE INDEX file_account ON exedra.file (tenant_id, account_id) WHERE account_id IS NOT NULL;
COMMENT ON TABLE exedra.file IS 'What was handed in: an upload, a page, a text.  Documents are what was read in it.';
COMMENT ON COLUMN exedra.file.key_id IS 'By which key it was handed in: a key that is limited to workspaces sees it before it is in one.';
COMMENT ON COLUMN exedra.file.state IS 'receiving: its bytes are still coming, nobody sees it; stored: nobody has asked for it to be read; pending: to be read; done: its documents are there; failed: see reason.';
COMMENT ON COLUMN exedra.file.reason IS 'Why it could not be read, in a sentence for people.';
COMMENT ON COLUMN exedra.file.sha256 IS 'Of its bytes: the same file handed in again is not read again.';
COMMENT ON COLUMN exedra.file.meta IS 'What the client said of it, kept as it came.';
COMMENT ON COLUMN exedra.file.n_documents IS 'How many documents were read in it; some may have been deleted since.';

CREATE TABLE exedra.file_part (
    tenant_id  bigint NOT NULL,
    file_id    bigint NOT NULL,
    no         integer NOT NULL,
    bytes      bytea NOT NULL,
    PRIMARY KEY (tenant_id, file_id, no),
    FOREIGN KEY (tenant_id, file_id) REFERENCES exedra.file ON DELETE CASCADE
);
ALTER TABLE exedra.file_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE exedra.file_part IS 'The bytes of a file in parts of at most 256 kB, to be joined in order; a text or a page has none.';

CREATE TABLE exedra.document_version (
    tenant_id    bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    language     text NOT NULL DEFAULT 'simple',
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    n_chunks     integer,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX document_version_unfinished ON exedra.document_version (tenant_id) WHERE n_chunks IS NULL;
COMMENT ON TABLE exedra.document_version IS 'One writing of a text: its parts, passages, words and vectors.  Nobody sees it before a document points to it; documents with the same content share it; it goes with the last of them.';
COMMENT ON COLUMN exedra.document_version.language IS 'Text search configuration its words were made with.';
COMMENT ON COLUMN exedra.document_version.sha256 IS 'Of its text.';
COMMENT ON COLUMN exedra.document_version.n_chunks IS 'How many passages; NULL while it is being written.';

CREATE TABLE exedra.document (
    tenant_id       bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    uuid            uuid NOT NULL,
    file_id         bigint NOT NULL,
    external_id     text COLLATE "C",
    folder          text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    version_id      bigint NOT NULL,
    title           text NOT NULL,
    url             text NOT NULL,
    author          text NOT NULL,
    description     text NOT NULL,
    source          text NOT NULL,
    chunk_source    text NOT NULL,
    published       text NOT NULL,
    word_count      bigint NOT NULL,
    token_estimate  bigint NOT NULL,
    key_id          bigint DEFAULT abs(nullif(current_setting('exedra.key', true), '')::bigint),
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, folder, name),
    UNIQUE (tenant_id, external_id),
    FOREIGN KEY (tenant_id, folder) REFERENCES exedra.folder ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, file_id) REFERENCES exedra.file ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, version_id) REFERENCES exedra.document_version
);
CREATE INDEX document_name ON exedra.document (tenant_id, name);
CREATE INDEX document_file ON exedra.document (tenant_id, file_id);
CREATE INDEX document_version_used ON exedra.document (tenant_id, version_id);
COMMENT ON TABLE exedra.document IS 'A stored text, in a folder, for any number of workspaces.';
COMMENT ON COLUMN exedra.document.name IS 'File name as clients know it: <stem>-<uuid>.json; with the folder it is the location.';
COMMENT ON COLUMN exedra.document.key_id IS 'As file.key_id.';
COMMENT ON COLUMN exedra.document.external_id IS 'What the client calls it; a text handed in under the same one again replaces it.';
COMMENT ON COLUMN exedra.document.version_id IS 'The writing that is seen; another one takes its place in one transaction.';

CREATE TABLE exedra.document_text (
    tenant_id   bigint NOT NULL,
    version_id  bigint NOT NULL,
    no          integer NOT NULL,
    text        text NOT NULL,
    PRIMARY KEY (tenant_id, version_id, no),
    FOREIGN KEY (tenant_id, version_id) REFERENCES exedra.document_version ON DELETE CASCADE
);
-- Not compressed: that would take a quarter of the time in which a text is stored.
ALTER TABLE exedra.document_text ALTER COLUMN text SET STORAGE EXTERNAL;
COMMENT ON TABLE exedra.document_text IS 'The whole text of a version in parts of at most 256 kB, to be joined in order.';

CREATE TABLE exedra.chunk (
    tenant_id   bigint NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    version_id  bigint NOT NULL,
    no          integer NOT NULL,
    uuid        uuid NOT NULL DEFAULT gen_random_uuid(),
    text        text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, version_id, no),
    FOREIGN KEY (tenant_id, version_id) REFERENCES exedra.document_version ON DELETE CASCADE
);
COMMENT ON TABLE exedra.chunk IS 'A passage: the unit that is found, shown to a model and cited.';
COMMENT ON COLUMN exedra.chunk.uuid IS 'What clients see as the id of a source.';
COMMENT ON COLUMN exedra.chunk.no IS 'Its place in the version, from 0.';

CREATE TABLE exedra.segment (
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    language    text NOT NULL,
    n_chunks    integer NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX segment_size ON exedra.segment (tenant_id, language, n_chunks);
COMMENT ON TABLE exedra.segment IS 'The words of some passages: of a part of a text, of one, or of many small ones whose segments were merged.';
COMMENT ON COLUMN exedra.segment.language IS 'Text search configuration its words were made with.';
COMMENT ON COLUMN exedra.segment.n_chunks IS 'How many passages, with those that are gone since.';

CREATE TABLE exedra.segment_part (
    tenant_id   bigint NOT NULL,
    version_id  bigint NOT NULL,
    no          integer NOT NULL,
    segment_id  bigint NOT NULL,
    first       integer NOT NULL,
    n_buckets   integer NOT NULL,
    language    text NOT NULL,
    lengths     bytea NOT NULL,
    PRIMARY KEY (tenant_id, version_id, no),
    FOREIGN KEY (tenant_id, version_id) REFERENCES exedra.document_version ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, segment_id) REFERENCES exedra.segment ON DELETE CASCADE
);
ALTER TABLE exedra.segment_part ALTER COLUMN lengths SET STORAGE EXTERNAL;
CREATE INDEX segment_part_segment ON exedra.segment_part (tenant_id, segment_id);
COMMENT ON TABLE exedra.segment_part IS 'Which passages a segment has: so many of a version, from number `no` on, are its passages from number `first` on.';
COMMENT ON COLUMN exedra.segment_part.n_buckets IS 'Of the segment, as the language is, so that a search finds all in one row.';
COMMENT ON COLUMN exedra.segment_part.lengths IS 'How many words each passage has: two bytes each, the higher first.';

CREATE TABLE exedra.word (
    tenant_id   bigint NOT NULL,
    segment_id  bigint NOT NULL,
    bucket      integer NOT NULL,
    lexemes     bytea NOT NULL,
    PRIMARY KEY (tenant_id, segment_id, bucket),
    FOREIGN KEY (tenant_id, segment_id) REFERENCES exedra.segment ON DELETE CASCADE
);
ALTER TABLE exedra.word ALTER COLUMN lexemes SET STORAGE EXTERNAL;
COMMENT ON TABLE exedra.word IS 'The words of a segment, spread over buckets by a hash, a power of two.';
COMMENT ON COLUMN exedra.word.lexemes IS 'Lexemes, each with the passages that have it and how often: as core/postings.h says.';

CREATE TABLE exedra.workspace_file (
    tenant_id     bigint NOT NULL,
    workspace_id  bigint NOT NULL,
    file_id       bigint NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, file_id, workspace_id),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES exedra.workspace ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, file_id) REFERENCES exedra.file ON DELETE CASCADE
);
CREATE INDEX workspace_file_workspace ON exedra.workspace_file (tenant_id, workspace_id);
COMMENT ON TABLE exedra.workspace_file IS 'Files that are still to be read, and the workspaces that wait for their documents.';

CREATE TABLE exedra.embedder (
    tenant_id   bigint NOT NULL REFERENCES exedra.tenant ON DELETE CASCADE,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    provider    text COLLATE "C" NOT NULL,
    model       text COLLATE "C" NOT NULL,
    asked       integer NOT NULL DEFAULT 0,
    dimension   integer,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, provider, model, asked)
);
COMMENT ON TABLE exedra.embedder IS 'A model that turns passages into vectors; vectors of two are never compared.';
COMMENT ON COLUMN exedra.embedder.asked IS 'The dimension that it is asked for; 0 = the model''s own.';
COMMENT ON COLUMN exedra.embedder.dimension IS 'Of its vectors; NULL before the first one.';

CREATE TABLE exedra.embedding (
    tenant_id    bigint NOT NULL,
    embedder_id  bigint NOT NULL,
    version_id   bigint NOT NULL,
    chunk_id     bigint NOT NULL,
    code         bit varying NOT NULL,
    vector       bytea NOT NULL,
    PRIMARY KEY (tenant_id, version_id, embedder_id, chunk_id),
    FOREIGN KEY (tenant_id, embedder_id) REFERENCES exedra.embedder ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, version_id) REFERENCES exedra.document_version ON DELETE CASCADE
);
-- A vector of up to 1,900 dimensions stays in its row, where it is read three times as fast as elsewhere (1.2 against 3.9 ms for 400
-- of 768 dimensions).  What is scanned for a shortlist are the codes, which have a table of their own.
ALTER TABLE exedra.embedding ALTER COLUMN vector SET STORAGE EXTERNAL, SET (toast_tuple_target = 8160);
COMMENT ON TABLE exedra.embedding IS 'The vector of a passage.';
COMMENT ON COLUMN exedra.embedding.code IS 'A bit a dimension, 1 where it is positive: the distance of two codes makes the shortlist.';
COMMENT ON COLUMN exedra.embedding.vector IS 'float32, little-endian, of length 1.';

CREATE TABLE exedra.embedded (
    tenant_id    bigint NOT NULL,
    version_id   bigint NOT NULL,
    embedder_id  bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, version_id, embedder_id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES exedra.document_version ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, embedder_id) REFERENCES exedra.embedder ON DELETE CASCADE
);
COMMENT ON TABLE exedra.embedded IS 'Which versions have all their vectors by an embedder: only those are searched by it.';

CREATE TABLE exedra.embedding_code (
    tenant_id    bigint NOT NULL,
    embedder_id  bigint NOT NULL,
    version_id   bigint NOT NULL,
    no           integer NOT NULL,
    codes        bytea NOT NULL,
    PRIMARY KEY (tenant_id, embedder_id, version_id, no),
    FOREIGN KEY (tenant_id, version_id, embedder_id) REFERENCES exedra.embedded ON DELETE CASCADE
);
ALTER TABLE exedra.embedding_code ALTER COLUMN codes SET STORAGE EXTERNAL;
COMMENT ON TABLE exedra.embedding_code IS 'The codes of a version that has all its vectors by an embedder, side by side, as a search reads them.';
COMMENT ON COLUMN exedra.embedding_code.no IS 'Which passage the first of them is of; the others are of those behind it.';

CREATE TABLE exedra.workspace_document (
    tenant_id     bigint NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    workspace_id  bigint NOT NULL,
    document_id   bigint NOT NULL,
    uuid          uuid NOT NULL DEFAULT gen_random_uuid(),
    pinned        boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, workspace_id, document_id),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES exedra.workspace ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, document_id) REFERENCES exedra.document ON DELETE CASCADE
);
CREATE INDEX workspace_document_document ON exedra.workspace_document (tenant_id, document_id);
COMMENT ON TABLE exedra.workspace_document IS 'Which documents a workspace answers from.';
COMMENT ON COLUMN exedra.workspace_document.uuid IS 'docId in AnythingLLM''s API: not the document''s own id.';

-- ---------------------------------------------------------------- chats

CREATE TABLE exedra.embed (
    tenant_id          bigint NOT NULL,
    id                 bigint GENERATED ALWAYS AS IDENTITY,
    uuid               text COLLATE "C" NOT NULL,
    workspace_id       bigint NOT NULL,
    enabled            boolean NOT NULL DEFAULT true,
    chat_mode          text NOT NULL DEFAULT 'query' CHECK (chat_mode IN ('chat', 'query')),
    origins            text[],
    takes_model        boolean NOT NULL DEFAULT false,
    takes_temperature  boolean NOT NULL DEFAULT false,
    takes_prompt       boolean NOT NULL DEFAULT false,
    daily_limit        integer CHECK (daily_limit > 0),
    session_limit      integer CHECK (session_limit > 0),
    history_length     integer CHECK (history_length > 0),
    created_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, uuid),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES exedra.workspace ON DELETE CASCADE
);
CREATE INDEX embed_workspace ON exedra.embed (tenant_id, workspace_id);
ALTER TABLE exedra.embed_address ADD FOREIGN KEY (tenant_id, embed_id) REFERENCES exedra.embed ON DELETE CASCADE;
COMMENT ON TABLE exedra.embed IS 'A chat with a workspace that stands in web pages, for visitors without a key.';
COMMENT ON COLUMN exedra.embed.uuid IS 'Its address, which the pages name.';
COMMENT ON COLUMN exedra.embed.origins IS 'Web origins whose pages may use it; NULL: none, unless the setting widget.open says otherwise; empty: none.';
COMMENT ON COLUMN exedra.embed.takes_model IS 'Whether a page may name another model; takes_temperature, takes_prompt: likewise.';
COMMENT ON COLUMN exedra.embed.daily_limit IS 'Questions in 24 hours; session_limit: of one visitor; NULL: as many as come.';
COMMENT ON COLUMN exedra.embed.history_length IS 'Earlier exchanges that a model is shown; NULL counts as 20.';

CREATE SEQUENCE exedra.chat_recency INCREMENT -1;

CREATE TYPE exedra.chat_state AS ENUM ('open', 'done', 'stopped', 'failed');

CREATE TABLE exedra.chat (
    tenant_id       bigint NOT NULL,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    recency         bigint NOT NULL DEFAULT nextval('exedra.chat_recency'),
    workspace_id    bigint,
    thread_id       bigint,
    api_session_id  text COLLATE "C",
    account_id      bigint,
    embed_id        bigint,
    conversation    text COLLATE "C" NOT NULL DEFAULT '',
    origin          text NOT NULL,
    state           exedra.chat_state NOT NULL DEFAULT 'open',
    include         boolean NOT NULL DEFAULT true,
    mode            text NOT NULL,
    prompt          text NOT NULL,
    attachments     json NOT NULL DEFAULT '[]',
    answer          text,
    sources         json NOT NULL DEFAULT '[]',
    metrics         json NOT NULL DEFAULT '{}',
    reason          text,
    feedback        boolean,
    visitor         text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES exedra.workspace ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, thread_id) REFERENCES exedra.thread ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, account_id) REFERENCES exedra.account ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, embed_id) REFERENCES exedra.embed ON DELETE CASCADE
)
-- That its tenant exists follows from its workspace; where it has none triggers look (sql/function/50-chat.sql): each foreign key that is
-- looked after takes a twentieth of a chat's time in the database.
-- A chat is written twice: with its question, with its answer.  No index holds a column that the second writing changes,
-- and pages keep room for it, so that the indexes are not touched again (HOT).  No CHECK and no index over an expression here or in
-- exedra.usage: each would be read and planned anew for every row, which takes a tenth of a chat's time in the database; types
-- say what may stand there.
WITH (fillfactor = 50);
-- A history is the partition (workspace, conversation, account); a coalesce() in the index would not be leakproof, and so of
-- no use under row-level security.  Newest first is the order of `recency`, which no other index has: the primary key is then no
-- choice, not even for a plan that was made while the table was empty.
CREATE INDEX chat_partition ON exedra.chat
    (tenant_id, workspace_id, conversation, recency);
CREATE INDEX chat_account ON exedra.chat
    (tenant_id, account_id, workspace_id, conversation, recency)
    WHERE account_id IS NOT NULL;
CREATE INDEX chat_embed ON exedra.chat (tenant_id, embed_id, created_at) WHERE embed_id IS NOT NULL;
CREATE INDEX chat_thread ON exedra.chat (tenant_id, thread_id) WHERE thread_id IS NOT NULL;
-- Last: of two indexes that seem equally good for a table that is still empty, the planner takes the younger.
ALTER TABLE exedra.chat ADD PRIMARY KEY (tenant_id, id);
COMMENT ON TABLE exedra.chat IS 'A question and what became of it.';
COMMENT ON COLUMN exedra.chat.recency IS 'Falls with every chat: histories are read newest first, by an index of their own.';
COMMENT ON COLUMN exedra.chat.workspace_id IS 'NULL: passed through to a model without a workspace.';
COMMENT ON COLUMN exedra.chat.api_session_id IS 'sessionId of AnythingLLM''s API: a partition of the history.';
COMMENT ON COLUMN exedra.chat.conversation IS 'Which conversation of the workspace: empty = the main one, t and a thread''s id, s and a session, e and an embed''s id before its session; as exedra.conversation() makes it, stored because an expression would be planned anew for every row that is written.';
COMMENT ON COLUMN exedra.chat.embed_id IS 'The embed that it was asked in: such chats are in no list of the workspace''s.';
COMMENT ON COLUMN exedra.chat.visitor IS 'Who asked in an embed, as JSON: host (the page''s origin), ip, username (as the page says).';
COMMENT ON COLUMN exedra.chat.state IS 'open while a model answers; done = the whole answer is here; stopped = cut short, what came is here; failed = no answer, see reason.';
COMMENT ON COLUMN exedra.chat.include IS 'false: reset or refused; no longer shown to a model.';

CREATE TABLE exedra.open_chat (
    tenant_id  bigint NOT NULL,
    chat_id    bigint NOT NULL,
    ticket     uuid NOT NULL,
    worker     text NOT NULL,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, chat_id)
);
COMMENT ON TABLE exedra.open_chat IS 'The chats that a model is answering now; a chat''s row here goes with its closing, or with the chat by a trigger.';
COMMENT ON COLUMN exedra.open_chat.ticket IS 'Proof with which the worker that opened the chat closes it, when the key may be gone.';
COMMENT ON COLUMN exedra.open_chat.worker IS 'Which worker process answers, as node/pool/uuid: its open chats end when it dies.';

CREATE DOMAIN exedra.token_count AS bigint CHECK (VALUE >= 0);

CREATE TABLE exedra.usage (
    tenant_id          bigint NOT NULL,
    id                 bigint GENERATED ALWAYS AS IDENTITY,
    at                 timestamptz NOT NULL DEFAULT now(),
    chat_id            bigint,
    workspace_id       bigint,
    account_id         bigint,
    provider           text NOT NULL,
    model              text NOT NULL,
    prompt_tokens      exedra.token_count NOT NULL,
    completion_tokens  exedra.token_count NOT NULL,
    estimated          boolean NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX usage_at ON exedra.usage (tenant_id, at);
COMMENT ON TABLE exedra.usage IS 'The ledger: what every call of a model cost in tokens.  Append-only; its ids outlive what they name.';
COMMENT ON COLUMN exedra.usage.estimated IS 'true: the provider gave no count, tokens are bytes / 4.';

CREATE TABLE exedra.event (
    tenant_id      bigint NOT NULL,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    at             timestamptz NOT NULL DEFAULT now(),
    action         text COLLATE "C" NOT NULL,
    actor          text NOT NULL,
    actor_id       bigint,
    actor_name     text,
    credential_id  bigint,
    object_id      bigint,
    object_name    text,
    detail         json NOT NULL DEFAULT '{}',
    address        text,
    request_id     text,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX event_at ON exedra.event (tenant_id, at);
CREATE INDEX event_action ON exedra.event (tenant_id, action, id);
COMMENT ON TABLE exedra.event IS 'Who changed what in the administration, written in the transaction of the change.  Append-only: only retention deletes; its ids and names outlive what they name.';
COMMENT ON COLUMN exedra.event.action IS 'One of exedra.known_actions(); the word before the dot says what the object is.';
COMMENT ON COLUMN exedra.event.actor IS 'account: somebody with a key or session of theirs; key: a key of the tenant''s own; operator: by SQL or exedractl; worker: the program by itself; nobody: who had not signed in.';
COMMENT ON COLUMN exedra.event.actor_id IS 'Of the account or key.';
COMMENT ON COLUMN exedra.event.actor_name IS 'The account''s name, the key''s label or end, the operator''s database role.';
COMMENT ON COLUMN exedra.event.credential_id IS 'The key or session that the request came with.';
COMMENT ON COLUMN exedra.event.detail IS 'What else is to be said: names of what was changed, counts; never a secret.';
COMMENT ON COLUMN exedra.event.address IS 'Of the client, as the web server says, or of an operator''s connection; NULL: on the database''s own machine.';
COMMENT ON COLUMN exedra.event.request_id IS 'The request''s, as in the log and in its answer.';

CREATE TABLE exedra.former_tenant (
    id          bigint PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    deleted_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE exedra.former_tenant IS 'Tenants that were deleted and of which there are still rows of the ledger or events.';

INSERT INTO exedra.server_embedder DEFAULT VALUES;
INSERT INTO exedra.schema_version (version, oldest_program) VALUES (1, 1);
