import type { Batch, Outcome } from '../client';

export const outcomes = ['pending', 'done', 'already', 'failed', 'superseded', 'cancelled'] as const satisfies readonly Outcome[];

export function hasEnded(batch: Batch): boolean {
  return batch.status === 'done' || batch.status === 'cancelled';
}

/** Whole percent; 100 only when nothing is left. */
export function percent(part: number, total: number): number {
  return total === 0 ? 100 : Math.floor((part / total) * 100);
}

/** The reason that somebody gave for pausing a batch, of which the API makes a sentence with their name. */
export function pausedFor({ pause_reason: sentence, paused_by: by }: Batch): string {
  const begins = `Paused by ${by}`;
  return sentence.startsWith(begins) ? sentence.slice(begins.length).replace(/^: /, '') : sentence;
}
