import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Alert, Button, Form, Modal, Select, Typography } from 'antd';
import { useState } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import type { NewConnectLink } from '../client';
import { createConnectLinkMutation, listAuthorizersQueryKey } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';
import { RelativeTime } from '../time/RelativeTime';
import { ComponentField } from './ComponentField';
import { CopyableLink } from './CopyableLink';
import { LinkUse } from './LinkUse';

const hour = 3600;
const lifetimes = [hour, 24 * hour, 7 * 24 * hour, 30 * 24 * hour] as const;

interface Props {
  tenantId: string;
  /** Only this account may authorize through the link; undefined: any of the merchant's. */
  appid?: string;
  /** The third-party platform that it is authorized for; undefined: asked for where there are several. */
  componentAppid?: string;
  onClose: () => void;
}

/** Makes a connect link and shows it: this once, because Steward keeps only a hash of it. */
export function ConnectDialog({ tenantId, appid, componentAppid, onClose }: Props) {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  const [lifetime, setLifetime] = useState<number>(24 * hour);
  const [component, setComponent] = useState(componentAppid ?? '');
  const create = useMutation(createConnectLinkMutation());
  const submit = () =>
    create.mutate({ path: { tenant_id: tenantId }, body: { expires_in: lifetime, appid, component_appid: component || undefined } });
  const close = () => {
    void queryClient.invalidateQueries({ queryKey: listAuthorizersQueryKey({ path: { tenant_id: tenantId } }) });
    onClose();
  };
  return (
    <Modal
      open
      title={appid ? t('connect.again') : t('connect.title')}
      onCancel={close}
      footer={null}
      mask={{ closable: !create.data }}
      destroyOnHidden
    >
      {create.data ? (
        <FreshLink link={create.data} tenantId={tenantId} onClose={close} />
      ) : (
        <Form layout="vertical" onFinish={submit}>
          <p>{appid ? t('connect.introAgain', { appid }) : t('connect.intro')}</p>
          <Form.Item label={t('connect.lifetime')} htmlFor="lifetime">
            <Select
              id="lifetime"
              value={lifetime}
              onChange={setLifetime}
              options={lifetimes.map((seconds) => ({
                value: seconds,
                label: seconds === hour ? t('connect.hours', { count: 1 }) : t('connect.days', { count: seconds / (24 * hour) }),
              }))}
            />
          </Form.Item>
          {componentAppid === undefined && <ComponentField value={component} problem={create.error} onChange={setComponent} />}
          {create.isError && <ProblemAlert problem={create.error} />}
          <Button type="primary" htmlType="submit" loading={create.isPending}>
            {t('connect.create')}
          </Button>
        </Form>
      )}
    </Modal>
  );
}

function FreshLink({ link, tenantId, onClose }: { link: NewConnectLink; tenantId: string; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="stack-wide">
      <p>{t('connect.handOut')}</p>
      <CopyableLink url={link.url} />
      <Typography.Text type="secondary">
        <Trans i18nKey="connect.expires" components={{ at: <RelativeTime at={link.expires_at} tabStop /> }} />
      </Typography.Text>
      <Alert type="warning" showIcon title={t('connect.once')} />
      <LinkUse tenantId={tenantId} linkId={link.id} />
      <div>
        <Button onClick={onClose}>{t('connect.close')}</Button>
      </div>
    </div>
  );
}
