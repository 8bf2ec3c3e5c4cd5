import { useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { Button, Form, Input } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { createSessionMutation } from '../client/@tanstack/react-query.gen';
import { LanguageSwitch } from '../frame/LanguageSwitch';
import { Logo } from '../frame/Logo';
import { useTitle } from '../frame/useTitle';
import { ProblemAlert } from '../problem/ProblemAlert';
import { meOptions, placeWithin } from './session';

const route = getRouteApi('/login');

/** Trades a key for a session cookie. The key stays in the field until then and is stored nowhere. */
export function LoginPage() {
  const { t } = useTranslation();
  useTitle(t('login.signIn'));
  const router = useRouter();
  const queryClient = useQueryClient();
  const { next } = route.useSearch();
  const [key, setKey] = useState('');
  const signIn = useMutation({
    ...createSessionMutation(),
    meta: { expectsSignedOut: true },
    gcTime: 0, // the variables hold the key
    onSuccess: (me) => {
      queryClient.setQueryData(meOptions().queryKey, me);
      router.history.replace(placeWithin(next) ?? '/');
    },
  });
  const trimmed = key.trim();
  return (
    <main className="login">
      <div className="login-card">
        <div className="login-top">
          <h1 className="brand">
            <Logo /> Steward
          </h1>
          <LanguageSwitch />
        </div>
        <p>{t('login.intro')}</p>
        <Form layout="vertical" onFinish={() => signIn.mutate({ body: { key: trimmed } })}>
          <Form.Item label={t('login.key')} htmlFor="key" extra={t('login.hint')}>
            <Input.Password
              id="key"
              name="key"
              value={key}
              onChange={(event) => setKey(event.target.value)}
              placeholder="stw_…"
              autoComplete="off"
              autoFocus
              spellCheck={false}
              size="large"
            />
          </Form.Item>
          {signIn.isError && <ProblemAlert problem={signIn.error} />}
          <Button type="primary" htmlType="submit" size="large" block loading={signIn.isPending} disabled={trimmed === ''}>
            {t('login.signIn')}
          </Button>
        </Form>
      </div>
    </main>
  );
}
