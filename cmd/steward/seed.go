package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const (
	// seedFile remembers the key and the tenants between two starts, blockFile is the body of the block that we print.
	seedFile  = "demo.json"
	blockFile = "block.json"
	blockSize = 45
)

// seeded is what the demo prints.
type seeded struct {
	URL          string         `json:"url"`
	SimulatorURL string         `json:"simulator_url"`
	Key          string         `json:"key"`
	Tenants      []seededTenant `json:"tenants"`

	forgiven []string // openids of the block that the printed unblock takes off
}

type seededTenant struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	Accounts []string  `json:"accounts"` // appids
}

// demoAccount is an account of the simulated WeChat, and what the demo does with it.
type demoAccount struct {
	simulator.Account
	tenant int                                         // index into demoTenants; -1: not authorized, for trying a connect link
	after  func(*simulator.Server, *demoAccount) error // what happened to the account after it authorized us
}

func demoTenants() []string {
	return []string{"Lotus Tea 莲香茶饮", "Harbour Books 港湾书店", "Northwind Fitness 北风健身"}
}

// demoAccounts are eight authorized accounts, one in each state that staff meet, and two that may still be connected.
func demoAccounts() []demoAccount {
	official := func(n int, name, principal string, followers int, sets ...int) simulator.Account {
		return simulator.Account{
			AppID: fmt.Sprintf("wx5de0%012x", n), UserName: fmt.Sprintf("gh_5de0%08x", n), NickName: name, PrincipalName: principal,
			ServiceType: 2, PermissionSets: sets, FollowerCount: followers,
		}
	}
	const lotus, harbour, northwind = "莲香餐饮管理有限公司", "港湾文化传播有限公司", "北风体育发展有限公司"
	unverified := official(6, "港湾读书会", harbour, 80, 1, 2)
	unverified.VerifyType, unverified.ServiceType = -1, 0
	return []demoAccount{
		{Account: withUnionIDs(official(1, "莲香茶饮 Lotus Tea", lotus, 500, 1, 2, 3, 7, 11, 15), 300), tenant: 0},
		{Account: withUnionIDs(official(2, "莲香会员中心", lotus, 300, 1, 3, 100), 300), tenant: 0},
		{Account: official(3, "莲香招聘", lotus, 60, 1, 3), tenant: 0}, // set 2 is missing
		{Account: official(4, "港湾书店 Harbour Books", harbour, 1200, 1, 2, 11), tenant: 1},
		{Account: official(5, "港湾童书馆", harbour, 90, 1, 2), tenant: 1, after: revoke},
		{Account: unverified, tenant: 1},
		{Account: official(7, "北风健身 Northwind", northwind, 5000, 1, 2, 7), tenant: 2},
		{Account: official(8, "北风装备", northwind, 40, 1, 2), tenant: 2, after: freeze},
		{Account: official(9, "莲香外卖", lotus, 150, 1, 2, 3, 7), tenant: -1},
		{Account: official(10, "北风瑜伽", northwind, 150, 1, 3), tenant: -1},
	}
}

// withUnionIDs binds an account to its merchant's Open Platform account, where its first n followers are the same people as on
// the merchant's other accounts.
func withUnionIDs(account simulator.Account, n int) simulator.Account {
	account.UnionIDs = map[string]string{}
	for i := range n {
		account.UnionIDs[simulator.OpenID(account.AppID, i)] = fmt.Sprintf("oSimUnion-%010d", i)
	}
	return account
}

// The merchant takes the authorization back.
func revoke(sim *simulator.Server, account *demoAccount) error {
	if err := sim.Revoke(account.AppID); err != nil {
		return err
	}
	return sim.Push(context.Background(), simulator.Event{InfoType: simulator.Unauthorized, AuthorizerAppID: account.AppID})
}

// WeChat freezes the account; we hear of it at the next look at its profile.
func freeze(sim *simulator.Server, account *demoAccount) error {
	if err := sim.UpdateAccount(account.AppID, func(a *simulator.Account) { a.AccountStatus = 19 }); err != nil {
		return err
	}
	code, err := sim.SetPermissionSets(account.AppID, account.PermissionSets...)
	if err != nil {
		return err
	}
	return sim.Push(context.Background(), simulator.Event{InfoType: simulator.UpdateAuthorized, AuthorizerAppID: account.AppID, AuthorizationCode: code})
}

