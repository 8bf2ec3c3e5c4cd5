import dayjs, { type Dayjs } from 'dayjs';

/** A block cannot end before it begins. */
export function isPast(until: Dayjs | null): boolean {
  return until !== null && !until.isAfter(dayjs());
}
