package sharedlist_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
)

// People come to two lists and go, by unionid and by openid, while several processes sweep and push: in the end those are
// blocked at WeChat who stand on a list, and nobody else, whoever was faster.
func TestPeopleWhoComeAndGoEndAsTheListsSay(t *testing.T) {
	t.Parallel()
	b := setup(t, 2, func(c *sharedlist.Config) { c.Chunk = 3 })
	b.know0(t)
	ctx := context.WithoutCancel(t.Context())
	lists := []sharedlist.List{b.list, b.newList(t, "scalpers")}
	var busy, sweeping sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		other := b.process(t)
		sweeping.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = errors.Join(other.lists.Sweep(ctx), other.blacklist.Sweep(ctx)) // what fails comes again
				}
			}
		})
	}
	for range 3 {
		busy.Go(func() {
			for range 25 {
				list, n := lists[rand.IntN(2)], rand.IntN(5)
				a := sharedlist.Addition{UnionIDs: []string{union(n)}}
				if rand.IntN(3) == 0 {
					a = sharedlist.Addition{OpenIDs: []string{b.openid(0, n)}, AppID: b.accounts[0].AppID}
				}
				_, err := b.lists.Add(ctx, b.key, b.tenantID, list.ID, a)
				if err != nil {
					t.Errorf("add: %v", err)
				}
				b.removeSomebody(ctx, t, lists[rand.IntN(2)])
			}
		})
	}
	busy.Wait()
	close(stop)
	sweeping.Wait()
	b.done(t)

	want := []map[string]bool{{}, {}}
	for _, list := range lists {
		page, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{})
		require.NoError(t, err)
		for _, p := range page.Persons {
			for n := range 10 {
				if p.UnionID == union(n) || p.OpenID == b.openid(0, n) {
					want[0][b.openid(0, n)], want[1][b.openid(1, n)] = true, true
				}
			}
		}
	}
	for account := range want {
		got := map[string]bool{}
		for _, openid := range b.blacklisted(account) {
			got[openid] = true
		}
		require.Equal(t, want[account], got, "account %d\n%s", account, b.Logs.Trouble())
	}
}

// removeSomebody takes off a list whom chance chooses; somebody else may do so at the same time.
func (b *bundle) removeSomebody(ctx context.Context, t *testing.T, list sharedlist.List) {
	t.Helper()
	page, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{})
	if err != nil {
		t.Errorf("read: %v", err)
	}
	if len(page.Persons) == 0 {
		return
	}
	person := page.Persons[rand.IntN(len(page.Persons))]
	if err := b.lists.Remove(ctx, b.key, b.tenantID, list.ID, person.ID, ""); err != nil && !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("remove: %v", err)
	}
}
