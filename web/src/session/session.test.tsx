import { screen, waitFor } from '@testing-library/react';
import { describe, expect, test, vi } from 'vitest';
import { anAccount, page, platform, tenant } from '../testing/facts';
import { open } from '../testing/open';
import { FakeSteward, noAnswer, refuse } from '../testing/steward';
import { placeWithin } from './session';

const accounts = '/tenants/t1/accounts';

function signedOut() {
  let signedIn = false;
  return new FakeSteward({
    'GET /v1/me': () => (signedIn ? platform : refuse(401, 'unauthenticated')),
    'POST /v1/session': ({ body }) => {
      signedIn = (body as { key: string }).key === 'stw_right';
      return signedIn
        ? platform
        : refuse(401, 'unauthenticated', { title: 'No valid key', detail: 'The key is missing, unknown, revoked or expired.' });
    },
    'DELETE /v1/session': () => {
      signedIn = false;
      return null;
    },
    'GET /v1/tenants': page(tenant),
    'GET /v1/tenants/t1/authorizers': page(anAccount()),
  });
}

describe('Signing in', () => {
  test('leads to the place that was asked for, and keeps the key nowhere', async () => {
    const steward = signedOut();
    const { user, history } = open(`${accounts}?state=revoked`);
    await user.type(await screen.findByLabelText('API key'), ' stw_right ');
    expect(history.location.pathname).toBe('/login');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    await waitFor(() => expect(history.location.href).toBe(`${accounts}?state=revoked`));
    expect(await screen.findByText('Lotus')).toBeVisible();
    expect(steward.callsTo('POST /v1/session')[0]?.body).toEqual({ key: 'stw_right' });
    expect(JSON.stringify([window.localStorage, window.sessionStorage])).not.toContain('stw_');
    expect(screen.queryByDisplayValue(/stw_/)).toBeNull();
  });

  test('with a wrong key says so in words, with the request id', async () => {
    signedOut();
    const { user } = open('/login');
    await user.type(await screen.findByLabelText('API key'), 'stw_wrong{Enter}');
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('No valid key');
    expect(alert).toHaveTextContent('unknown, revoked or expired');
    expect(alert).toHaveTextContent('req-1');
    expect(screen.getByLabelText('API key')).toHaveValue('stw_wrong');
  });

  test('while Steward is away says that it cannot be reached', async () => {
    const steward = signedOut();
    const { user } = open('/login');
    await screen.findByLabelText('API key');
    steward.on('POST /v1/session', noAnswer);
    await user.type(screen.getByLabelText('API key'), 'stw_right{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('Steward cannot be reached');
  });

  test('is skipped by those who are signed in already', async () => {
    new FakeSteward({ 'GET /v1/me': platform, 'GET /v1/tenants': page(tenant), 'GET /v1/tenants/t1/authorizers': page(anAccount()) });
    const { history } = open('/login?next=/tenants/t1/accounts?q=lotus');
    await waitFor(() => expect(history.location.pathname).toBe(accounts));
  });
});

describe('A session', () => {
  test('that ends leads back to the login page, which keeps the place', async () => {
    const steward = signedOut();
    steward.on('GET /v1/me', platform);
    const { user, history } = open(`${accounts}?q=lot`);
    await screen.findByText('Lotus');
    steward.on('GET /v1/me', refuse(401, 'unauthenticated'));
    steward.on('GET /v1/tenants/t1/authorizers', refuse(401, 'unauthenticated'));
    await user.type(screen.getByRole('textbox', { name: /Search/ }), 'us{Enter}');
    expect(await screen.findByLabelText('API key')).toBeVisible();
    expect(history.location.pathname).toBe('/login');
    expect(new URLSearchParams(history.location.search).get('next')).toBe(`${accounts}?q=lotus`);
  });

  test('ends by signing out', async () => {
    const steward = signedOut();
    const { user, history } = open('/login');
    await user.type(await screen.findByLabelText('API key'), 'stw_right{Enter}');
    await user.click(await screen.findByRole('button', { name: /ops/ }));
    await user.click(await screen.findByText('Sign out'));
    expect(await screen.findByLabelText('API key')).toBeVisible();
    expect(steward.callsTo('DELETE /v1/session')).toHaveLength(1);
    expect(history.location.href).toBe('/login');
  });

  test('that cannot be looked up is not a session that ended', async () => {
    // React and the router report what the error boundary caught.
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const steward = signedOut();
    steward.on('GET /v1/me', refuse(500, 'internal'));
    const { user, history } = open(accounts);
    expect(await screen.findByRole('alert')).toHaveTextContent('Detail of internal.');
    expect(history.location.pathname).toBe(accounts);
    steward.on('GET /v1/me', platform);
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('Lotus')).toBeVisible();
  });
});

describe('The place to go to after signing in', () => {
  test.each(['//evil.test', '/\\evil.test', 'https://evil.test', 'javascript:alert(1)', '', undefined])('is never outside: %s', (href) => {
    expect(placeWithin(href)).toBeUndefined();
  });

  test('may be any page of the console', () => {
    expect(placeWithin('/tenants/t1/accounts?q=a//b')).toBe('/tenants/t1/accounts?q=a//b');
  });
});
