-- How many entries of the account have actual = 'blocked'. Whatever changes actual, a push or a pull, changes this row in the
-- same transaction anyway; so a page of a list with ten million entries need not count them.
ALTER TABLE blacklist_lanes ADD COLUMN blocked bigint NOT NULL DEFAULT 0;
UPDATE blacklist_lanes l SET blocked = (
    SELECT count(*) FROM blacklist_entries e WHERE e.tenant_id = l.tenant_id AND e.authorizer_id = l.authorizer_id AND e.actual = 'blocked');

-- What a pull has read is worth nothing without the rest, so a crash of the database may well empty it: whoever ends the pull
-- counts what is there, and begins anew if anything is missing. Every row of it was checked against its pull for nothing.
ALTER TABLE blacklist_pull_openids DROP CONSTRAINT blacklist_pull_openids_tenant_id_pull_id_fkey;
ALTER TABLE blacklist_pull_openids SET UNLOGGED;
