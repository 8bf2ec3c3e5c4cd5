import { DeleteOutlined, EditOutlined, LeftOutlined } from '@ant-design/icons';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SharedList } from '../client';
import { deleteSharedListMutation, listSharedListsQueryKey } from '../client/@tanstack/react-query.gen';
import { Actor } from '../frame/Actor';
import { ConfirmDialog } from '../frame/ConfirmDialog';
import { Facts } from '../frame/Facts';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';
import { ListDialog } from './ListDialog';
import { WorkingTag } from './WorkingTag';

/** What the list is called, what it is for, and how it is changed. List undefined: it is still being read. */
export function ListHeader({ tenantId, list }: { tenantId: string; list: SharedList | undefined }) {
  const { t } = useTranslation();
  return (
    <header className="account-header">
      <Link to="/tenants/$tenantId/lists" params={{ tenantId }} className="back">
        <LeftOutlined aria-hidden /> {t('lists.title')}
      </Link>
      {list && <ListFacts tenantId={tenantId} list={list} />}
    </header>
  );
}

function ListFacts({ tenantId, list }: { tenantId: string; list: SharedList }) {
  const { t, i18n } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const [asking, setAsking] = useState<'change' | 'delete'>();
  const why = mayWrite ? undefined : t('frame.notAllowed');
  const close = () => setAsking(undefined);
  return (
    <div className="account-facts">
      <div className="account-names stack-wide">
        <h1>
          {list.name} <span className="quiet">{t('lists.one')}</span>
        </h1>
        <Facts
          facts={[
            [t('lists.persons'), list.persons.toLocaleString(i18n.language)],
            [t('lists.reason'), list.reason],
            [
              t('lists.made'),
              <span>
                <Actor by={list.created_by} /> <RelativeTime at={list.created_at} tabStop />
              </span>,
            ],
            [t('lists.state'), list.working ? <WorkingTag /> : t('lists.idle')],
          ]}
        />
      </div>
      <div className="tags">
        <Button icon={<EditOutlined aria-hidden />} disabled={!mayWrite} title={why} onClick={() => setAsking('change')}>
          {t('lists.change')}
        </Button>
        <Button danger icon={<DeleteOutlined aria-hidden />} disabled={!mayWrite} title={why} onClick={() => setAsking('delete')}>
          {t('lists.delete')}
        </Button>
      </div>
      {asking === 'change' && <ListDialog tenantId={tenantId} list={list} onClose={close} onSaved={close} />}
      {asking === 'delete' && <DeleteDialog tenantId={tenantId} list={list} onClose={close} />}
    </div>
  );
}

function DeleteDialog({ tenantId, list, onClose }: { tenantId: string; list: SharedList; onClose: () => void }) {
  const { t, i18n } = useTranslation();
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    ...deleteSharedListMutation(),
    onSuccess: async () => {
      await navigate({ to: '/tenants/$tenantId/lists', params: { tenantId } });
      void queryClient.invalidateQueries({ queryKey: listSharedListsQueryKey({ path: { tenant_id: tenantId } }) });
    },
  });
  return (
    <ConfirmDialog
      title={t('lists.deleteTitle', { name: list.name })}
      confirm={t('lists.deleteIt')}
      danger
      reasonHint={t('wish.reasonHint')}
      pending={remove.isPending}
      problem={remove.error}
      onConfirm={(reason) => remove.mutate({ path: { tenant_id: tenantId, list_id: list.id }, query: { reason } })}
      onClose={onClose}
    >
      <p>{t('lists.deleteHelp', { count: list.persons, number: list.persons.toLocaleString(i18n.language) })}</p>
    </ConfirmDialog>
  );
}
