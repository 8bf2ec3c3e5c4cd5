import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { toLanguage } from '.';
import en from './en.json';
import zhCN from './zh-CN.json';
import server from './zh-server.json';

const texts = { en: flatten(en), 'zh-CN': flatten(zhCN) };
const plural = /_(zero|one|two|few|many|other)$/;

function flatten(tree: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null ? [...flatten(value, `${prefix}${key}.`)] : [[`${prefix}${key}`, String(value)] as const],
    ),
  );
}

function keys(language: keyof typeof texts): string[] {
  return [...new Set([...texts[language].keys()].map((key) => key.replace(plural, '')))].sort();
}

/** {{values}} and <tags/> of all forms of a text. */
function holes(language: keyof typeof texts, key: string): string[] {
  const found = new Set<string>();
  for (const [name, text] of texts[language]) {
    if (name.replace(plural, '') === key) for (const hole of text.match(/{{\w+}}|<\w+\/>/g) ?? []) found.add(hole);
  }
  return [...found].sort();
}

describe('The two languages', () => {
  test('have the same keys', () => {
    expect(keys('zh-CN')).toEqual(keys('en'));
  });

  test.each(['en', 'zh-CN'] as const)('%s has the plural forms that it needs, and no others', (language) => {
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted();
    const forms = new Map<string, string[]>();
    for (const key of texts[language].keys()) {
      const form = plural.exec(key)?.[1];
      const base = key.replace(plural, '');
      if (form) forms.set(base, [...(forms.get(base) ?? []), form].sort());
    }
    for (const [key, found] of forms) expect(found, key).toEqual(needed);
  });

  test('leave out nothing and fill in the same values', () => {
    for (const key of keys('en')) {
      expect(holes('zh-CN', key), key).toEqual(holes('en', key));
    }
    for (const [language, all] of Object.entries(texts)) {
      for (const [key, text] of all) expect(text.trim(), `${language} ${key}`).not.toBe('');
    }
  });
});

describe('The language of a reader', () => {
  test.each([
    ['zh', 'zh-CN'],
    ['zh-TW', 'zh-CN'],
    ['zh-Hans-CN', 'zh-CN'],
    ['en-GB', 'en'],
    ['de', 'en'],
    [undefined, 'en'],
  ])('%s reads %s', (code, language) => {
    expect(toLanguage(code)).toBe(language);
  });
});

test("WeChat's codes: every advice that the API gives has its Chinese", () => {
  const codes = readFileSync('../wechat/code.go', 'utf8'); // npm runs in web/
  const sentences = [...codes.matchAll(/"((?:[^"\\]|\\.)+\.)"/g)]
    .map(([, sentence]) => sentence ?? '')
    .filter((text) => text.includes(' '));
  expect(sentences.length).toBeGreaterThan(30);
  expect(sentences.filter((sentence) => !(sentence in server.sentences))).toEqual([]);
});

test('What is said of broken tokens, of tickets, by a diagnosis and of openids has its Chinese', () => {
  const files = [
    'authorizer/health.go',
    'blacklist/item.go',
    'blacklist/destination.go',
    'component/finding.go',
    'component/reach.go',
    'component/tokensql.go',
    'component/watch.go',
  ];
  const said = files
    .map((file) =>
      readFileSync(`../${file}`, 'utf8')
        .replace(/\/\/.*$/gm, '')
        .replace(/"\s*\+\s*"/g, ''),
    )
    .flatMap((source) => [...source.matchAll(/"((?:[^"\\\n]|\\.)+\.)"/g)].map(([, text]) => text?.trim() ?? ''))
    .filter((text) => /^([A-Z]|%s ).* /.test(text));
  expect(said.length).toBeGreaterThan(40);
  expect(said.filter((text) => !(text in server.sentences) && !(text in server.patterns))).toEqual([]);
});

test('What is said of the reading of followers has its Chinese', () => {
  const said = ['follower/directory.go', 'follower/fail.go', 'follower/read.go'].flatMap((file) =>
    [
      ...readFileSync(`../${file}`, 'utf8')
        .replace(/\/\/.*$/gm, '')
        .matchAll(/"([A-Z][^"\n]* [^"\n]*\.)"/g),
    ].map(([, text]) => text ?? ''),
  );
  expect(said.length).toBeGreaterThan(5);
  expect(said.filter((text) => !(text in server.sentences) && !(text in server.patterns))).toEqual([]);
});

test('Every code of a problem has its Chinese', () => {
  const table = readFileSync('../api/problem.go', 'utf8');
  const codes = [...table.matchAll(/answer\{[\w.]+, "([a-z-]+)"/g)].map(([, code]) => code ?? '');
  expect(codes.length).toBeGreaterThan(15);
  expect(codes.filter((code) => !(code in server.problems))).toEqual([]);
});
