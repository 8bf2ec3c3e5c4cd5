import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { getSharedListOptions } from '../client/@tanstack/react-query.gen';

interface Props {
  tenantId: string;
  listId: string;
}

/** The name of a shared list of which only the id came; leads to it, unless it has been deleted since. */
export function ListName({ tenantId, listId }: Props) {
  const { t } = useTranslation();
  const list = useQuery({ ...getSharedListOptions({ path: { tenant_id: tenantId, list_id: listId } }), staleTime: 60_000 });
  if (list.error?.status === 404) return <span>{t('lists.deleted')}</span>;
  return (
    <Link to="/tenants/$tenantId/lists/$listId" params={{ tenantId, listId }}>
      {list.data?.list.name || t('lists.one')}
    </Link>
  );
}
