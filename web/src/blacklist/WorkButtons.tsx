import { useMutation, useQueryClient } from '@tanstack/react-query';
import { App, Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import {
  getBlacklistWorkQueryKey,
  holdBlacklistWorkMutation,
  listBatchesQueryKey,
  resumeBlacklistWorkMutation,
} from '../client/@tanstack/react-query.gen';
import type { BlacklistWork } from '../client';
import { ConfirmDialog } from '../frame/ConfirmDialog';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';

interface Props {
  tenantId: string;
  appid: string;
  size?: 'small';
}

/** Stops the work of an account, after it has said what that means. */
export function HoldButton({ tenantId, appid, size }: Props) {
  const { t } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const [asking, setAsking] = useState(false);
  const show = useShow(tenantId, appid);
  const hold = useMutation({
    ...holdBlacklistWorkMutation(),
    onSuccess: (work) => {
      show(work);
      setAsking(false);
    },
  });
  return (
    <>
      <Button size={size} disabled={!mayWrite} title={mayWrite ? undefined : t('frame.notAllowed')} onClick={() => setAsking(true)}>
        {t('work.hold')}
      </Button>
      {asking && (
        <ConfirmDialog
          title={t('work.holdTitle')}
          confirm={t('work.holdConfirm')}
          danger
          reasonHint={t('work.holdReason')}
          pending={hold.isPending}
          problem={hold.error}
          onConfirm={(reason) => hold.mutate({ path: { tenant_id: tenantId, appid }, body: { reason } })}
          onClose={() => setAsking(false)}
        >
          <p>{t('work.holdHelp')}</p>
        </ConfirmDialog>
      )}
    </>
  );
}

/** Lets the work go on at once. */
export function ResumeButton({ tenantId, appid, size }: Props) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const mayWrite = useMay('blacklist:write');
  const show = useShow(tenantId, appid);
  const resume = useMutation({
    ...resumeBlacklistWorkMutation(),
    onSuccess: (work) => {
      show(work);
      void message.success(t('work.resumed'));
    },
  });
  return (
    <>
      <Button
        size={size}
        loading={resume.isPending}
        disabled={!mayWrite}
        title={mayWrite ? undefined : t('frame.notAllowed')}
        onClick={() => resume.mutate({ path: { tenant_id: tenantId, appid }, body: {} })}
      >
        {t('work.resume')}
      </Button>
      {resume.isError && <ProblemAlert problem={resume.error} />}
    </>
  );
}

function useShow(tenantId: string, appid: string) {
  const queryClient = useQueryClient();
  return (work: BlacklistWork) => {
    queryClient.setQueryData(getBlacklistWorkQueryKey({ path: { tenant_id: tenantId, appid } }), work);
    void queryClient.invalidateQueries({ queryKey: listBatchesQueryKey({ path: { tenant_id: tenantId } }) });
  };
}
