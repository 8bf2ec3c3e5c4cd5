-- What is read just now begins anew.
UPDATE blacklist_pulls SET lease_holder = '', lease_until = NULL WHERE status = 'running';
TRUNCATE blacklist_pull_openids;
ALTER TABLE blacklist_pull_openids SET LOGGED;
ALTER TABLE blacklist_pull_openids ADD FOREIGN KEY (tenant_id, pull_id) REFERENCES blacklist_pulls (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE blacklist_lanes DROP COLUMN blocked;
