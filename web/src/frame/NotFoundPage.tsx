import { Link } from '@tanstack/react-router';
import { Result } from 'antd';
import { useTranslation } from 'react-i18next';

export function NotFoundPage() {
  const { t } = useTranslation();
  return <Result status="info" title={t('frame.notFound')} extra={<Link to="/">{t('frame.home')}</Link>} />;
}
