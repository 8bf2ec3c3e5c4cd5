import { CheckOutlined, ClockCircleOutlined, QuestionOutlined, StopOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { BlacklistEntry } from '../client';
import { Refusal } from '../problem/Refusal';
import { RelativeTime } from '../time/RelativeTime';

/** What WeChat has, as far as we know. */
export function Actual({ entry }: { entry: BlacklistEntry }) {
  const { t } = useTranslation();
  const { actual, actual_at: at } = entry;
  return (
    <span className="tags">
      {actual === 'blocked' && (
        <Tag color="error" icon={<StopOutlined aria-hidden />}>
          {t('actual.blocked')}
        </Tag>
      )}
      {actual === 'unblocked' && <Tag icon={<CheckOutlined aria-hidden />}>{t('actual.unblocked')}</Tag>}
      {actual === null && <Tag icon={<QuestionOutlined aria-hidden />}>{t('actual.unknown')}</Tag>}
      {at && (
        <span className="small quiet">
          <RelativeTime at={at} />
        </span>
      )}
    </span>
  );
}

/** What was asked for here, and what keeps it from being so. */
export function Wanted({ entry }: { entry: BlacklistEntry }) {
  const { t } = useTranslation();
  if (entry.want === null) return <span className="quiet">{t('want.merchant')}</span>;
  return (
    <div className="stack">
      <span className="tags">
        {t(`want.${entry.want}`)}
        {entry.pending && (
          <Tag color="processing" icon={<ClockCircleOutlined aria-hidden />}>
            {t('want.pending')}
          </Tag>
        )}
        {entry.errcode !== null && <Tag color="error">{t('want.refused')}</Tag>}
      </span>
      {entry.errcode !== null && (
        <div className="small">
          <Refusal errcode={entry.errcode} rid={entry.rid} advice={entry.advice} />
        </div>
      )}
    </div>
  );
}
