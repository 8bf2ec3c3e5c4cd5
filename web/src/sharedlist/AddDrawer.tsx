import { useMutation } from '@tanstack/react-query';
import { Alert, Button, Drawer, Form, Input, Segmented } from 'antd';
import { useDeferredValue, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountSelect } from '../account/AccountSelect';
import { readOpenIds } from '../blacklist/openids';
import { addSharedPersonsMutation } from '../client/@tanstack/react-query.gen';
import { IdsField, type IdKind } from '../people/IdsField';
import { ProblemAlert } from '../problem/ProblemAlert';

/** What one request may hold; the API refuses more. */
const maxPersons = 10_000;

interface Props {
  tenantId: string;
  listId: string;
  onClose: () => void;
  onAdded: () => void;
}

/** Asks whom to put on the list. It stays open, with what came of it, for the next. */
export function AddDrawer({ tenantId, listId, onClose, onAdded }: Props) {
  const { t } = useTranslation();
  const [kind, setKind] = useState<IdKind>('unionids');
  const [text, setText] = useState('');
  const [appid, setAppid] = useState<string>();
  const [reason, setReason] = useState('');
  const pasted = useDeferredValue(text);
  const counts = useMemo(() => readOpenIds(pasted), [pasted]);
  const add = useMutation({
    ...addSharedPersonsMutation(),
    onSuccess: () => {
      setText('');
      onAdded();
    },
  });
  const ready =
    counts.unique > 0 && counts.tooLong === 0 && counts.openids.length <= maxPersons && (kind === 'unionids' || appid !== undefined);
  const submit = () => {
    const { openids: ids } = readOpenIds(text);
    const whom = kind === 'unionids' ? { unionids: ids } : { openids: ids, appid };
    add.mutate({ path: { tenant_id: tenantId, list_id: listId }, body: { ...whom, reason: reason.trim() || undefined } });
  };
  return (
    <Drawer
      open
      onClose={onClose}
      size={520}
      className="wish-drawer"
      title={t('lists.addTitle')}
      footer={
        <div className="drawer-footer">
          <Button onClick={onClose}>{t('wish.close')}</Button>
          <Button type="primary" loading={add.isPending} disabled={!ready} onClick={submit}>
            {counts.unique > 0 ? t('lists.addCount', { count: counts.unique }) : t('lists.add')}
          </Button>
        </div>
      }
    >
      <Form layout="vertical">
        <Form.Item label={t('people.kind')}>
          <Segmented<IdKind>
            aria-label={t('people.kind')}
            value={kind}
            onChange={setKind}
            options={[
              { value: 'unionids', label: t('people.kindUnionids') },
              { value: 'openids', label: t('people.kindOpenids') },
            ]}
          />
        </Form.Item>
        {kind === 'openids' && (
          <Form.Item label={t('accounts.account')} htmlFor="add-account" extra={t('lists.accountHint')}>
            <AccountSelect id="add-account" tenantId={tenantId} value={appid} onChange={setAppid} />
          </Form.Item>
        )}
        <IdsField
          id="add-ids"
          kind={kind}
          hint={t(kind === 'unionids' ? 'lists.unionidsHint' : 'lists.openidsHint')}
          limit={maxPersons}
          value={text}
          counts={counts}
          onChange={setText}
        />
        <Form.Item label={t('wish.reason')} htmlFor="add-reason" extra={t('lists.reasonHint')}>
          <Input id="add-reason" value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
        </Form.Item>
      </Form>
      <div role="status">
        {add.data && (
          <Alert
            type="success"
            showIcon
            title={t('lists.addedTitle', { count: add.data.added })}
            description={t('lists.addedRest', { already: add.data.already, skipped: add.data.skipped })}
          />
        )}
      </div>
      {add.isError && <ProblemAlert problem={add.error} />}
    </Drawer>
  );
}
