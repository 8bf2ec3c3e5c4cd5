import { useMutation, useQueryClient } from '@tanstack/react-query';
import { App, Button } from 'antd';
import { useTranslation } from 'react-i18next';
import { listComponentsQueryKey, requestTicketMutation } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';

/** Asks WeChat to push tickets again, which Steward does by itself too when they are late. */
export function RequestTickets({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const queryClient = useQueryClient();
  const request = useMutation({
    ...requestTicketMutation(),
    onSuccess: () => void message.success(t('platform.asked')),
    onSettled: () => queryClient.invalidateQueries({ queryKey: listComponentsQueryKey() }),
  });
  return (
    <>
      <Button loading={request.isPending} onClick={() => request.mutate({ path: { component_appid: appid }, body: {} })}>
        {t('platform.request')}
      </Button>
      {request.isError && (
        <div className="whole-line">
          <ProblemAlert problem={request.error} />
        </div>
      )}
    </>
  );
}
