-- Orders wishes, and what we learned of WeChat's side, without a clock: the larger number is the later.
CREATE SEQUENCE blacklist_wishes;

-- One row per account that has had blacklist work: who pushes it now (a lease), and why it may be resting.
-- generation is part of the push job's unique name: a lane whose holder died gets a new job at once, by a new name.
CREATE TABLE blacklist_lanes (
    tenant_id      uuid        NOT NULL,
    authorizer_id  uuid        NOT NULL,
    generation     bigint      NOT NULL DEFAULT 0,
    lease_holder   text        NOT NULL DEFAULT '',
    lease_until    timestamptz,
    paused_until   timestamptz,
    -- Paused until the merchant or WeChat changes the account; account_seen is what the account was like when it paused.
    awaits_account boolean     NOT NULL DEFAULT false,
    account_seen   text        NOT NULL DEFAULT '',
    pause_reason   text        NOT NULL DEFAULT '',
    pause_errcode  integer,
    pause_rid      text        NOT NULL DEFAULT '',
    -- Pauses in a row since WeChat last answered properly: each is longer than the one before.
    failures       integer     NOT NULL DEFAULT 0,
    synced_at      timestamptz,
    PRIMARY KEY (tenant_id, authorizer_id),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id)
);

CREATE TABLE blacklist_batches (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    authorizer_id uuid        NOT NULL,
    wish          bigint      NOT NULL,
    action        text        NOT NULL CONSTRAINT blacklist_batches_action_known CHECK (action IN ('block', 'unblock')),
    reason        text        NOT NULL DEFAULT '',
    until         timestamptz,
    actor_kind    text        NOT NULL,
    actor_id      text        NOT NULL,
    actor_name    text        NOT NULL,
    -- total counts every openid given. Those neither skipped nor counted below are pending; each is counted in the
    -- transaction that gives its item the outcome, so that nobody has to count 100,000 items to show a progress bar.
    total         integer     NOT NULL,
    skipped       integer     NOT NULL,
    done          integer     NOT NULL DEFAULT 0,
    already       integer     NOT NULL DEFAULT 0,
    failed        integer     NOT NULL DEFAULT 0,
    superseded    integer     NOT NULL DEFAULT 0,
    cancelled     integer     NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    CONSTRAINT blacklist_batches_counts CHECK (skipped + done + already + failed + superseded + cancelled <= total),
    CONSTRAINT blacklist_batches_ended CHECK ((ended_at IS NOT NULL) = (skipped + done + already + failed + superseded + cancelled = total))
);
CREATE INDEX blacklist_batches_by_account ON blacklist_batches (tenant_id, authorizer_id, id);

-- What came of each openid of a batch. A row leaves 'pending' once and never comes back to it.
CREATE TABLE blacklist_items (
    tenant_id uuid        NOT NULL,
    batch_id  uuid        NOT NULL,
    seq       integer     NOT NULL,
    openid    text        COLLATE "C" NOT NULL,
    outcome   text        NOT NULL DEFAULT 'pending' CONSTRAINT blacklist_items_outcome_known
                          CHECK (outcome IN ('pending', 'done', 'already', 'failed', 'superseded', 'cancelled')),
    errcode   integer,
    rid       text        NOT NULL DEFAULT '',
    error     text        NOT NULL DEFAULT '',
    ended_at  timestamptz,
    PRIMARY KEY (tenant_id, batch_id, seq),
    CONSTRAINT blacklist_items_openid_once UNIQUE (tenant_id, batch_id, openid),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES blacklist_batches (tenant_id, id)
);
CREATE INDEX blacklist_items_failed ON blacklist_items (tenant_id, batch_id, seq) WHERE outcome = 'failed';

-- openids sort by bytes ("C") everywhere: whoever writes several entries locks them in that order, so that no two writers
-- wait for each other in a circle.
--
-- Wanted and actual. want NULL: nobody here asked for anything (the merchant blocked by hand). actual NULL: WeChat has not been asked yet.
CREATE TABLE blacklist_entries (
    tenant_id     uuid        NOT NULL,
    authorizer_id uuid        NOT NULL,
    openid        text        COLLATE "C" NOT NULL,
    want          text        CONSTRAINT blacklist_entries_want_known CHECK (want IN ('blocked', 'unblocked')),
    want_until    timestamptz,
    reason        text        NOT NULL DEFAULT '',
    wanted_by     text        NOT NULL DEFAULT '',
    wanted_at     timestamptz,
    wish          bigint,
    batch_id      uuid,
    -- The batch whose wish was still pending when this wish took its place: its item is superseded.
    replaced_batch_id uuid,
    pending       boolean     NOT NULL DEFAULT false,
    actual        text        CONSTRAINT blacklist_entries_actual_known CHECK (actual IN ('blocked', 'unblocked')),
    actual_at     timestamptz,
    -- Drawn from blacklist_wishes when actual was learned, so that a pull can tell what a push learned after it began.
    actual_seq    bigint,
    errcode       integer,
    rid           text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, authorizer_id, openid),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES blacklist_batches (tenant_id, id),
    CONSTRAINT blacklist_entries_pending_wish CHECK (NOT pending OR (want IS NOT NULL AND wish IS NOT NULL AND batch_id IS NOT NULL))
);
CREATE INDEX blacklist_entries_pending ON blacklist_entries (tenant_id, authorizer_id, wish, openid) WHERE pending;
CREATE INDEX blacklist_entries_blocked ON blacklist_entries (tenant_id, authorizer_id, openid) WHERE actual = 'blocked';
CREATE INDEX blacklist_entries_ending ON blacklist_entries (want_until) WHERE want = 'blocked' AND want_until IS NOT NULL;

CREATE TABLE blacklist_pulls (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    authorizer_id uuid        NOT NULL,
    status        text        NOT NULL CONSTRAINT blacklist_pulls_status_known CHECK (status IN ('queued', 'running', 'done', 'failed')),
    -- As in blacklist_lanes: who reads now, and which job is the current one.
    generation    bigint      NOT NULL DEFAULT 0,
    lease_holder  text        NOT NULL DEFAULT '',
    lease_until   timestamptz,
    -- Drawn from blacklist_wishes when reading began.
    began_seq     bigint,
    actor_kind    text        NOT NULL,
    actor_id      text        NOT NULL,
    actor_name    text        NOT NULL,
    read          integer     NOT NULL DEFAULT 0,
    total         integer,
    added         integer     NOT NULL DEFAULT 0,
    removed       integer     NOT NULL DEFAULT 0,
    errcode       integer,
    rid           text        NOT NULL DEFAULT '',
    error         text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id)
);
CREATE INDEX blacklist_pulls_by_account ON blacklist_pulls (tenant_id, authorizer_id, id);
-- At most one pull of an account is under way; asking again answers with that one.
CREATE UNIQUE INDEX blacklist_pulls_one_open ON blacklist_pulls (tenant_id, authorizer_id) WHERE status IN ('queued', 'running');

-- Openids read by a pull that has not ended yet; swapped into blacklist_entries only when WeChat's list ended cleanly.
CREATE TABLE blacklist_pull_openids (
    tenant_id uuid NOT NULL,
    pull_id   uuid NOT NULL,
    openid    text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, pull_id, openid),
    FOREIGN KEY (tenant_id, pull_id) REFERENCES blacklist_pulls (tenant_id, id) ON DELETE CASCADE
);
