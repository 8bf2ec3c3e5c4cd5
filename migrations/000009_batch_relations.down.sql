ALTER TABLE blacklist_items
    DROP CONSTRAINT blacklist_items_openid_once,
    ADD CONSTRAINT blacklist_items_openid_once UNIQUE (tenant_id, batch_id, openid);

ALTER TABLE blacklist_lanes DROP COLUMN withdrawals;

ALTER TABLE blacklist_batches DROP COLUMN retry_of, DROP COLUMN undo_of;
