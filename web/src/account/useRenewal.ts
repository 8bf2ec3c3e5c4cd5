import { useMutation, useQueryClient } from '@tanstack/react-query';
import { App } from 'antd';
import { useTranslation } from 'react-i18next';
import {
  getAuthorizerQueryKey,
  listAlertsQueryKey,
  listAllAlertsQueryKey,
  listAuthorizersQueryKey,
  renewAuthorizerMutation,
} from '../client/@tanstack/react-query.gen';

/** Renews an account's token now. Whatever comes of it, the account's health and alerts are others afterwards. */
export function useRenewal(tenantId: string, appid: string) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const queryClient = useQueryClient();
  const path = { tenant_id: tenantId, appid };
  const renewal = useMutation({
    ...renewAuthorizerMutation(),
    onSuccess: (account) => {
      queryClient.setQueryData(getAuthorizerQueryKey({ path }), account);
      void message.success(t('renew.done'));
    },
    onSettled: () => {
      void queryClient.invalidateQueries({ queryKey: getAuthorizerQueryKey({ path }) });
      void queryClient.invalidateQueries({ queryKey: listAuthorizersQueryKey({ path: { tenant_id: tenantId } }) });
      void queryClient.invalidateQueries({ queryKey: listAlertsQueryKey({ path: { tenant_id: tenantId } }) });
      void queryClient.invalidateQueries({ queryKey: listAllAlertsQueryKey() });
    },
  });
  return { renewal, renew: () => renewal.mutate({ path, body: {} }) };
}
