// @ts-check
// Steward to test against: one that runs already (STEWARD_URL and STEWARD_KEY), a program (STEWARD_BIN), or one built from this repository.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const web = fileURLToPath(new URL('..', import.meta.url));
const repository = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @typedef {object} Steward
 * @property {string} url without a slash at the end
 * @property {string} key a platform key
 * @property {() => Promise<void>} stop
 */

/** @returns {Promise<Steward>} */
export async function startSteward() {
  const { STEWARD_URL: url, STEWARD_KEY: key } = process.env;
  if (url && key) return { url: url.replace(/\/$/, ''), key, stop: async () => {} };

  const dir = await mkdtemp(join(tmpdir(), 'steward-e2e-'));
  await chmod(dir, 0o755); // PostgreSQL runs as another user where we are root
  const program = process.env['STEWARD_BIN'] ?? (await build(join(dir, 'steward')));
  const args = ['demo', '--data', join(dir, 'data'), '--addr', '127.0.0.1:0', '--simulator-addr', '127.0.0.1:0', '--json'];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const up = JSON.parse(line);
    child.stdout.resume(); // whatever else it prints must not fill the pipe
    return { url: up.url, key: up.key, stop };
  }
  await stop();
  throw new Error('steward demo ended before it was up; what it said is above');
}

/**
 * Not `go run`: it would not hand SIGTERM on, and the database would be left running.
 * @param {string} target
 */
async function build(target) {
  await run('npx', ['vite', 'build'], { cwd: web });
  await run('go', ['build', '-o', target, './cmd/steward'], { cwd: repository });
  return target;
}

/**
 * Calls the API past the console, to arrange what a scenario needs.
 * @param {Steward} steward
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<unknown>}
 */
export async function call(steward, method, path, body) {
  const response = await fetch(steward.url + path, {
    method,
    headers: { Authorization: `Bearer ${steward.key}`, Prefer: 'wait=30', ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}
