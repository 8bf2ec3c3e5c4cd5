import chinese from './zh-server.json';

const sentences: Partial<Record<string, string>> = chinese.sentences;

/**
 * Sentences of which parts differ from time to time: Go's formats, and in their Chinese {1}, {2} for what stands in the places of its verbs.
 * Fixed sentences are among them, because others may follow on them.
 */
const patterns = Object.entries({ ...chinese.patterns, ...chinese.sentences }).map(([format, text]) => {
  const escaped = format.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%[a-z]/g, '(.+?)');
  return { start: new RegExp(`^${escaped} `, 's'), whole: new RegExp(`^${escaped}$`, 's'), text };
});

/** The Chinese of one English sentence of the API's, or of several in a row; undefined where a part of it has none. */
export function translate(english: string): string | undefined {
  return sentences[english] ?? severalSentences(english) ?? oneSentence(english);
}

// Before oneSentence, which would take all that follows a sentence for a part of it.
function severalSentences(english: string): string | undefined {
  for (const { start, text } of patterns) {
    const found = start.exec(english);
    const rest = found && translate(english.slice(found[0].length));
    if (found && rest) return fill(text, found) + rest;
  }
  return undefined;
}

function oneSentence(english: string): string | undefined {
  for (const { whole, text } of patterns) {
    const found = whole.exec(english);
    if (found) return fill(text, found);
  }
  return undefined;
}

function fill(text: string, found: RegExpExecArray): string {
  return text.replace(/{(\d)}/g, (_, place: string) => part(found[Number(place)] ?? ''));
}

const duration = /^-?(?:\d+h)?(?:\d+m)?\d+s$/;

/** What stands inside a sentence: a duration as Go prints it, words of their own, or something that is the same in every language. */
function part(english: string): string {
  if (!duration.test(english)) return translate(english)?.replace(/。$/, '') ?? english;
  return english
    .replace('h', ' 小时 ')
    .replace('m', ' 分 ')
    .replace('s', ' 秒')
    .replace(/(?: 0 分)? 0 秒$/, '');
}
