/** What one request may hold; the API refuses more. */
export const maxOpenIds = 100_000;
const maxLength = 128;

export interface PastedOpenIds {
  /** As they were pasted, duplicates included: the batch counts those as skipped, so that its total is what was pasted. */
  openids: string[];
  unique: number;
  duplicates: number;
  /** Lines, or places between commas, with nothing in them. */
  blanks: number;
  /** Longer than any openid: the API refuses the whole request. */
  tooLong: number;
  /** The first that do not look like an openid; WeChat will have the last word. */
  odd: string[];
}

/** WeChat's openids have 28 characters; a few more or less may pass, but not a phone number, a WeChat id or a table's header. */
const usual = /^[\w-]{20,40}$/;
const oddShown = 3;

/** Reads openids out of pasted text: one a line, or separated by commas, semicolons (also Chinese ones), spaces or tabs. */
export function readOpenIds(text: string): PastedOpenIds {
  const openids: string[] = [];
  let blanks = 0;
  // The end of the text is the end of its last line, not one more line.
  const lines = text.replace(/[\s,;，；、]+$/u, '').split(/\s*[,;，；、]\s*|\r?\n/u);
  for (const line of lines) {
    const found = line.split(/\s+/u).filter((word) => word !== '');
    if (found.length === 0) blanks += 1;
    for (const openid of found) openids.push(openid);
  }
  const unique = new Set(openids);
  if (unique.size === 0) blanks = 0;
  const odd: string[] = [];
  let tooLong = 0;
  for (const openid of unique) {
    if (openid.length > maxLength) tooLong += 1;
    else if (odd.length < oddShown && !usual.test(openid)) odd.push(openid);
  }
  return { openids, unique: unique.size, duplicates: openids.length - unique.size, blanks, tooLong, odd };
}
