import { DownOutlined, KeyOutlined, LogoutOutlined } from '@ant-design/icons';
import { useMutation } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { App, Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Me } from '../client';
import { deleteSessionMutation } from '../client/@tanstack/react-query.gen';
import { useServerWords } from '../i18n/serverWords';
import { leaveToLogin } from '../session/session';

/** Which key is signed in, and the way out. */
export function SignedInMenu({ me }: { me: Me }) {
  const { t } = useTranslation();
  const { title } = useServerWords();
  const { message } = App.useApp();
  const router = useRouter();
  const signOut = useMutation({
    ...deleteSessionMutation(),
    onSuccess: () => leaveToLogin(router, { keepPlace: false }),
    onError: (problem) => void message.error(problem.status === 0 ? t('problem.unreachable') : title(problem)),
  });
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: [
          { key: 'kind', type: 'group', label: t(`me.${me.kind}`) },
          { key: 'out', icon: <LogoutOutlined aria-hidden />, label: t('frame.signOut'), onClick: () => signOut.mutate({}) },
        ],
      }}
    >
      <Button type="text" icon={<KeyOutlined aria-hidden />} loading={signOut.isPending} className="signed-in">
        <span className="signed-in-name">{me.name}</span> <DownOutlined aria-hidden className="small" />
      </Button>
    </Dropdown>
  );
}
