import type {
  Alert,
  Authorizer,
  Batch,
  BatchItem,
  BlacklistEntry,
  Component,
  Follower,
  FollowerDirectory,
  FollowerSync,
  Me,
  PermissionSet,
  Reconciliation,
  SharedList,
  SharedPerson,
  SharedPlace,
  Tenant,
  TokenError,
  TokenHealth,
} from '../client';

export const tenant: Tenant = { id: 't1', name: 'Lotus Tea', status: 'active', token_handout: false, created_at: '2026-01-01T00:00:00Z' };
export const otherTenant: Tenant = {
  id: 't2',
  name: 'Harbour Books',
  status: 'active',
  token_handout: false,
  created_at: '2026-01-02T00:00:00Z',
};

export const platform: Me = {
  kind: 'platform_key',
  name: 'ops',
  tenant_id: null,
  scopes: [
    'authorizers:read',
    'authorizers:write',
    'tokens:read',
    'connect-links:write',
    'followers:read',
    'blacklist:read',
    'blacklist:write',
    'keys:write',
    'audit:read',
  ],
};
export const tenantsOwn: Me = { ...platform, kind: 'tenant_key', name: 'lotus-crm', tenant_id: 't1' };

export const messages: PermissionSet = { id: 1, name_zh: '消息管理权限', name_en: 'message management' };
export const users: PermissionSet = { id: 2, name_zh: '用户管理权限', name_en: 'user management' };

export const wellHealth: TokenHealth = {
  status: 'ok',
  failing_since: null,
  attempts: 0,
  next_attempt_at: '2099-01-01T00:00:00Z',
  last_error: null,
  refused_early: 0,
  refused_early_at: null,
};

export const lostRefreshToken: TokenError = {
  errcode: 61023,
  message: 'refresh_token is invalid',
  rid: 'rid-1',
  at: '2026-01-01T00:00:00Z',
  advice: 'Ask the merchant to open a connect link and authorize the platform again.',
};

export function anAccount(values: Partial<Authorizer> = {}): Authorizer {
  return {
    appid: 'wx01',
    component_appid: 'wxc0',
    tenant_id: 't1',
    nick_name: 'Lotus',
    state: 'active',
    state_reason: '',
    permission_sets: [messages, users],
    can_blacklist: true,
    warnings: [],
    service_type: 2,
    verify_type: 0,
    account_status: 1,
    principal_name: 'Lotus Ltd',
    user_name: 'gh_01',
    alias: '',
    head_img: '',
    qrcode_url: '',
    mini_program: false,
    authorized_at: '2026-01-01T00:00:00Z',
    revoked_at: null,
    token: { expires_at: null, renewed_at: null, last_error: null },
    health: wellHealth,
    ...values,
  };
}

export function aComponent(values: Partial<Component> = {}): Component {
  return {
    appid: 'wxc0',
    name: 'Our platform',
    event_url: 'https://steward.test/wechat/wxc0/events',
    message_url: 'https://steward.test/wechat/wxc0/messages/$APPID$',
    ticket_received_at: '2026-01-01T00:00:00Z',
    ticket_requested_at: null,
    previous_keys_until: null,
    access_token_expires_at: '2099-01-01T00:00:00Z',
    access_token_renewed_at: '2026-01-01T00:00:00Z',
    last_error: null,
    health: wellHealth,
    created_at: '2026-01-01T00:00:00Z',
    ...values,
  };
}

export function anAlert(values: Partial<Alert> = {}): Alert {
  return {
    id: 'a1',
    kind: 'renewal_failing',
    component_appid: 'wxc0',
    tenant_id: 't1',
    appid: 'wx01',
    nick_name: 'Lotus',
    raised_at: '2026-01-01T00:00:00Z',
    last_seen_at: '2026-01-02T00:00:00Z',
    cleared_at: null,
    errcode: 61023,
    rid: 'rid-1',
    message: 'refresh_token is invalid',
    advice: 'Ask the merchant to open a connect link and authorize the platform again.',
    ...values,
  };
}

export function aReconciliation(values: Partial<Reconciliation> = {}): Reconciliation {
  return {
    id: 'r1',
    component_appid: 'wxc0',
    status: 'done',
    requested_by: 'ops (platform_key)',
    total: 0,
    listed: 0,
    added: 0,
    restored: 0,
    absent: 0,
    profiles: 0,
    errcode: null,
    rid: '',
    error: '',
    advice: '',
    created_at: '2026-01-02T00:00:00Z',
    started_at: null,
    ended_at: null,
    ...values,
  };
}

