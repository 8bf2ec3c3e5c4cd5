DROP TABLE reconciliation_accounts;
DROP TABLE reconciliations;
DROP TABLE alerts;

DROP INDEX authorizers_by_profile_due;
ALTER TABLE authorizers DROP COLUMN profile_due_at;
CREATE INDEX authorizers_by_profile_age ON authorizers (profile_read_at NULLS FIRST) WHERE state IN ('active', 'limited');

DROP INDEX authorizer_tokens_failing;
DROP INDEX authorizer_tokens_contested;
DROP INDEX authorizer_tokens_by_due;
UPDATE authorizer_tokens SET renew_after = now() WHERE renew_after IS NULL;
ALTER TABLE authorizer_tokens
    ALTER COLUMN renew_after SET NOT NULL,
    DROP CONSTRAINT authorizer_tokens_account,
    DROP COLUMN refused_early_at,
    DROP COLUMN refused_early,
    DROP COLUMN failed_at,
    DROP COLUMN failing_since,
    DROP COLUMN shard,
    DROP COLUMN component_appid;
CREATE INDEX authorizer_tokens_by_due ON authorizer_tokens (renew_after);
ALTER TABLE authorizers DROP CONSTRAINT authorizers_component_row;

ALTER TABLE component_tokens
    DROP COLUMN refused_early_at,
    DROP COLUMN refused_early,
    DROP COLUMN failed_at,
    DROP COLUMN failing_since;
ALTER TABLE components
    DROP COLUMN ticket_requested_at,
    DROP COLUMN previous_keys_until;
ALTER TABLE tenants DROP COLUMN token_handout;
UPDATE api_keys SET scopes = array_remove(array_remove(scopes, 'authorizers:write'), 'tokens:read');
