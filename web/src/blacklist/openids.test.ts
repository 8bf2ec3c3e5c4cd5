import { describe, expect, test } from 'vitest';
import { readOpenIds } from './openids';

const a = 'oJ5xkuSN7rMzfGcB2DKt67EqDWQa';
const b = 'oJ5x-2RDUVYNgpb-baMyI2sfjWGy';
const c = 'oJ5x_jXhkhIeq_Pav59epqvby8EH';

describe('Pasted openids', () => {
  test.each([
    ['one a line', `${a}\n${b}\n${c}`],
    ['lines of Windows', `${a}\r\n${b}\r\n${c}\r\n`],
    ['commas', `${a},${b},${c},`],
    ['commas at the ends of lines', `${a},\n${b},\n${c}`],
    ['spaces and tabs', ` ${a} ${b}\t${c} `],
    ['Chinese separators', `${a}，${b}、${c}；`],
  ])('are told apart by %s', (_, text) => {
    expect(readOpenIds(text)).toEqual({ openids: [a, b, c], unique: 3, duplicates: 0, blanks: 0, tooLong: 0, odd: [] });
  });

  test('keep their duplicates, counted', () => {
    expect(readOpenIds(`${a}\n${b}\n${a}\n${a}`)).toMatchObject({ openids: [a, b, a, a], unique: 2, duplicates: 2 });
  });

  test('lose their blanks, counted', () => {
    expect(readOpenIds(`\n${a}\n\n  \n${b},,${c}\n\n\n`)).toMatchObject({ openids: [a, b, c], blanks: 4 });
  });

  test('are none in an empty field', () => {
    expect(readOpenIds(' \n\n ')).toMatchObject({ openids: [], unique: 0, blanks: 0 });
  });

  test('that look like something else are named', () => {
    expect(readOpenIds(`openid\n${a}\n13800138000`).odd).toEqual(['openid', '13800138000']);
  });

  test('that are too long are counted', () => {
    expect(readOpenIds(`${a}\n${'x'.repeat(129)}`)).toMatchObject({ tooLong: 1, unique: 2 });
  });

  test('may be a hundred thousand', () => {
    const text = Array.from({ length: 100_000 }, (_, i) => `oJ5xkuSN7rMzfGcB2DKt${i}`).join('\n');
    expect(readOpenIds(text).unique).toBe(100_000);
  });
});
