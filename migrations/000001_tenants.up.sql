CREATE TABLE tenants (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT tenants_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    status     text        NOT NULL DEFAULT 'active' CONSTRAINT tenants_status_known CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL
);

-- A key without a tenant is a platform key: it may act on every tenant.
CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY,
    tenant_id    uuid        REFERENCES tenants,
    name         text        NOT NULL CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    prefix       text        NOT NULL,
    secret_hash  bytea       NOT NULL CONSTRAINT api_keys_secret_hash_unique UNIQUE
                             CONSTRAINT api_keys_secret_hash_sha256 CHECK (octet_length(secret_hash) = 32),
    scopes       text[]      NOT NULL,
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    UNIQUE (tenant_id, id)
);

-- Console sessions. token is the SHA-256 of the cookie, so that a copy of this table signs nobody in.
CREATE TABLE sessions (
    token      text        PRIMARY KEY,
    data       bytea       NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE audit_entries (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        REFERENCES tenants,
    at         timestamptz NOT NULL,
    actor_kind text        NOT NULL,
    actor_id   text        NOT NULL,
    actor_name text        NOT NULL,
    action     text        NOT NULL,
    target     text        NOT NULL,
    reason     text        NOT NULL DEFAULT '',
    request_id text        NOT NULL DEFAULT '',
    detail     jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_entries_by_tenant ON audit_entries (tenant_id, id);

CREATE FUNCTION audit_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are append-only';
END
$$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_entries_append_only();

-- One row per Idempotency-Key and tenant: what was asked (fingerprint) and what came of it (result_id).
CREATE TABLE idempotency_keys (
    tenant_id   uuid        NOT NULL REFERENCES tenants,
    key         text        NOT NULL CONSTRAINT idempotency_keys_length CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint bytea       NOT NULL,
    result_id   uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
