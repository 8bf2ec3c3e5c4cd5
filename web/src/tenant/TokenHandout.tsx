import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Switch } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Tenant } from '../client';
import { getTenantQueryKey, listTenantsQueryKey, updateTenantMutation } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMe } from '../session/useMe';

/** Whether the tenant's own systems may be handed access tokens: the service provider's decision. */
export function TokenHandout({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  const platform = useMe().kind === 'platform_key';
  const path = { tenant_id: tenant.id };
  const update = useMutation({
    ...updateTenantMutation(),
    onSuccess: (changed) => {
      queryClient.setQueryData(getTenantQueryKey({ path }), changed);
      return queryClient.invalidateQueries({ queryKey: listTenantsQueryKey() });
    },
  });
  return (
    <div className="stack-wide">
      <div className="setting">
        <Switch
          id="token-handout"
          aria-labelledby="token-handout-name"
          aria-describedby="token-handout-help"
          checked={tenant.token_handout}
          loading={update.isPending}
          disabled={!platform}
          title={platform ? undefined : t('frame.notAllowed')}
          onChange={(on) => update.mutate({ path, body: { token_handout: on } })}
        />
        <div className="stack">
          <label id="token-handout-name" htmlFor="token-handout" className="setting-name">
            {t('settings.handout')}
          </label>
          <span id="token-handout-help" className="quiet">
            {t('settings.handoutHelp')}
          </span>
        </div>
      </div>
      {update.isError && <ProblemAlert problem={update.error} />}
    </div>
  );
}
