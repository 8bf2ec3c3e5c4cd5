import { Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import { ServerText } from '../i18n/ServerText';

interface Props {
  errcode: number | null | undefined;
  rid: string | undefined;
  advice: string | undefined;
}

/** What WeChat said when it refused: its code, what to do, and the id under which WeChat can be asked about it for seven days. */
export function Refusal({ errcode, rid, advice }: Props) {
  const { t } = useTranslation();
  if ((errcode === null || errcode === undefined) && !advice && !rid) return null;
  // Code 0 is Steward's for "WeChat was not reached".
  const code = errcode === 0 ? t('refusal.notReached') : errcode;
  return (
    <div className="refusal">
      {errcode !== null && errcode !== undefined && <strong className="refusal-code">{code}</strong>}
      {advice && <ServerText>{advice}</ServerText>}
      {rid && (
        <Typography.Text type="secondary" className="mono small" copyable={{ text: rid }}>
          rid {rid}
        </Typography.Text>
      )}
    </div>
  );
}
