import { expect, test } from 'vitest';
import { absolute, relative } from './format';

const now = Date.parse('2026-03-01T12:00:00Z');

test.each([
  ['2026-03-01T13:59:59Z', 'in 1 hour', '1小时后'],
  ['2026-03-01T14:00:00Z', 'in 2 hours', '2小时后'],
  ['2026-03-01T11:55:00Z', '5 minutes ago', '5分钟前'],
  ['2026-02-28T11:00:00Z', '1 day ago', '1天前'],
  ['2027-03-02T12:00:00Z', 'in 1 year', '1年后'],
  ['2026-03-01T12:00:59Z', undefined, undefined],
  ['2026-03-01T11:59:01Z', undefined, undefined],
])('%s is %s', (at, english, chinese) => {
  expect(relative(at, now, 'en')).toBe(english);
  expect(relative(at, now, 'zh-CN')).toBe(chinese);
});

test('The exact time names its zone', () => {
  expect(absolute('2026-03-01T12:00:00Z', 'en')).toMatch(/2026.*:00:00.*(UTC|GMT|[A-Z]{3,4})/);
});
