DROP TABLE blacklist_pull_openids, blacklist_pulls, blacklist_entries, blacklist_items, blacklist_batches, blacklist_lanes;
DROP SEQUENCE blacklist_wishes;
