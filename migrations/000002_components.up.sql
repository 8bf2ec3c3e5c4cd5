-- Columns named *_sealed hold ciphertext of package secret; the associated data is table/column/row.
CREATE TABLE components (
    appid                      text        PRIMARY KEY CONSTRAINT components_appid_given CHECK (appid <> ''),
    name                       text        NOT NULL DEFAULT '',
    appsecret_sealed           bytea       NOT NULL,
    token_sealed               bytea       NOT NULL,
    aes_key_sealed             bytea       NOT NULL,
    -- The callback token and key in force before the last change: pushes already under way still carry them.
    previous_token_sealed      bytea,
    previous_aes_key_sealed    bytea,
    -- created is when WeChat made the ticket, received when it came in: the first orders tickets, the second tells whether pushes still come.
    ticket_sealed              bytea       CONSTRAINT components_ticket_given CHECK (octet_length(ticket_sealed) > 33),
    ticket_created_at          timestamptz,
    ticket_received_at         timestamptz,
    previous_ticket_sealed     bytea,
    previous_ticket_created_at timestamptz,
    created_at                 timestamptz NOT NULL,
    updated_at                 timestamptz NOT NULL
);

-- Apart from components, so that a renewal which waits for WeChat never keeps a ticket waiting that has just been pushed.
CREATE TABLE component_tokens (
    component_appid     text        PRIMARY KEY REFERENCES components,
    access_token_sealed bytea       CONSTRAINT component_tokens_access_token_given CHECK (octet_length(access_token_sealed) > 33),
    expires_at          timestamptz,
    renewed_at          timestamptz,
    version             bigint      NOT NULL DEFAULT 0,
    failures            integer     NOT NULL DEFAULT 0,
    renew_after         timestamptz NOT NULL,
    last_error          jsonb
);

-- Every authorization event and every event of a kind we do not know, once. Tickets live in components.
CREATE TABLE component_events (
    id               uuid        PRIMARY KEY,
    component_appid  text        NOT NULL REFERENCES components,
    digest           bytea       NOT NULL,
    info_type        text        NOT NULL,
    authorizer_appid text        NOT NULL DEFAULT '',
    body_sealed      bytea       NOT NULL,
    happened_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    processed_at     timestamptz,
    last_error       text        NOT NULL DEFAULT '',
    CONSTRAINT component_events_once UNIQUE (component_appid, digest)
);
CREATE INDEX component_events_unprocessed ON component_events (received_at) WHERE processed_at IS NULL;
CREATE INDEX component_events_by_authorizer ON component_events (component_appid, authorizer_appid, happened_at);
