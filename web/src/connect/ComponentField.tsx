import { useQuery } from '@tanstack/react-query';
import { Form, Input, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Problem } from '../client';
import { listComponentsOptions } from '../client/@tanstack/react-query.gen';
import { useMe } from '../session/useMe';

interface Props {
  value: string;
  /** What the API said to the last attempt. */
  problem: Problem | null;
  onChange: (value: string) => void;
}

/** Which of our own third-party platforms the merchant authorizes: asked only where there are several. */
export function ComponentField({ value, problem, onChange }: Props) {
  const { t } = useTranslation();
  const platform = useMe().kind === 'platform_key';
  const components = useQuery({ ...listComponentsOptions(), enabled: platform });
  const choices = components.data?.data ?? [];
  // A tenant's key may not list them: it learns from the refusal that it has to name one.
  const asked = problem?.errors?.some(({ pointer }) => pointer === '/component_appid') ?? false;
  if (choices.length < 2 && !asked && value === '') return null;
  return (
    <Form.Item label={t('connect.component')} htmlFor="component">
      {choices.length > 0 ? (
        <Select
          id="component"
          value={value || undefined}
          onChange={onChange}
          options={choices.map(({ appid, name }) => ({ value: appid, label: name ? `${name} (${appid})` : appid }))}
        />
      ) : (
        <Input id="component" value={value} maxLength={64} onChange={({ target }) => onChange(target.value.trim())} />
      )}
    </Form.Item>
  );
}