// seed brings the database and the simulated WeChat together. The simulator forgets everything between two starts, so
// each start authorizes the accounts again, the way merchants do, and gives WeChat back the blacklists that we know of.
func seed(ctx context.Context, a *app, sim *simulator.Server, dir string) (seeded, error) {
	if err := sim.PushTicket(ctx); err != nil {
		return seeded{}, err
	}
	// A token that this WeChat does not remember would look as if another system had ended it.
	if _, err := a.pool.Exec(ctx, `UPDATE component_tokens SET expires_at = renewed_at, renew_after = now()`); err != nil {
		return seeded{}, err
	}
	s, first, err := loadSeed(ctx, a, dir)
	if err != nil {
		return seeded{}, err
	}
	for i := range s.Tenants {
		s.Tenants[i].Accounts = nil
	}
	for _, account := range demoAccounts() {
		if account.tenant < 0 {
			continue
		}
		t := &s.Tenants[account.tenant]
		t.Accounts = append(t.Accounts, account.AppID)
		if err := connect(ctx, a, sim, t.ID, account.AppID); err != nil {
			return seeded{}, fmt.Errorf("%s: %w", account.AppID, err)
		}
		if err := restoreBlacklist(ctx, a, sim, t.ID, account.AppID); err != nil {
			return seeded{}, fmt.Errorf("%s: %w", account.AppID, err)
		}
		if account.after != nil {
			if err := account.after(sim, &account); err != nil {
				return seeded{}, fmt.Errorf("%s: %w", account.AppID, err)
			}
		}
	}
	if first {
		if err := seedBlacklist(ctx, a, sim, s.Tenants[0]); err != nil {
			return seeded{}, err
		}
	}
	err = s.write(dir, sim)
	return s, err
}

// loadSeed reads what the first start wrote, or makes the key and the tenants.
func loadSeed(ctx context.Context, a *app, dir string) (s seeded, first bool, err error) {
	content, err := os.ReadFile(filepath.Join(dir, seedFile))
	if err == nil {
		return s, false, json.Unmarshal(content, &s)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return seeded{}, false, err
	}
	demo := tenant.System("demo")
	_, key, err := a.tenants.CreatePlatformKey(ctx, demo, tenant.KeyParams{Name: "demo"})
	if err != nil {
		return seeded{}, false, err
	}
	s.Key = key.Reveal()
	for _, name := range demoTenants() {
		t, err := a.tenants.Create(ctx, demo, name)
		if err != nil {
			return seeded{}, false, err
		}
		s.Tenants = append(s.Tenants, seededTenant{ID: t.ID, Name: t.Name})
	}
	return s, true, nil
}

// connect goes the merchant's way: open the link, agree at WeChat, come back with the code.
func connect(ctx context.Context, a *app, sim *simulator.Server, tenantID uuid.UUID, appid string) error {
	link, err := a.authorizers.CreateConnectLink(ctx, tenant.System("demo"), tenantID, authorizer.ConnectLinkParams{AppID: appid})
	if err != nil {
		return err
	}
	code, err := sim.Authorize(appid)
	if err != nil {
		return err
	}
	_, _, err = a.authorizers.FinishConnectLink(ctx, path.Base(link.URL), code)
	return err
}

func restoreBlacklist(ctx context.Context, a *app, sim *simulator.Server, tenantID uuid.UUID, appid string) error {
	params := blacklist.ListParams{Actual: "blocked", Limit: 1000}
	for {
		page, err := a.blacklist.List(ctx, tenant.System("demo"), tenantID, appid, params)
		if err != nil {
			return err
		}
		openids := make([]string, len(page.Entries))
		for i, entry := range page.Entries {
			openids[i] = entry.OpenID
		}
		if err := sim.RemoteBlock(appid, openids...); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		params.Cursor = page.Next
	}
}

// seedBlacklist blocks some people with reasons, and has the merchant block a few by hand.
func seedBlacklist(ctx context.Context, a *app, sim *simulator.Server, t seededTenant) error {
	appid := t.Accounts[0]
	followers := sim.FollowersOf(appid)
	if err := sim.RemoteBlock(appid, followers[100:104]...); err != nil {
		return err
	}
	demo := tenant.System("demo")
	for _, wish := range []blacklist.Request{
		{OpenIDs: followers[110:132], Reason: "advertising in comments 评论区广告"},
		{OpenIDs: followers[140:143], Reason: "abusive messages 辱骂客服"},
	} {
		if _, _, err := a.blacklist.Block(ctx, demo, t.ID, appid, wish); err != nil {
			return err
		}
	}
	_, err := a.blacklist.StartPull(ctx, demo, t.ID, appid)
	return err
}

// write keeps the key and the tenants for the next start, and the body of the block that we print.
func (s *seeded) write(dir string, sim *simulator.Server) error {
	openids := sim.FollowersOf(s.Tenants[0].Accounts[0])[:blockSize]
	s.forgiven = openids[:3]
	for name, content := range map[string]any{
		seedFile:  seeded{Key: s.Key, Tenants: s.Tenants},
		blockFile: map[string]any{"openids": openids, "reason": "spam"},
	} {
		encoded, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), encoded, 0o600); err != nil {
			return err
		}
	}
	return nil
}
