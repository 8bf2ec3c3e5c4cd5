-- Entries are what there is most of: a thousand accounts with a million people each are a billion rows. Sixteen partitions
-- by account make of them sixteen tables of some sixty million, which can be vacuumed, indexed and restored one by one,
-- and whose indexes are no deeper than that of one large table. More would cost every plan that has to look at all of
-- them, such as the search for blocks that end. An account lies in one partition, so whatever is about one account reads one.
ALTER TABLE blacklist_entries RENAME TO blacklist_entries_before;
ALTER TABLE blacklist_entries_before RENAME CONSTRAINT blacklist_entries_pkey TO blacklist_entries_before_pkey;
DROP INDEX blacklist_entries_pending;
DROP INDEX blacklist_entries_blocked;
DROP INDEX blacklist_entries_ending;

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
    -- What actual was before a push last learned it: the same as now where the wish changed nothing.
    former        text,
    errcode       integer,
    rid           text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, authorizer_id, openid),
    FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES blacklist_batches (tenant_id, id),
    CONSTRAINT blacklist_entries_pending_wish CHECK (NOT pending OR (want IS NOT NULL AND wish IS NOT NULL AND batch_id IS NOT NULL))
) PARTITION BY HASH (tenant_id, authorizer_id);

DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('CREATE TABLE blacklist_entries_%s PARTITION OF blacklist_entries FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
    END LOOP;
END
$$;

INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid, want, want_until, reason, wanted_by, wanted_at, wish, batch_id,
    replaced_batch_id, pending, actual, actual_at, actual_seq, errcode, rid)
SELECT tenant_id, authorizer_id, openid, want, want_until, reason, wanted_by, wanted_at, wish, batch_id,
    replaced_batch_id, pending, actual, actual_at, actual_seq, errcode, rid
FROM blacklist_entries_before;
DROP TABLE blacklist_entries_before;

CREATE INDEX blacklist_entries_pending ON blacklist_entries (tenant_id, authorizer_id, wish, openid) WHERE pending;
CREATE INDEX blacklist_entries_blocked ON blacklist_entries (tenant_id, authorizer_id, openid) WHERE actual = 'blocked';
CREATE INDEX blacklist_entries_ending ON blacklist_entries (want_until) WHERE want = 'blocked' AND want_until IS NOT NULL;

-- busy: something may be pending. It is set with each wish and taken back when a push has found nothing left, so that a
-- sweep need not look for pending entries in sixteen places. held_at: somebody stopped the account's work by hand.
ALTER TABLE blacklist_lanes
    ADD COLUMN busy        boolean     NOT NULL DEFAULT false,
    ADD COLUMN held_at     timestamptz,
    ADD COLUMN held_by     text        NOT NULL DEFAULT '',
    ADD COLUMN held_reason text        NOT NULL DEFAULT '',
    -- When WeChat's list is to be read next, by itself: a time of each account's own.
    ADD COLUMN pull_due_at timestamptz NOT NULL DEFAULT now() + random() * interval '6 hours';
CREATE INDEX blacklist_lanes_pull_due ON blacklist_lanes (pull_due_at);
UPDATE blacklist_lanes l SET busy = true
WHERE EXISTS (SELECT FROM blacklist_entries e WHERE e.tenant_id = l.tenant_id AND e.authorizer_id = l.authorizer_id AND e.pending);
CREATE INDEX blacklist_lanes_busy ON blacklist_lanes (tenant_id, authorizer_id) WHERE busy;

-- An item changes once. Room on its page lets it change there, without touching an index, for which the index of failed
-- items must not go by the outcome.
ALTER TABLE blacklist_items SET (fillfactor = 75);
DROP INDEX blacklist_items_failed;
CREATE INDEX blacklist_items_failed ON blacklist_items (tenant_id, batch_id, seq) WHERE error <> '';
