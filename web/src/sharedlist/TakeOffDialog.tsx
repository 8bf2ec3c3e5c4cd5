import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { SharedPerson } from '../client';
import { removeSharedPersonMutation } from '../client/@tanstack/react-query.gen';
import { ConfirmDialog } from '../frame/ConfirmDialog';
import { idOf } from './person';

interface Props {
  tenantId: string;
  listId: string;
  person: SharedPerson;
  onClose: () => void;
  onDone: () => void;
}

/** Asks whether somebody is to be taken off the list, having said where that unblocks them. */
export function TakeOffDialog({ tenantId, listId, person, onClose, onDone }: Props) {
  const { t } = useTranslation();
  const remove = useMutation({ ...removeSharedPersonMutation(), onSuccess: onDone });
  return (
    <ConfirmDialog
      title={t('lists.takeOffTitle')}
      confirm={t('lists.takeOff')}
      danger
      reasonHint={t('wish.reasonHint')}
      pending={remove.isPending}
      problem={remove.error}
      onConfirm={(reason) => remove.mutate({ path: { tenant_id: tenantId, list_id: listId, person_id: person.id }, query: { reason } })}
      onClose={onClose}
    >
      <p className="mono">{idOf(person)}</p>
      <p>{t('lists.takeOffHelp')}</p>
    </ConfirmDialog>
  );
}
