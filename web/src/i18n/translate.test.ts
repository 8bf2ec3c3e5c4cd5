import { describe, expect, test } from 'vitest';
import { translate } from './translate';
import chinese from './zh-server.json';

test.each([
  [
    'The newest is 4m12s old. WeChat was never asked to push tickets again.',
    '最新的 ticket 收到已 4 分 12 秒。从未请求微信重新推送 ticket。',
  ],
  [
    "This machine's clock is 3s ahead of the database's and in step with WeChat's. The newest ticket came 2s after WeChat made it.",
    '与数据库相比，本机时钟快 3 秒；与微信相比，一致。最新的 ticket 在微信生成后 2 秒到达。',
  ],
  [
    'WeChat refused 192.0.2.7 on 2026-03-01 12:00:00 UTC: invalid ip 192.0.2.7, not in whitelist rid: 6553f100-1a2b3c4d-0badcafe.',
    '微信于 2026-03-01 12:00:00 UTC 拒绝了 192.0.2.7：invalid ip 192.0.2.7, not in whitelist rid: 6553f100-1a2b3c4d-0badcafe。',
  ],
  [
    "Add the public IP address of this server to the platform's IP whitelist in the Open Platform console, and publish the platform again. The address is 192.0.2.7.",
    '请在微信开放平台把本服务器的公网 IP 加入平台的白名单 IP，并重新全网发布。该地址为 192.0.2.7。',
  ],
  [
    'WeChat has pushed no ticket for 1h0m0s; it should push one every ten minutes.',
    '微信已有 1 小时没有推送 ticket，正常应每十分钟推送一次。',
  ],
  [
    'WeChat takes none of the tickets that it pushed: component ticket is invalid Asked to push them again, it failed: system error',
    '微信不接受它推送过的任何 ticket：component ticket is invalid。请求其重新推送也失败了：system error。',
  ],
  [
    'There is none: WeChat has pushed no component_verify_ticket yet, or the last one is more than 12 hours old.',
    '没有令牌：微信尚未推送 component_verify_ticket，或最近一次已超过 12 小时。',
  ],
  [
    'WeChat refused with 40013: invalid appid rid: 6553f100-1a2b3c4d-0badcafe. Check the AppID: WeChat does not know it, or it is not the one that the token belongs to.',
    '微信拒绝（40013）：invalid appid rid: 6553f100-1a2b3c4d-0badcafe。请核对 AppID：微信找不到它，或它与令牌不属于同一账号。',
  ],
  [
    'Account wx01: the merchant took the authorization back. Nothing was done. Make a connect link for the account, through which its administrator authorizes again.',
    '账号 wx01：商户已取消授权。没有执行任何操作。请为该账号创建授权链接，由其管理员重新授权。',
  ],
])('%s', (english, expected) => {
  expect(translate(english)).toBe(expected);
});

test('What is not known stays as it is, all of it', () => {
  expect(translate('refresh_token is invalid')).toBeUndefined();
  expect(translate('The newest is 4m12s old. Nobody has translated this.')).toBeUndefined();
});

describe('Every pattern', () => {
  test.each(Object.entries(chinese.patterns))('%s fills in all that it takes out', (format, text) => {
    const verbs = format.match(/%[a-z]/g)?.length ?? 0;
    const places = [...text.matchAll(/{(\d)}/g)].map(([, place]) => Number(place)).sort();
    expect(places).toEqual(Array.from({ length: verbs }, (_, n) => n + 1));
  });
});
