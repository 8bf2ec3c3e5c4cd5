-- A note is for people, as a reason is, and longer. It stands with the batch and with the entry.
ALTER TABLE blacklist_batches ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE blacklist_entries ADD COLUMN note text NOT NULL DEFAULT '';

-- What an item has of its own, as the rows of a file can have it and as an undo gives back; NULL: what its batch has. So that the
-- history of an openid says why, and a wish that is withdrawn gives the one before it back whole. In a request without a file
-- they are NULL, which costs an item nothing: its row begins with a map of what is NULL anyway.
ALTER TABLE blacklist_items
    ADD COLUMN reason text,
    ADD COLUMN note   text,
    ADD COLUMN until  timestamptz;
