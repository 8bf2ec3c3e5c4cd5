import { client } from './client/client.gen';
import { asProblem } from './problem/problem';

/** Points the generated client at the Steward that served this page, and turns whatever can go wrong into a Problem. */
export function setUpClient() {
  client.setConfig({ baseUrl: window.location.origin, credentials: 'same-origin' });
  client.interceptors.error.use((error, response) => asProblem(error, response));
}
