import { Alert } from 'antd';
import { Trans, useTranslation } from 'react-i18next';
import type { BlacklistWork } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { ServerText } from '../i18n/ServerText';
import { Refusal } from '../problem/Refusal';
import { RelativeTime } from '../time/RelativeTime';
import { useWork } from './useWork';
import { ResumeButton } from './WorkButtons';

/** Says above every page of an account that nothing goes to WeChat at the moment: who stopped it, or why it rests. */
export function WorkTrouble({ tenantId, appid }: { tenantId: string; appid: string }) {
  const { data: work } = useWork(tenantId, appid);
  const resume = <ResumeButton tenantId={tenantId} appid={appid} size="small" />;
  if (work?.status === 'held') return <Held work={work} resume={resume} />;
  if (work?.status === 'paused') return <Paused work={work} resume={resume} />;
  return null; // that it cannot be read is said where one looks for it
}

interface Props {
  work: BlacklistWork;
  resume: React.ReactNode;
}

function Held({ work, resume }: Props) {
  const { t } = useTranslation();
  return (
    <Alert
      type="warning"
      showIcon
      title={t('work.heldTitle')}
      description={
        <Facts
          facts={[
            [t('work.by'), work.by && <Actor by={work.by} />],
            [t('work.since'), work.since && <RelativeTime at={work.since} tabStop />],
            [t('work.reason'), work.reason],
          ]}
        />
      }
      action={resume}
    />
  );
}

function Paused({ work, resume }: Props) {
  const { t } = useTranslation();
  return (
    <Alert
      type="warning"
      showIcon
      title={
        work.until ? (
          <Trans i18nKey="work.pausedUntil" components={{ at: <RelativeTime at={work.until} tabStop /> }} />
        ) : (
          t('work.pausedTitle')
        )
      }
      description={
        <div className="stack-wide">
          {work.reason && <ServerText>{work.reason}</ServerText>}
          <Refusal errcode={work.errcode} rid={work.rid} advice={work.advice === work.reason ? '' : work.advice} />
        </div>
      }
      action={resume}
    />
  );
}
