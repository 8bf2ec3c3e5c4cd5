import { Button, Empty } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

interface Props {
  filtered: boolean;
  connect: ReactNode;
  onShowAll: () => void;
}

/** An empty table: nothing matches, or nobody has authorized us yet. */
export function NoAccounts({ filtered, connect, onShowAll }: Props) {
  const { t } = useTranslation();
  return (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={filtered ? t('accounts.noneMatch') : t('accounts.none')}>
      {filtered ? <Button onClick={onShowAll}>{t('accounts.showAll')}</Button> : connect}
    </Empty>
  );
}
