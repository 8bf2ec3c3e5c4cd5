import { vi } from 'vitest';
import type { Problem } from '../client';
import { uploadsTo } from './xhr';

/** A call that the console made. */
export interface Call {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Headers;
  body: unknown;
}

/** The body of an answer; null: 204. */
type Answer = object | null;
type Answers = Answer | ((call: Call) => Answer);

class Refusal {
  readonly problem: Problem;

  constructor(problem: Problem) {
    this.problem = problem;
  }
}

/** A problem as the API gives it. */
export function refuse(status: number, code: string, more: Partial<Problem> = {}): Refusal {
  return new Refusal({
    type: `/docs#error-${code}`,
    title: code,
    status,
    code,
    detail: `Detail of ${code}.`,
    request_id: 'req-1',
    ...more,
  });
}

class SavedFile {
  readonly name: string;
  readonly text: string;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }
}

/** An export as the API gives it. */
export function file(name: string, text: string): SavedFile {
  return new SavedFile(name, text);
}

/** No answer at all, as when the network is down. */
export function noAnswer(): never {
  throw new TypeError('Failed to fetch');
}

/** Stands in for Steward behind fetch. Routes read "GET /v1/tenants/t1"; whatever has no route answers 404. */
export class FakeSteward {
  readonly calls: Call[] = [];

  private readonly routes: Record<string, Answers>;

  constructor(routes: Record<string, Answers>) {
    this.routes = routes;
    vi.stubGlobal('fetch', (request: Request) => this.answer(request));
    vi.stubGlobal(
      'XMLHttpRequest',
      uploadsTo((request) => this.answer(request)),
    );
  }

  /** Changes an answer while the page is open. */
  on(route: string, answer: Answers) {
    this.routes[route] = answer;
  }

  callsTo(route: string): Call[] {
    return this.calls.filter(({ method, path }) => `${method} ${path}` === route);
  }

  private async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const text = await request.text();
    const call: Call = {
      method: request.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text === '' ? undefined : request.headers.get('Content-Type') === 'text/csv' ? text : JSON.parse(text),
    };
    this.calls.push(call);
    const route = this.routes[`${call.method} ${call.path}`] ?? refuse(404, 'not-found');
    const answer = isAnswering(route) ? route(call) : route;
    if (answer instanceof SavedFile) {
      return new Response(answer.text, { headers: { 'Content-Disposition': `attachment; filename=${answer.name}` } });
    }
    if (answer instanceof Refusal) return json(answer.problem.status, answer.problem, 'application/problem+json');
    return answer === null ? new Response(null, { status: 204 }) : json(200, answer, 'application/json');
  }
}

function isAnswering(answers: Answers): answers is (call: Call) => Answer {
  return typeof answers === 'function';
}

function json(status: number, body: object, type: string): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type } });
}
