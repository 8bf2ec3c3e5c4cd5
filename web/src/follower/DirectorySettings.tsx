import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Alert, Switch } from 'antd';
import { useState } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import type { FollowerDirectory, FollowerDirectoryRequest } from '../client';
import { getFollowerDirectoryQueryKey, listFollowersQueryKey, setFollowerDirectoryMutation } from '../client/@tanstack/react-query.gen';
import { Actor } from '../frame/Actor';
import { ConfirmDialog } from '../frame/ConfirmDialog';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';

interface Props {
  tenantId: string;
  directory: FollowerDirectory;
}

/** What is to be kept of an account's followers. Turning something off deletes it, and is asked about. */
export function DirectorySettings({ tenantId, directory }: Props) {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  const [erasing, setErasing] = useState<'directory' | 'unionids'>();
  const path = { tenant_id: tenantId, appid: directory.authorizer_appid };
  const update = useMutation({
    ...setFollowerDirectoryMutation(),
    onSuccess: (changed) => {
      setErasing(undefined);
      queryClient.setQueryData(getFollowerDirectoryQueryKey({ path }), changed);
      return queryClient.invalidateQueries({ queryKey: listFollowersQueryKey({ path }) });
    },
  });
  const set = (body: FollowerDirectoryRequest) => update.mutate({ path, body });
  const ask = (what: 'directory' | 'unionids') => {
    update.reset();
    setErasing(what);
  };
  return (
    <div className="stack-wide">
      <Setting
        id="directory"
        name={t('directory.enable')}
        help={t('directory.enableHelp')}
        checked={directory.enabled}
        loading={update.isPending}
        onChange={(on) => (on ? set({ enabled: true, unionids: false }) : ask('directory'))}
      />
      <Setting
        id="unionids"
        name={t('directory.unionids')}
        help={t('directory.unionidsHelp')}
        checked={directory.unionids}
        loading={update.isPending}
        blocked={directory.enabled ? undefined : t('directory.unionidsNeed')}
        onChange={(on) => (on ? set({ enabled: true, unionids: true }) : ask('unionids'))}
      />
      {directory.changed_at && (
        <span className="small quiet">
          <Trans
            i18nKey="directory.changed"
            components={{ at: <RelativeTime at={directory.changed_at} tabStop />, by: <Actor by={directory.changed_by} /> }}
          />
        </span>
      )}
      {directory.erasing && <Alert type="info" showIcon title={t('directory.erasingHelp')} />}
      {update.isError && !erasing && <ProblemAlert problem={update.error} />}
      {erasing && (
        <ConfirmDialog
          title={t(`directory.${erasing}OffTitle`)}
          confirm={t('directory.turnOff')}
          danger
          pending={update.isPending}
          problem={update.error}
          onConfirm={() => set(erasing === 'directory' ? { enabled: false } : { enabled: true, unionids: false })}
          onClose={() => setErasing(undefined)}
        >
          <p>{t(`directory.${erasing}OffHelp`)}</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

interface SettingProps {
  id: string;
  name: string;
  help: string;
  checked: boolean;
  loading: boolean;
  /** Why it cannot be changed now. */
  blocked?: string;
  onChange: (on: boolean) => void;
}

function Setting({ id, name, help, checked, loading, blocked, onChange }: SettingProps) {
  const { t } = useTranslation();
  const may = useMay('authorizers:write');
  const why = may ? blocked : t('frame.notAllowed');
  return (
    <div className="setting">
      <Switch
        id={id}
        aria-labelledby={`${id}-name`}
        aria-describedby={`${id}-help`}
        checked={checked}
        loading={loading}
        disabled={why !== undefined}
        title={why}
        onChange={onChange}
      />
      <div className="stack">
        <label id={`${id}-name`} htmlFor={id} className="setting-name">
          {name}
        </label>
        <span id={`${id}-help`} className="quiet">
          {help}
        </span>
      </div>
    </div>
  );
}
