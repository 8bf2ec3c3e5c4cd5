ALTER TABLE blacklist_lanes DROP COLUMN blocked;
