-- Whether a tenant's own systems may be handed access tokens. Off until the service provider turns it on.
ALTER TABLE tenants ADD COLUMN token_handout boolean NOT NULL DEFAULT false;

-- A platform key that could do all there was goes on doing so. Keys of tenants, which others hold, get nothing by themselves.
UPDATE api_keys SET scopes = scopes || ARRAY['authorizers:write', 'tokens:read']
WHERE tenant_id IS NULL AND scopes @> ARRAY['authorizers:read', 'connect-links:write', 'blacklist:read', 'blacklist:write', 'keys:write', 'audit:read'];

ALTER TABLE components
    -- Until when pushes that came under the previous callback keys are taken; NULL: there are none.
    ADD COLUMN previous_keys_until timestamptz,
    -- When WeChat was last asked to push tickets.
    ADD COLUMN ticket_requested_at timestamptz;
UPDATE components SET previous_keys_until = updated_at + interval '1 day' WHERE previous_token_sealed IS NOT NULL;

-- failing_since: when the first of the failures in a row was. refused_early: how often in a row WeChat refused a token
-- that should have lived on although nobody here had renewed it: the mark of another system that fetches tokens too.
ALTER TABLE component_tokens
    ADD COLUMN failing_since    timestamptz,
    ADD COLUMN failed_at        timestamptz,
    ADD COLUMN refused_early    integer NOT NULL DEFAULT 0,
    ADD COLUMN refused_early_at timestamptz;

ALTER TABLE authorizers ADD CONSTRAINT authorizers_component_row UNIQUE (id, component_appid);

-- A sweep asks for each component and each shard whether anything is due, and has a job renew what is. The shard is a
-- random byte of the id, so that shards are alike in size.
ALTER TABLE authorizer_tokens
    ADD COLUMN component_appid  text,
    ADD COLUMN shard            smallint NOT NULL GENERATED ALWAYS AS (get_byte(uuid_send(authorizer_id), 15) % 8) STORED,
    ADD COLUMN failing_since    timestamptz,
    ADD COLUMN failed_at        timestamptz,
    ADD COLUMN refused_early    integer NOT NULL DEFAULT 0,
    ADD COLUMN refused_early_at timestamptz;
UPDATE authorizer_tokens t SET component_appid = a.component_appid FROM authorizers a WHERE a.id = t.authorizer_id;
-- The tokens of an account that has to authorize anew are kept, and never due.
ALTER TABLE authorizer_tokens ALTER COLUMN renew_after DROP NOT NULL;
UPDATE authorizer_tokens t SET renew_after = NULL FROM authorizers a WHERE a.id = t.authorizer_id AND a.state = 'needs_reauthorization';
ALTER TABLE authorizer_tokens
    ALTER COLUMN component_appid SET NOT NULL,
    ADD CONSTRAINT authorizer_tokens_account FOREIGN KEY (authorizer_id, component_appid) REFERENCES authorizers (id, component_appid);
DROP INDEX authorizer_tokens_by_due;
CREATE INDEX authorizer_tokens_by_due ON authorizer_tokens (component_appid, shard, renew_after);
CREATE INDEX authorizer_tokens_contested ON authorizer_tokens (refused_early_at) WHERE refused_early > 0;
CREATE INDEX authorizer_tokens_failing ON authorizer_tokens (authorizer_id) WHERE failures > 0;

-- When to read the profile next: a time of each account's own, so that they do not all come due together.
ALTER TABLE authorizers ADD COLUMN profile_due_at timestamptz NOT NULL DEFAULT '-infinity';
UPDATE authorizers SET profile_due_at = profile_read_at + interval '1 day' WHERE profile_read_at IS NOT NULL;
DROP INDEX authorizers_by_profile_age;
CREATE INDEX authorizers_by_profile_due ON authorizers (profile_due_at) WHERE state IN ('active', 'limited');

-- What somebody should look at: one row per break, cleared when it is mended. authorizer_id NULL: about the component itself.
CREATE TABLE alerts (
    id              uuid        PRIMARY KEY,
    kind            text        NOT NULL,
    component_appid text        NOT NULL REFERENCES components,
    authorizer_id   uuid,
    raised_at       timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,
    cleared_at      timestamptz,
    errcode         integer     NOT NULL DEFAULT 0,
    message         text        NOT NULL DEFAULT '',
    rid             text        NOT NULL DEFAULT '',
    advice          text        NOT NULL DEFAULT '',
    FOREIGN KEY (authorizer_id, component_appid) REFERENCES authorizers (id, component_appid)
);
CREATE UNIQUE INDEX alerts_open ON alerts (component_appid, coalesce(authorizer_id, '00000000-0000-0000-0000-000000000000'), kind) WHERE cleared_at IS NULL;
CREATE INDEX alerts_by_account ON alerts (authorizer_id, id);

-- One comparison of WeChat's list of authorizers with ours. The list is staged whole before anything follows from it.
CREATE TABLE reconciliations (
    id              uuid        PRIMARY KEY,
    component_appid text        NOT NULL REFERENCES components,
    status          text        NOT NULL CONSTRAINT reconciliations_status_known CHECK (status IN ('queued', 'running', 'done', 'failed')),
    actor           text        NOT NULL,
    -- The day, in China, whose nightly one this is; NULL: somebody asked for it.
    night           date,
    -- How often the list was begun, how far it has been read since, and how long WeChat says that it is.
    readings        integer     NOT NULL DEFAULT 1,
    next_offset     integer     NOT NULL DEFAULT 0,
    total           integer     NOT NULL DEFAULT 0,
    list_complete   boolean     NOT NULL DEFAULT false,
    -- What came of it, in accounts: in WeChat's list; new to us; lost and got back; ours but not in the list; to be read anew.
    listed          integer     NOT NULL DEFAULT 0,
    added           integer     NOT NULL DEFAULT 0,
    restored        integer     NOT NULL DEFAULT 0,
    absent          integer     NOT NULL DEFAULT 0,
    profiles        integer     NOT NULL DEFAULT 0,
    failures        integer     NOT NULL DEFAULT 0,
    next_try_at     timestamptz NOT NULL,
    errcode         integer     NOT NULL DEFAULT 0,
    rid             text        NOT NULL DEFAULT '',
    error           text        NOT NULL DEFAULT '',
    -- Who works on it, and until when nobody else does; without a holder, until when a job made for it may take to begin.
    -- turns counts those jobs, so that each has a name of its own, see docs/decisions/0006.
    turns           integer     NOT NULL DEFAULT 0,
    lease_holder    text        NOT NULL DEFAULT '',
    lease_until     timestamptz NOT NULL DEFAULT '-infinity',
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    ended_at        timestamptz
);
CREATE INDEX reconciliations_by_component ON reconciliations (component_appid, id);
CREATE UNIQUE INDEX reconciliations_one_open ON reconciliations (component_appid) WHERE status IN ('queued', 'running');
CREATE UNIQUE INDEX reconciliations_one_a_night ON reconciliations (component_appid, night);

CREATE TABLE reconciliation_accounts (
    reconciliation_id    uuid        NOT NULL REFERENCES reconciliations ON DELETE CASCADE,
    appid                text        NOT NULL,
    -- WeChat leaves the refresh token out for an account whose authorization code nobody exchanged.
    refresh_token_sealed bytea,
    authorized_at        timestamptz,
    -- When it was seen to what follows from this line.
    settled_at           timestamptz,
    PRIMARY KEY (reconciliation_id, appid)
);
CREATE INDEX reconciliation_accounts_unsettled ON reconciliation_accounts (reconciliation_id, appid) WHERE settled_at IS NULL;
