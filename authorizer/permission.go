package authorizer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// Operation is something done on behalf of an account that needs a permission set of WeChat's.
type Operation string

// The operations.
const (
	OpBlacklist Operation = "blacklist" // reading and changing the blacklist
	OpFollowers Operation = "follower"  // reading the list of followers, and what is known of them
)

// sets returns the permission sets of which one must be granted. WeChat's pages of these APIs name 2 and 100.
func (o Operation) sets() []int {
	switch o {
	case OpBlacklist, OpFollowers:
		return []int{2, 100}
	}
	return nil
}

// PermissionSetName is a permission set (权限集) as people know it.
type PermissionSetName struct {
	ID     int
	NameZH string
	NameEN string
}

// permissionSets are those of official accounts. Source: WeChat's page 公众号权限集说明; 14 and 16 stood in older versions
// of it, 121 stands in none and is named as SDKs name it. 100 is in no list: WeChat's pages of single APIs name it
// beside 2, and its staff said to ask merchants for 2.
var permissionSets = map[int]PermissionSetName{
	1:   {1, "消息管理权限", "message management"},
	2:   {2, "用户管理权限", "user management"},
	3:   {3, "帐号服务权限", "account service"},
	4:   {4, "网页服务权限", "web service"},
	5:   {5, "微信小店权限", "WeChat shop"},
	6:   {6, "微信多客服权限", "multi customer service"},
	7:   {7, "群发与通知权限", "broadcast and notification"},
	8:   {8, "微信卡券权限", "cards and vouchers"},
	9:   {9, "微信扫一扫权限", "WeChat scan"},
	10:  {10, "微信连WIFI权限", "Wi-Fi via WeChat"},
	11:  {11, "素材管理权限", "material management"},
	12:  {12, "微信摇周边权限", "shake nearby"},
	13:  {13, "微信门店权限", "stores"},
	14:  {14, "微信支付权限", "WeChat Pay"},
	15:  {15, "自定义菜单权限", "custom menu"},
	16:  {16, "获取认证状态及信息", "verification status"},
	22:  {22, "城市服务接口权限", "city services"},
	23:  {23, "广告管理权限", "advertising"},
	24:  {24, "开放平台帐号管理权限", "Open Platform account management"},
	26:  {26, "微信电子发票权限", "e-invoice"},
	27:  {27, "快速注册小程序权限", "quick registration of mini programs"},
	33:  {33, "小程序管理权限", "linked mini programs"},
	34:  {34, "微信商品库权限", "product library"},
	35:  {35, "微信卡路里权限", "calories"},
	44:  {44, "好物圈权限", "good-things circle"},
	46:  {46, "微信一物一码权限", "one item one code"},
	47:  {47, "微信财政电子票据权限", "fiscal e-bill"},
	54:  {54, "服务号对话权限", "service account dialogue"},
	66:  {66, "服务平台管理权限", "service market"},
	89:  {89, "订阅通知权限", "subscription notification"},
	100: {100, "微信未公布名称", "no name published by WeChat"},
	121: {121, "公众号购物订单", "official account shopping orders"},
}

// DescribePermissionSets names permission sets, in the order given. A set that we do not know is named by its number.
func DescribePermissionSets(ids []int) []PermissionSetName {
	names := make([]PermissionSetName, 0, len(ids))
	for _, id := range ids {
		name, known := permissionSets[id]
		if !known {
			name = PermissionSetName{ID: id, NameZH: fmt.Sprintf("权限集 %d", id), NameEN: fmt.Sprintf("permission set %d", id)}
		}
		names = append(names, name)
	}
	return names
}

// AccountStateError says that nothing can be done on behalf of an account in the state it is in.
type AccountStateError struct {
	AppID      string
	State      State
	Reason     string
	ConnectURL string // where the merchant authorizes anew; empty where none was made
	cause      error
}

func (e *AccountStateError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("account %s is %s", e.AppID, e.State)
	}
	return fmt.Sprintf("account %s is %s: %s", e.AppID, e.State, e.Reason)
}

// Unwrap returns the refusal by WeChat that told us just now, if there was one.
func (e *AccountStateError) Unwrap() error { return e.cause }

// PermissionMissingError says that the merchant has not granted what an operation needs.
type PermissionMissingError struct {
	AppID      string
	Operation  Operation
	Granted    []PermissionSetName
	Needed     []PermissionSetName // any one of them suffices
	ConnectURL string              // where the merchant grants it; empty where none was made
}

func (e *PermissionMissingError) Error() string {
	needed := make([]string, len(e.Needed))
	for i, set := range e.Needed {
		needed[i] = fmt.Sprintf("%d (%s)", set.ID, set.NameEN)
	}
	return fmt.Sprintf("account %s has not granted the permission set that %s work needs: %s", e.AppID, e.Operation, strings.Join(needed, " or "))
}

// Check tells whether op can be done on behalf of account, as it was read, before anything is promised to anybody.
// It fails with an *[AccountStateError] or a *[PermissionMissingError]; both carry a connect link for this account, valid
// for a day, which p needs no scope to be given. It asks nothing of WeChat, which has the last word.
func (s *Service) Check(ctx context.Context, p tenant.Principal, account Account, op Operation) error {
	if !p.IsPlatform() && (account.TenantID == uuid.Nil || p.TenantID != account.TenantID) {
		return tenant.ErrNotFound
	}
	if account.State != StateActive {
		return &AccountStateError{
			AppID: account.AppID, State: account.State, Reason: account.StateReason, ConnectURL: s.reconnectURL(ctx, p, account),
		}
	}
	needed := op.sets()
	granted := func(id int) bool { return slices.Contains(account.PermissionSets, id) }
	if len(needed) > 0 && !slices.ContainsFunc(needed, granted) {
		return &PermissionMissingError{
			AppID: account.AppID, Operation: op,
			Granted: DescribePermissionSets(account.PermissionSets), Needed: DescribePermissionSets(needed),
			ConnectURL: s.reconnectURL(ctx, p, account),
		}
	}
	return nil
}

// ids returns the numbers of permission sets, ascending and each once.
func ids(sets []wechat.PermissionSet) []int {
	list := make([]int, len(sets))
	for i, set := range sets {
		list[i] = set.ID
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// May tells whether op can be done on behalf of the account, as it was read: [Service.Check] without a reason.
func (a Account) May(op Operation) bool {
	needed := op.sets()
	return a.State == StateActive &&
		(len(needed) == 0 || slices.ContainsFunc(needed, func(id int) bool { return slices.Contains(a.PermissionSets, id) }))
}
