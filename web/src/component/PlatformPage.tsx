import { useQuery } from '@tanstack/react-query';
import { Empty, Skeleton } from 'antd';
import { useTranslation } from 'react-i18next';
import { listComponentsOptions } from '../client/@tanstack/react-query.gen';
import { useTitle } from '../frame/useTitle';
import { ProblemAlert } from '../problem/ProblemAlert';
import { ComponentView } from './ComponentView';

/** Our own third-party platforms at WeChat: whether each of them works, and what to do where it does not. */
export function PlatformPage() {
  const { t } = useTranslation();
  useTitle(t('platform.title'));
  const components = useQuery({ ...listComponentsOptions(), refetchInterval: 15_000 });
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('platform.title')}</h1>
      </div>
      {components.isError && <ProblemAlert problem={components.error} onRetry={() => void components.refetch()} />}
      {components.isPending && <Skeleton active />}
      {components.data?.data.length === 0 && (
        <Empty
          description={
            <>
              <p>{t('platform.none')}</p>
              <code>POST /v1/components</code>
            </>
          }
        />
      )}
      {components.data?.data.map((component) => (
        <ComponentView key={component.appid} component={component} />
      ))}
    </div>
  );
}
