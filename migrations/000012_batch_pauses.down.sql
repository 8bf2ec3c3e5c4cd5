DROP INDEX blacklist_batches_paused;
-- What was paused goes on: busy has the sweep look for it.
UPDATE blacklist_lanes l SET busy = true FROM blacklist_batches b
WHERE b.tenant_id = l.tenant_id AND b.authorizer_id = l.authorizer_id AND b.paused_at IS NOT NULL AND b.ended_at IS NULL;
ALTER TABLE blacklist_batches
    DROP COLUMN paused_at,
    DROP COLUMN paused_by,
    DROP COLUMN paused_reason;
