ALTER TABLE blacklist_items DROP COLUMN until, DROP COLUMN note, DROP COLUMN reason;
ALTER TABLE blacklist_entries DROP COLUMN note;
ALTER TABLE blacklist_batches DROP COLUMN note;
