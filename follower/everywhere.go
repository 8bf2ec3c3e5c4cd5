package follower

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// What this file exports is for packages that act on people on all of a tenant's accounts. It asks for no scope, since they ask
// for their own; db may be a transaction.

// At is an openid on an account.
type At struct {
	AuthorizerID uuid.UUID
	OpenID       string
}

// UnionIDs tells the unionids of people of whom an openid is known, as far as directories with unionids know.
func (s *Service) UnionIDs(ctx context.Context, db Querier, tenantID uuid.UUID, people []At) (map[At]string, error) {
	accounts, openids := make([]uuid.UUID, len(people)), make([]string, len(people))
	for i, at := range people {
		accounts[i], openids[i] = at.AuthorizerID, at.OpenID
	}
	rows, err := db.Query(ctx, `
		SELECT n.authorizer_id, n.openid, f.unionid FROM unnest($2::uuid[], $3::text[]) AS n (authorizer_id, openid)
		CROSS JOIN LATERAL (SELECT * FROM followers f WHERE f.tenant_id = $1 AND f.authorizer_id = n.authorizer_id AND f.openid = n.openid OFFSET 0) f
		JOIN follower_directories d ON d.tenant_id = $1 AND d.authorizer_id = n.authorizer_id
		WHERE f.unionid IS NOT NULL AND d.unionids AND `+shown, tenantID, accounts, openids)
	if err != nil {
		return nil, fmt.Errorf("look up openids: %w", err)
	}
	unionids := make(map[At]string, len(people))
	var at At
	var unionid string
	_, err = pgx.ForEachRow(rows, []any{&at.AuthorizerID, &at.OpenID, &unionid}, func() error {
		unionids[at] = unionid
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up openids: %w", err)
	}
	return unionids, nil
}

// Knowledge is what a directory knows.
type Knowledge string

// The kinds of knowledge.
const (
	KnowsNobody     Knowledge = ""            // it is off
	KnowsOpenIDs    Knowledge = "openids"     // it is on, without unionids
	KnowsSomebody   Knowledge = "learning"    // it is on, with unionids, and does not know all of them yet
	KnowsNoUnionIDs Knowledge = "no unionids" // WeChat gives none: the account is bound to no Open Platform account
	KnowsEverybody  Knowledge = "unionids"    // it has been read whole, and nobody is left to be asked about
)

// Knowledge tells what the directories of a tenant's accounts know, by account. Accounts whose directory was never turned on
// are not in the answer.
func (s *Service) Knowledge(ctx context.Context, db Querier, tenantID uuid.UUID) (map[uuid.UUID]Knowledge, error) {
	rows, err := db.Query(ctx, `
		SELECT d.authorizer_id, CASE WHEN NOT (`+shown+`) THEN '' WHEN NOT d.unionids THEN 'openids'
			WHEN d.synced_at IS NULL OR d.fill_due OR d.chore <> '' THEN 'learning'
			WHEN EXISTS (SELECT FROM followers f WHERE f.tenant_id = d.tenant_id AND f.authorizer_id = d.authorizer_id AND f.unionid_due) THEN 'no unionids'
			ELSE 'unionids' END
		FROM follower_directories d WHERE d.tenant_id = $1`, tenantID)
	if err != nil {
		return nil, fmt.Errorf("read directories: %w", err)
	}
	known := map[uuid.UUID]Knowledge{}
	var id uuid.UUID
	var k Knowledge
	_, err = pgx.ForEachRow(rows, []any{&id, &k}, func() error {
		known[id] = k
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read directories: %w", err)
	}
	return known, nil
}
