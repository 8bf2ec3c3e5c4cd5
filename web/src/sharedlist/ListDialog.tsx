import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Form, Input, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { createSharedList, updateSharedList, type SharedList } from '../client';
import { getSharedListQueryKey, listSharedListsQueryKey } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';

interface Props {
  tenantId: string;
  /** The list to change; undefined: a new one is made. */
  list?: SharedList;
  onClose: () => void;
  onSaved: (list: SharedList) => void;
}

/** Asks what a list is called and what it is for. */
export function ListDialog({ tenantId, list, onClose, onSaved }: Props) {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  const [name, setName] = useState(list?.name ?? '');
  const [reason, setReason] = useState(list?.reason ?? '');
  const path = { tenant_id: tenantId };
  const save = useMutation<SharedList>({
    mutationFn: async () => {
      const body = { name: name.trim(), reason: reason.trim() };
      const { data } = list
        ? await updateSharedList({ path: { ...path, list_id: list.id }, body, throwOnError: true })
        : await createSharedList({ path, body, throwOnError: true });
      return data;
    },
    onSuccess: (saved) => {
      void queryClient.invalidateQueries({ queryKey: listSharedListsQueryKey({ path }) });
      void queryClient.invalidateQueries({ queryKey: getSharedListQueryKey({ path: { ...path, list_id: saved.id } }) });
      onSaved(saved);
    },
  });
  const ready = name.trim() !== '';
  const submit = () => {
    if (ready && !save.isPending) save.mutate();
  };
  return (
    <Modal
      open
      title={list ? t('lists.changeTitle') : t('lists.make')}
      okText={list ? t('lists.save') : t('lists.makeIt')}
      okButtonProps={{ disabled: !ready, loading: save.isPending }}
      cancelText={t('confirm.close')}
      onOk={submit}
      onCancel={onClose}
      destroyOnHidden
    >
      <Form layout="vertical" onFinish={submit}>
        <Form.Item label={t('lists.name')} htmlFor="list-name">
          <Input id="list-name" autoFocus value={name} maxLength={200} onChange={({ target }) => setName(target.value)} />
        </Form.Item>
        <Form.Item label={t('lists.reason')} htmlFor="list-reason" extra={t('lists.reasonHint')}>
          <Input id="list-reason" value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
        </Form.Item>
        {/* Enter in a field sends a form that has a button for it; the dialog's own stands outside. */}
        <button type="submit" hidden />
      </Form>
      {save.isError && <ProblemAlert problem={save.error} />}
    </Modal>
  );
}
