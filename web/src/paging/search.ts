/**
 * What stands in the address bar may have been typed by anybody: whatever does not fit counts as absent. The router reads digits, true and
 * false as what they look like, but only where the text can be had back from them.
 */
export function text(value: unknown): string | undefined {
  const words = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  return typeof words === 'string' && words !== '' ? words : undefined;
}

export function oneOf<T extends string>(values: readonly T[], value: unknown): T | undefined {
  return values.find((known) => known === value);
}
