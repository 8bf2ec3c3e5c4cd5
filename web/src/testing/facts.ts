import type { Authorizer, Batch, BatchItem, BlacklistEntry, Me, PermissionSet, Tenant } from '../client';

export const tenant: Tenant = { id: 't1', name: 'Lotus Tea', status: 'active', created_at: '2026-01-01T00:00:00Z' };
export const otherTenant: Tenant = { id: 't2', name: 'Harbour Books', status: 'active', created_at: '2026-01-02T00:00:00Z' };

export const platform: Me = {
  kind: 'platform_key',
  name: 'ops',
  tenant_id: null,
  scopes: ['authorizers:read', 'connect-links:write', 'blacklist:read', 'blacklist:write', 'keys:write', 'audit:read'],
};
export const tenantsOwn: Me = { ...platform, kind: 'tenant_key', name: 'lotus-crm', tenant_id: 't1' };

export const messages: PermissionSet = { id: 1, name_zh: '消息管理权限', name_en: 'message management' };
export const users: PermissionSet = { id: 2, name_zh: '用户管理权限', name_en: 'user management' };

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
    pause_reason: '',
    paused_until: null,
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
