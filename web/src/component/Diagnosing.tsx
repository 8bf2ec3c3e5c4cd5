import { MedicineBoxOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { Trans, useTranslation } from 'react-i18next';
import { diagnoseComponentOptions } from '../client/@tanstack/react-query.gen';
import { ProblemAlert } from '../problem/ProblemAlert';
import { RelativeTime } from '../time/RelativeTime';
import { DiagnosisChecks } from './DiagnosisChecks';

/** Looks at everything that a platform needs, when asked to: it takes seconds and calls WeChat. */
export function Diagnosing({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const diagnosis = useQuery({
    ...diagnoseComponentOptions({ path: { component_appid: appid } }),
    enabled: false, // refetch asks
    retry: false,
  });
  return (
    <section className="component-part" aria-label={t('diagnosis.title')}>
      <div className="toolbar">
        <h3>{t('diagnosis.title')}</h3>
        <span className="quiet" role="status">
          {diagnosis.isFetching ? (
            t('diagnosis.running')
          ) : diagnosis.data ? (
            <Trans i18nKey="diagnosis.at" components={{ at: <RelativeTime at={diagnosis.data.at} tabStop /> }} />
          ) : (
            t('diagnosis.help')
          )}
        </span>
        <div className="toolbar-end">
          <Button icon={<MedicineBoxOutlined aria-hidden />} loading={diagnosis.isFetching} onClick={() => void diagnosis.refetch()}>
            {t('diagnosis.run')}
          </Button>
        </div>
      </div>
      {diagnosis.isError && <ProblemAlert problem={diagnosis.error} />}
      {diagnosis.data && <DiagnosisChecks checks={diagnosis.data.checks} />}
    </section>
  );
}
