ALTER TABLE blacklist_batches DROP COLUMN list_id;
DROP TABLE blacklist_list_places;
DROP TABLE blacklist_list_dues;
DROP TABLE blacklist_list_persons;
DROP TABLE blacklist_lists;
