import type { Reconciliation } from '../client';

export function isOver({ status }: Reconciliation): boolean {
  return status === 'done' || status === 'failed';
}
