import { DeleteOutlined, IdcardOutlined, TeamOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { FollowerDirectory } from '../client';

/** What of an account's followers is kept. */
export function DirectoryTags({ directory }: { directory: FollowerDirectory }) {
  const { t } = useTranslation();
  return (
    <span className="tags">
      {directory.enabled ? (
        <Tag color="success" icon={<TeamOutlined aria-hidden />}>
          {t('directory.openidsKept')}
        </Tag>
      ) : (
        <Tag>{t('directory.off')}</Tag>
      )}
      {directory.unionids && (
        <Tag color="success" icon={<IdcardOutlined aria-hidden />}>
          {t('directory.unionidsKept')}
        </Tag>
      )}
      {directory.erasing && (
        <Tag color="processing" icon={<DeleteOutlined aria-hidden />}>
          {t('directory.erasing')}
        </Tag>
      )}
    </span>
  );
}
