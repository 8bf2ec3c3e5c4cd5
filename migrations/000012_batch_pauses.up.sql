-- Somebody stopped one batch by hand; the other wishes of its account go on. Cleared when it may go on.
ALTER TABLE blacklist_batches
    ADD COLUMN paused_at     timestamptz,
    ADD COLUMN paused_by     text NOT NULL DEFAULT '',
    ADD COLUMN paused_reason text NOT NULL DEFAULT '';

-- A push skips the wishes of paused batches each time that it reads what is next, so it must find them at once. A batch that has
-- ended while it was paused has nothing left to skip.
CREATE INDEX blacklist_batches_paused ON blacklist_batches (tenant_id, authorizer_id, wish) WHERE paused_at IS NOT NULL AND ended_at IS NULL;
