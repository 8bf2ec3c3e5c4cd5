-- An authorizer without a tenant is unclaimed: it authorized us, but through no link of ours.
CREATE TABLE authorizers (
    id               uuid        PRIMARY KEY,
    tenant_id        uuid        REFERENCES tenants,
    component_appid  text        NOT NULL REFERENCES components,
    appid            text        NOT NULL CONSTRAINT authorizers_appid_given CHECK (appid <> ''),
    state            text        NOT NULL CONSTRAINT authorizers_state_known
                                 CHECK (state IN ('active', 'needs_reauthorization', 'revoked', 'limited')),
    state_reason     text        NOT NULL DEFAULT '',
    state_changed_at timestamptz NOT NULL,
    user_name        text        NOT NULL DEFAULT '',
    nick_name        text        NOT NULL DEFAULT '',
    head_img         text        NOT NULL DEFAULT '',
    alias            text        NOT NULL DEFAULT '',
    principal_name   text        NOT NULL DEFAULT '',
    signature        text        NOT NULL DEFAULT '',
    qrcode_url       text        NOT NULL DEFAULT '',
    service_type     integer,
    verify_type      integer,
    account_status   integer,
    mini_program     boolean     NOT NULL DEFAULT false,
    permission_sets  integer[]   NOT NULL DEFAULT '{}',
    profile_read_at  timestamptz,
    authorized_at    timestamptz NOT NULL,
    revoked_at       timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT authorizers_once UNIQUE (component_appid, appid),
    CONSTRAINT authorizers_tenant_row UNIQUE (tenant_id, id)
);
CREATE INDEX authorizers_by_tenant ON authorizers (tenant_id, appid, id);
CREATE INDEX authorizers_by_profile_age ON authorizers (profile_read_at NULLS FIRST) WHERE state IN ('active', 'limited');

-- Apart from authorizers, so that a renewal locks a token and not a merchant. No row: no tokens (revoked).
-- A sealed empty string is exactly 33 bytes long, so the check refuses an empty refresh token even when it comes sealed.
CREATE TABLE authorizer_tokens (
    authorizer_id            uuid        PRIMARY KEY REFERENCES authorizers,
    refresh_token_sealed     bytea       NOT NULL CONSTRAINT authorizer_tokens_refresh_token_given CHECK (octet_length(refresh_token_sealed) > 33),
    access_token_sealed      bytea       CONSTRAINT authorizer_tokens_access_token_given CHECK (octet_length(access_token_sealed) > 33),
    access_token_expires_at  timestamptz,
    renewed_at               timestamptz,
    renew_after              timestamptz NOT NULL,
    -- Grows with each change of the tokens, and begins higher each time that an account authorizes anew.
    version                  bigint      NOT NULL,
    failures                 integer     NOT NULL DEFAULT 0,
    last_error               jsonb
);
CREATE INDEX authorizer_tokens_by_due ON authorizer_tokens (renew_after);

CREATE TABLE connect_links (
    id              uuid        NOT NULL,
    tenant_id       uuid        NOT NULL REFERENCES tenants,
    component_appid text        NOT NULL REFERENCES components,
    state_hash      bytea       NOT NULL CONSTRAINT connect_links_state_unique UNIQUE,
    appid           text        NOT NULL DEFAULT '',
    auth_type       integer     NOT NULL,
    return_url      text        NOT NULL DEFAULT '',
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    -- SHA-256 of the authorization code that used the link: the same code again gets the same answer.
    used_code_hash  bytea,
    authorizer_id   uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT connect_links_authorizer FOREIGN KEY (tenant_id, authorizer_id) REFERENCES authorizers (tenant_id, id)
);
CREATE INDEX connect_links_by_expiry ON connect_links (expires_at) WHERE used_at IS NULL;

-- Which link a pre-auth code was fetched for: WeChat's push names the pre-auth code, so the push finds the tenant too.
CREATE TABLE connect_link_codes (
    component_appid    text        NOT NULL REFERENCES components,
    pre_auth_code_hash bytea       NOT NULL,
    tenant_id          uuid        NOT NULL,
    link_id            uuid        NOT NULL,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (component_appid, pre_auth_code_hash),
    FOREIGN KEY (tenant_id, link_id) REFERENCES connect_links (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX connect_link_codes_by_link ON connect_link_codes (tenant_id, link_id);
CREATE INDEX connect_link_codes_by_age ON connect_link_codes (created_at);

-- An authorization code comes by redirect and by push, in any order, maybe twice each: it is exchanged once, under this row's lock.
-- Exchanged without an authorizer: it was of an account that we do not keep (WeChat's release test).
CREATE TABLE authorization_codes (
    component_appid text        NOT NULL REFERENCES components,
    code_hash       bytea       NOT NULL,
    authorizer_id   uuid        REFERENCES authorizers,
    created_at      timestamptz NOT NULL,
    exchanged_at    timestamptz,
    PRIMARY KEY (component_appid, code_hash)
);
CREATE INDEX authorization_codes_by_age ON authorization_codes (created_at);
