import { Empty } from 'antd';
import { useTranslation } from 'react-i18next';

/** A platform key on a Steward without tenants. */
export function NoTenants() {
  const { t } = useTranslation();
  return (
    <div className="page">
      <Empty
        description={
          <>
            <p>{t('frame.noTenants')}</p>
            <code>POST /v1/tenants {'{"name": "…"}'}</code>
          </>
        }
      />
    </div>
  );
}
