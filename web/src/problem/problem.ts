import type { Problem } from '../client';

/** The codes that this console makes up itself; all others are the server's. */
export const unreachable = 'unreachable';
export const unreadable = 'unreadable-answer';
export const cutOff = 'answer-cut-off';

export function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'status' in value &&
    'detail' in value
  );
}

/**
 * What went wrong, as a Problem: the server's own, or one of ours where no server answered (status 0) or something that is
 * not Steward did, such as a proxy with an HTML page.
 */
export function asProblem(error: unknown, response?: Response): Problem {
  if (isProblem(error)) return error;
  if (!response) {
    return {
      type: 'about:blank',
      title: '',
      status: 0,
      code: unreachable,
      detail: error instanceof Error ? error.message : '',
      request_id: '',
    };
  }
  return {
    type: 'about:blank',
    title: '',
    status: response.status,
    code: unreadable,
    detail: `HTTP ${response.status} ${response.statusText}`.trim(),
    request_id: response.headers.get('X-Request-Id') ?? '',
  };
}

/** A later attempt may succeed without anybody changing anything. */
export function isTemporary(problem: Problem): boolean {
  return problem.status === 0 || problem.status === 429 || problem.status >= 500;
}
