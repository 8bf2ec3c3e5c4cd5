import { SyncOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';

/** Something has yet to be asked of an account. */
export function WorkingTag() {
  const { t } = useTranslation();
  return (
    <Tag color="processing" icon={<SyncOutlined aria-hidden />} title={t('lists.workingMeaning')}>
      {t('lists.working')}
    </Tag>
  );
}
