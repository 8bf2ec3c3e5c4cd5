DROP TABLE follower_sync_openids;
DROP TABLE followers;
DROP TABLE follower_directories;
DROP SEQUENCE follower_changes;
UPDATE api_keys SET scopes = array_remove(scopes, 'followers:read');
