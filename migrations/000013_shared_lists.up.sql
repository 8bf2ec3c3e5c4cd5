-- A tenant's lists of people who are to be blocked on all its accounts. A list that was deleted keeps its row: the batches that
-- it asked for go on saying which list that was.
CREATE TABLE blacklist_lists (
    tenant_id  uuid        NOT NULL REFERENCES tenants,
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    reason     text        NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    created_by text        NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX blacklist_lists_name_once ON blacklist_lists (tenant_id, name) WHERE deleted_at IS NULL;

-- Somebody on a list: by unionid, or by openid on an account. Whoever was taken off keeps the row until what the list put on
-- has been taken off too; then nothing is kept of them here.
CREATE TABLE blacklist_list_persons (
    tenant_id     uuid        NOT NULL,
    list_id       uuid        NOT NULL,
    id            uuid        NOT NULL,
    unionid       text        COLLATE "C",
    authorizer_id uuid,
    openid        text        COLLATE "C",
    reason        text        NOT NULL DEFAULT '',
    added_at      timestamptz NOT NULL,
    added_by      text        NOT NULL,
    removed_at    timestamptz,
    -- Why they were taken off: it is said with the unblocking.
    removed_for   text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, list_id, id),
    FOREIGN KEY (tenant_id, list_id) REFERENCES blacklist_lists (tenant_id, id),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    CONSTRAINT blacklist_list_persons_who CHECK ((unionid IS NULL) = (openid IS NOT NULL) AND (authorizer_id IS NULL) = (openid IS NULL))
);
-- Each keeps a person from standing on a list twice, and finds, for every unionid and openid that a directory learns, the
-- lists that wait for it.
CREATE UNIQUE INDEX blacklist_list_persons_unionid_once ON blacklist_list_persons (tenant_id, unionid, list_id) WHERE removed_at IS NULL AND unionid IS NOT NULL;
CREATE UNIQUE INDEX blacklist_list_persons_openid_once ON blacklist_list_persons (tenant_id, openid, authorizer_id, list_id) WHERE removed_at IS NULL AND openid IS NOT NULL;
CREATE INDEX blacklist_list_persons_removed ON blacklist_list_persons (tenant_id, list_id, id) WHERE removed_at IS NOT NULL;

-- Marks: for this person it has to be looked on which accounts they are. Marks are added and deleted, and never changed, so that
-- whoever learns something about a follower waits for nobody who works on the lists.
CREATE TABLE blacklist_list_dues (
    tenant_id uuid   NOT NULL,
    list_id   uuid   NOT NULL,
    person_id uuid   NOT NULL,
    seq       bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (tenant_id, list_id, person_id, seq),
    FOREIGN KEY (tenant_id, list_id, person_id) REFERENCES blacklist_list_persons (tenant_id, list_id, id) ON DELETE CASCADE
);

-- A person on an account, and what the list did there.
CREATE TABLE blacklist_list_places (
    tenant_id     uuid        NOT NULL,
    list_id       uuid        NOT NULL,
    person_id     uuid        NOT NULL,
    authorizer_id uuid        NOT NULL,
    openid        text        COLLATE "C" NOT NULL,
    -- It has to be looked whether something is to be asked for here; for an account that cannot be worked for, this waits.
    due           boolean     NOT NULL DEFAULT true,
    -- The person was taken off.
    leaving       boolean     NOT NULL DEFAULT false,
    -- When the list first looked: from then on the wishes of others count for more than its own.
    seen_at       timestamptz,
    -- The list whose wish blocks them here: this one, or one that they were taken off while this one went on wanting it; null:
    -- they were blocked before, and no list takes that off. batch_id is the batch by which it was wished.
    put_by        uuid,
    batch_id      uuid,
    -- When to look again: the block of somebody else, for which the list did nothing, may have ended by itself.
    look_again_at timestamptz,
    -- Withdrawn while a push, which held this lease, may have had the openid in a call; and the number in blacklist_wishes of
    -- that moment. When the push has ended it has to be looked whether the call went through.
    air_holder    text        NOT NULL DEFAULT '',
    air_seq       bigint,
    PRIMARY KEY (tenant_id, authorizer_id, openid, list_id, person_id),
    FOREIGN KEY (tenant_id, list_id, person_id) REFERENCES blacklist_list_persons (tenant_id, list_id, id),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    FOREIGN KEY (tenant_id, put_by) REFERENCES blacklist_lists (tenant_id, id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES blacklist_batches (tenant_id, id)
);
CREATE INDEX blacklist_list_places_by_person ON blacklist_list_places (tenant_id, list_id, person_id);
CREATE INDEX blacklist_list_places_due ON blacklist_list_places (tenant_id, authorizer_id, list_id, leaving, openid) WHERE due;
CREATE INDEX blacklist_list_places_look_again ON blacklist_list_places (look_again_at) WHERE look_again_at IS NOT NULL;

-- The list that asked for a batch.
ALTER TABLE blacklist_batches
    ADD COLUMN list_id uuid,
    ADD CONSTRAINT blacklist_batches_list FOREIGN KEY (tenant_id, list_id) REFERENCES blacklist_lists (tenant_id, id);
