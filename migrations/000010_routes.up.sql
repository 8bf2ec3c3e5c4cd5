-- A request that named no account: its openids went to the accounts that they belong to, a batch for each, and those that
-- went nowhere are kept with the reason, so that the same request gets the same answer again.
CREATE TABLE blacklist_routes (
    tenant_id  uuid        NOT NULL REFERENCES tenants,
    id         uuid        NOT NULL,
    unrouted   jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE blacklist_batches
    ADD COLUMN route_id uuid,
    ADD CONSTRAINT blacklist_batches_route FOREIGN KEY (tenant_id, route_id) REFERENCES blacklist_routes (tenant_id, id);
CREATE INDEX blacklist_batches_by_route ON blacklist_batches (tenant_id, route_id) WHERE route_id IS NOT NULL;
