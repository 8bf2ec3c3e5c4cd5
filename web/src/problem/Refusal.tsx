import { Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import { ServerText } from '../i18n/ServerText';

interface Props {
  /** WeChat's words, or those of whatever failed. */
  message?: string;
  errcode: number | null | undefined;
  rid: string | undefined;
  advice: string | undefined;
}

/** What WeChat said when it refused: its code, what to do, and the id under which WeChat can be asked about it for seven days. */
export function Refusal({ message, errcode, rid, advice }: Props) {
  const { t } = useTranslation();
  if ((errcode === null || errcode === undefined) && !advice && !rid && !message) return null;
  // Code 0 is Steward's for "WeChat was not reached".
  const code = errcode === 0 ? t('refusal.notReached') : errcode;
  return (
    <div className="refusal">
      {message && <ServerText className="refusal-message">{withoutRid(message, rid)}</ServerText>}
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

/** WeChat appends the rid to its words; here it has a place of its own. */
function withoutRid(message: string, rid: string | undefined): string {
  return rid ? message.replace(` rid: ${rid}`, '') : message;
}
