-- A platform key that could do all there was goes on doing so. Keys of tenants, which others hold, get nothing by themselves.
UPDATE api_keys SET scopes = scopes || ARRAY['followers:read']
WHERE tenant_id IS NULL AND scopes @> ARRAY['authorizers:read', 'authorizers:write', 'tokens:read', 'connect-links:write',
    'blacklist:read', 'blacklist:write', 'keys:write', 'audit:read'] AND NOT scopes @> ARRAY['followers:read'];

-- Orders, without a clock, what we learn of followers: by an event, or by a reading of WeChat's list that began at a number.
CREATE SEQUENCE follower_changes;

-- One row per account that had its directory turned on once: whether its openids are kept, how its reading of WeChat's list
-- stands, and who works on it now. Whoever writes an account's followers locks this row first, and then followers by
-- openid, so that nobody waits in a circle: who works on it FOR NO KEY UPDATE, events FOR SHARE.
CREATE TABLE follower_directories (
    tenant_id        uuid        NOT NULL,
    authorizer_id    uuid        NOT NULL,
    enabled          boolean     NOT NULL DEFAULT false,
    unionids         boolean     NOT NULL DEFAULT false,
    changed_at       timestamptz NOT NULL,
    changed_by       text        NOT NULL,
    -- What has to be done to all followers kept, a span of openids at a time, before anything else.
    chore            text        NOT NULL DEFAULT '' CONSTRAINT follower_directories_chore_known
                                 CHECK (chore IN ('', 'erase', 'forget_unionids', 'want_unionids')),
    -- How many followed when WeChat's list was last read whole, and when that was.
    followers        bigint,
    synced_at        timestamptz,
    next_sync_at     timestamptz,
    sync_status      text        NOT NULL DEFAULT '' CONSTRAINT follower_directories_sync_status_known
                                 CHECK (sync_status IN ('', 'queued', 'running', 'done', 'failed')),
    sync_phase       text        NOT NULL DEFAULT '' CONSTRAINT follower_directories_sync_phase_known
                                 CHECK (sync_phase IN ('', 'reading', 'adding', 'removing')),
    -- Drawn from follower_changes when reading began: an event with a larger number knows better.
    sync_seq         bigint,
    -- WeChat's cursor while reading; after it, the last openid that was compared.
    sync_cursor      text        COLLATE "C" NOT NULL DEFAULT '',
    sync_readings    integer     NOT NULL DEFAULT 0,
    sync_read        bigint      NOT NULL DEFAULT 0,
    sync_total       bigint,
    sync_added       bigint      NOT NULL DEFAULT 0,
    sync_removed     bigint      NOT NULL DEFAULT 0,
    sync_failures    integer     NOT NULL DEFAULT 0,
    sync_errcode     integer,
    sync_rid         text        NOT NULL DEFAULT '',
    sync_error       text        NOT NULL DEFAULT '',
    sync_actor       text        NOT NULL DEFAULT '',
    sync_asked_at    timestamptz,
    sync_started_at  timestamptz,
    sync_ended_at    timestamptz,
    sync_next_try_at timestamptz NOT NULL DEFAULT '-infinity',
    -- There may be rows in follower_sync_openids.
    staged           boolean     NOT NULL DEFAULT false,
    -- Some followers' unionids are to be asked for.
    fill_due         boolean     NOT NULL DEFAULT false,
    fill_failures    integer     NOT NULL DEFAULT 0,
    fill_next_try_at timestamptz NOT NULL DEFAULT '-infinity',
    -- As in reconciliations: turns gives each job a name of its own.
    turns            integer     NOT NULL DEFAULT 0,
    lease_holder     text        NOT NULL DEFAULT '',
    lease_until      timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (tenant_id, authorizer_id),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    CONSTRAINT follower_directories_off CHECK (enabled OR (NOT unionids AND NOT fill_due AND sync_status = ''))
);
CREATE INDEX follower_directories_work ON follower_directories (lease_until)
    WHERE chore <> '' OR staged OR fill_due OR sync_status IN ('queued', 'running');
CREATE INDEX follower_directories_due ON follower_directories (next_sync_at) WHERE enabled;

-- Followers are as many as entries of blacklists can ever be, a billion of them being thinkable, and so they lie in as many
-- partitions, for the reasons given there: an account in one of them. What looks for openids of a tenant on any of
-- its accounts has sixteen indexes to go through, or the partitions of its accounts where those are fewer.
--
-- last_event: WeChat's time of the last event in seconds, doubled, and one more if that was an unsubscribe: the larger
-- number is the later event, in whatever order they come, and of two in the same second the one that left wins.
CREATE TABLE followers (
    tenant_id     uuid        NOT NULL,
    authorizer_id uuid        NOT NULL,
    openid        text        COLLATE "C" NOT NULL,
    unionid       text        COLLATE "C",
    following     boolean     NOT NULL,
    unionid_due   boolean     NOT NULL DEFAULT false,
    -- Drawn from follower_changes when following was learned.
    seq           bigint      NOT NULL,
    last_event    bigint,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, authorizer_id, openid),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES follower_directories (tenant_id, authorizer_id),
    -- WeChat wants the personal data of those who leave deleted.
    CONSTRAINT followers_nothing_of_those_who_left CHECK (following OR (unionid IS NULL AND NOT unionid_due))
) PARTITION BY HASH (tenant_id, authorizer_id);
CREATE INDEX followers_by_openid ON followers (tenant_id, openid);
CREATE INDEX followers_by_unionid ON followers (tenant_id, unionid) WHERE unionid IS NOT NULL;
CREATE INDEX followers_unionid_due ON followers (tenant_id, authorizer_id, openid) WHERE unionid_due;

-- Openids read by a sync that has not ended yet; compared with followers only when WeChat's list ended cleanly.
CREATE TABLE follower_sync_openids (
    tenant_id     uuid NOT NULL,
    authorizer_id uuid NOT NULL,
    openid        text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, authorizer_id, openid),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES follower_directories (tenant_id, authorizer_id)
) PARTITION BY HASH (tenant_id, authorizer_id);

DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('CREATE TABLE followers_%s PARTITION OF followers FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
        EXECUTE format('CREATE TABLE follower_sync_openids_%s PARTITION OF follower_sync_openids FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
    END LOOP;
END
$$;
