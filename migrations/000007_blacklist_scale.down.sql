DROP INDEX blacklist_items_failed;
CREATE INDEX blacklist_items_failed ON blacklist_items (tenant_id, batch_id, seq) WHERE outcome = 'failed';
ALTER TABLE blacklist_items RESET (fillfactor);

DROP INDEX blacklist_lanes_busy;
ALTER TABLE blacklist_lanes DROP COLUMN pull_due_at, DROP COLUMN held_reason, DROP COLUMN held_by, DROP COLUMN held_at, DROP COLUMN busy;

CREATE TABLE blacklist_entries_after AS TABLE blacklist_entries;
DROP TABLE blacklist_entries;
ALTER TABLE blacklist_entries_after DROP COLUMN former;
ALTER TABLE blacklist_entries_after RENAME TO blacklist_entries;
ALTER TABLE blacklist_entries
    ALTER COLUMN tenant_id SET NOT NULL,
    ALTER COLUMN authorizer_id SET NOT NULL,
    ALTER COLUMN openid SET NOT NULL,
    ALTER COLUMN reason SET NOT NULL,
    ALTER COLUMN reason SET DEFAULT '',
    ALTER COLUMN wanted_by SET NOT NULL,
    ALTER COLUMN wanted_by SET DEFAULT '',
    ALTER COLUMN pending SET NOT NULL,
    ALTER COLUMN pending SET DEFAULT false,
    ALTER COLUMN rid SET NOT NULL,
    ALTER COLUMN rid SET DEFAULT '',
    ADD PRIMARY KEY (tenant_id, authorizer_id, openid),
    ADD CONSTRAINT blacklist_entries_want_known CHECK (want IN ('blocked', 'unblocked')),
    ADD CONSTRAINT blacklist_entries_actual_known CHECK (actual IN ('blocked', 'unblocked')),
    ADD CONSTRAINT blacklist_entries_pending_wish CHECK (NOT pending OR (want IS NOT NULL AND wish IS NOT NULL AND batch_id IS NOT NULL)),
    ADD FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id),
    ADD FOREIGN KEY (tenant_id, batch_id) REFERENCES blacklist_batches (tenant_id, id);
CREATE INDEX blacklist_entries_pending ON blacklist_entries (tenant_id, authorizer_id, wish, openid) WHERE pending;
CREATE INDEX blacklist_entries_blocked ON blacklist_entries (tenant_id, authorizer_id, openid) WHERE actual = 'blocked';
CREATE INDEX blacklist_entries_ending ON blacklist_entries (want_until) WHERE want = 'blocked' AND want_until IS NOT NULL;
