DROP INDEX blacklist_batches_by_route;
ALTER TABLE blacklist_batches DROP COLUMN route_id;
DROP TABLE blacklist_routes;
