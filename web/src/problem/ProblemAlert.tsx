import { Alert, Button, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Problem } from '../client';
import { PermissionSetTags } from '../account/PermissionSetTags';
import { CopyableLink } from '../connect/CopyableLink';
import { ServerText } from '../i18n/ServerText';
import { useServerWords } from '../i18n/serverWords';
import { Refusal } from './Refusal';
import { cutOff, unreachable, unreadable } from './problem';

interface Props {
  problem: Problem;
  onRetry?: () => void;
}

/** A problem in words: what happened, what to do, and the ids that support will ask for. */
export function ProblemAlert({ problem, onRetry }: Props) {
  const { t } = useTranslation();
  const help = useServerWords().help(problem);
  return (
    <Alert
      type="error"
      showIcon
      className="problem"
      title={<ProblemTitle problem={problem} />}
      description={
        <div className="problem-body">
          {help && <p>{help}</p>}
          {problem.detail && (
            <p className={help && 'small quiet'}>
              <ServerText>{problem.detail}</ServerText>
            </p>
          )}
          <FieldErrors problem={problem} />
          {(problem.errcode !== undefined || problem.advice) && (
            <Refusal errcode={problem.errcode} rid={problem.rid} advice={problem.advice} />
          )}
          <MissingPermission problem={problem} />
          {problem.request_id && (
            <Typography.Text type="secondary" className="small" copyable={{ text: problem.request_id }}>
              {t('problem.requestId')} <span className="mono">{problem.request_id}</span>
            </Typography.Text>
          )}
          {onRetry && (
            <div>
              <Button size="small" onClick={onRetry}>
                {t('problem.retry')}
              </Button>
            </div>
          )}
        </div>
      }
    />
  );
}

function ProblemTitle({ problem }: { problem: Problem }) {
  const { t } = useTranslation();
  const { title } = useServerWords();
  if (problem.code === unreachable) return t('problem.unreachable');
  if (problem.code === unreadable) return t('problem.unreadable');
  if (problem.code === cutOff) return t('problem.cutOff');
  return title(problem);
}

/** What is wrong, place by place; a file may have a hundred of them. */
function FieldErrors({ problem }: { problem: Problem }) {
  if (!problem.errors?.length) return null;
  return (
    <ul className="problem-fields" tabIndex={problem.errors.length > 10 ? 0 : undefined}>
      {problem.errors.map(({ pointer, detail }) => (
        <li key={pointer}>
          <FieldName pointer={pointer} /> <ServerText>{detail}</ServerText>
        </li>
      ))}
    </ul>
  );
}

function FieldName({ pointer }: { pointer: string }) {
  const { t } = useTranslation();
  const line = /^line:(\d+)$/.exec(pointer)?.[1];
  return line ? <strong>{t('problem.line', { line })}</strong> : <code>{pointer}</code>;
}

function MissingPermission({ problem }: { problem: Problem }) {
  const { t } = useTranslation();
  return (
    <>
      {problem.needed_sets && (
        <p className="problem-sets">
          {t('problem.neededSets')} <PermissionSetTags sets={problem.needed_sets} />
        </p>
      )}
      {problem.granted_sets && (
        <p className="problem-sets">
          {t('problem.grantedSets')}{' '}
          {problem.granted_sets.length > 0 ? <PermissionSetTags sets={problem.granted_sets} /> : t('problem.noSets')}
        </p>
      )}
      {problem.connect_url && (
        <div>
          <p>{t('problem.connect')}</p>
          <CopyableLink url={problem.connect_url} />
        </div>
      )}
    </>
  );
}
