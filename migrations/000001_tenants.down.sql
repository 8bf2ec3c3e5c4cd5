DROP TABLE idempotency_keys, audit_entries, sessions, api_keys, tenants;
DROP FUNCTION audit_entries_append_only;
