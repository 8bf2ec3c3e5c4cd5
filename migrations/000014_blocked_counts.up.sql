-- How many entries of the account have actual = 'blocked'. Whatever changes actual, a push or a pull, changes this row in the
-- same transaction anyway; so a page of a list with ten million entries need not count them.
ALTER TABLE blacklist_lanes ADD COLUMN blocked bigint NOT NULL DEFAULT 0;
UPDATE blacklist_lanes l SET blocked = (
    SELECT count(*) FROM blacklist_entries e WHERE e.tenant_id = l.tenant_id AND e.authorizer_id = l.authorizer_id AND e.actual = 'blocked');
