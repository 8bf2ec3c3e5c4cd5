import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Select } from 'antd';
import { useDeferredValue, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listAuthorizersOptions } from '../client/@tanstack/react-query.gen';

interface Props {
  id: string;
  tenantId: string;
  /** The appid. */
  value: string | undefined;
  onChange: (appid: string | undefined) => void;
}

/** One of the tenant's accounts, found by name or appid. */
export function AccountSelect({ id, tenantId, value, onChange }: Props) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  const q = useDeferredValue(typed.trim()) || undefined;
  const accounts = useQuery({
    ...listAuthorizersOptions({ path: { tenant_id: tenantId }, query: { q, limit: 20 } }),
    placeholderData: keepPreviousData,
  });
  return (
    <Select<string>
      id={id}
      allowClear
      showSearch={{ filterOption: false, searchValue: typed, onSearch: setTyped }}
      placeholder={t('accounts.search')}
      loading={accounts.isFetching}
      status={accounts.isError ? 'error' : undefined}
      value={value}
      options={accounts.data?.data.map(({ appid, nick_name: name }) => ({ value: appid, label: name ? `${name} · ${appid}` : appid }))}
      notFoundContent={accounts.isPending ? t('frame.loading') : t('accounts.noneMatch')}
      onChange={(appid: string | undefined) => onChange(appid)}
    />
  );
}