export function anEntry(values: Partial<BlacklistEntry> = {}): BlacklistEntry {
  return {
    openid: 'oAlice',
    want: 'blocked',
    actual: 'blocked',
    pending: false,
    reason: 'spam',
    until: null,
    wanted_by: 'lotus-crm (tenant_key)',
    wanted_at: '2026-01-02T00:00:00Z',
    actual_at: '2026-01-02T00:00:00Z',
    batch_id: 'b0',
    errcode: null,
    rid: '',
    advice: '',
    ...values,
  };
}

export function aBatch(values: Partial<Batch> = {}): Batch {
  return {
    id: 'b1',
    action: 'block',
    authorizer_appid: 'wx01',
    status: 'done',
    counts: { total: 0, pending: 0, done: 0, already: 0, failed: 0, superseded: 0, cancelled: 0, skipped: 0 },
    reason: '',
    until: null,
    requested_by: 'ops (platform_key)',
    retry_of: null,
    undo_of: null,
    list_id: null,
    pause_reason: '',
    paused_until: null,
    paused_at: null,
    paused_by: '',
    created_at: '2026-01-02T00:00:00Z',
    started_at: null,
    ended_at: null,
    ...values,
  };
}

export function anItem(values: Partial<BatchItem> = {}): BatchItem {
  return { openid: 'oAlice', outcome: 'done', errcode: null, rid: '', advice: '', ended_at: null, ...values };
}

export function page<T>(...data: T[]): { data: T[]; next_cursor: string | null } {
  return { data, next_cursor: null };
}

export function aFollower(values: Partial<Follower> = {}): Follower {
  return {
    openid: 'oAlice',
    unionid: '',
    authorizer_appid: 'wx01',
    following: true,
    changed_at: '2026-01-01T00:00:00Z',
    ...values,
  };
}

export function aSync(values: Partial<FollowerSync> = {}): FollowerSync {
  return {
    status: 'done',
    requested_by: 'ops (platform_key)',
    total: 2_000,
    read: 2_000,
    added: 7,
    removed: 3,
    paused_until: null,
    errcode: null,
    rid: '',
    error: '',
    advice: '',
    asked_at: '2026-01-01T00:00:00Z',
    started_at: '2026-01-01T00:00:00Z',
    ended_at: '2026-01-01T00:01:00Z',
    ...values,
  };
}

/** One that is on, and read. */
export function aDirectory(values: Partial<FollowerDirectory> = {}): FollowerDirectory {
  return {
    authorizer_appid: 'wx01',
    enabled: true,
    unionids: false,
    erasing: false,
    events: true,
    followers: 2_000,
    synced_at: '2026-01-01T00:01:00Z',
    next_sync_at: '2099-01-01T00:00:00Z',
    changed_at: '2026-01-01T00:00:00Z',
    changed_by: 'ops (platform_key)',
    sync: aSync(),
    ...values,
  };
}

/** One that was never turned on. */
export const noDirectory = aDirectory({
  enabled: false,
  followers: null,
  synced_at: null,
  next_sync_at: null,
  changed_at: null,
  changed_by: '',
  sync: null,
});

export function aList(values: Partial<SharedList> = {}): SharedList {
  return {
    id: 'l1',
    name: 'Spammers',
    reason: 'spam',
    persons: 2,
    working: false,
    created_at: '2026-01-01T00:00:00Z',
    created_by: 'ops (platform_key)',
    ...values,
  };
}

/** Somebody who is on a list by unionid. */
export function aPerson(values: Partial<SharedPerson> = {}): SharedPerson {
  return {
    id: 'p1',
    unionid: 'uAlice',
    appid: null,
    openid: null,
    reason: '',
    added_at: '2026-01-01T00:00:00Z',
    added_by: 'ops (platform_key)',
    ...values,
  };
}

export function aPlace(values: Partial<SharedPlace> = {}): SharedPlace {
  return { appid: 'wx01', openid: 'oAlice', state: 'blocked', batch_id: 'b1', errcode: null, rid: '', advice: '', ...values };
}
