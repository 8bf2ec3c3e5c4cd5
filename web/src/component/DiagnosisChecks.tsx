import { CheckOutlined, CloseOutlined, QuestionOutlined, WarningOutlined } from '@ant-design/icons';
import { Table, Tag, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { DiagnosisCheck } from '../client';
import { useNarrow } from '../frame/useNarrow';
import { ServerText } from '../i18n/ServerText';
import { Refusal } from '../problem/Refusal';

const looks: Record<DiagnosisCheck['status'], { color?: string; icon: ReactNode }> = {
  ok: { color: 'success', icon: <CheckOutlined aria-hidden /> },
  warn: { color: 'warning', icon: <WarningOutlined aria-hidden /> },
  fail: { color: 'error', icon: <CloseOutlined aria-hidden /> },
  unknown: { icon: <QuestionOutlined aria-hidden /> },
};

/** What a diagnosis found, and what to do about it. */
export function DiagnosisChecks({ checks }: { checks: DiagnosisCheck[] }) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const name = ({ check }: DiagnosisCheck) => <strong>{t(`check.${check}`)}</strong>;
  const wide: TableColumnsType<DiagnosisCheck> = [
    { key: 'status', title: t('diagnosis.status'), width: 110, render: (_, { status }) => <CheckStatusTag status={status} /> },
    { key: 'check', title: t('diagnosis.check'), width: 170, render: (_, check) => name(check) },
    { key: 'reason', title: t('diagnosis.reason'), render: (_, { reason }) => <ServerText>{reason}</ServerText> },
    { key: 'remedy', title: t('diagnosis.remedy'), render: (_, check) => <Remedy check={check} /> },
  ];
  const card: TableColumnsType<DiagnosisCheck> = [
    {
      key: 'check',
      title: t('diagnosis.check'),
      render: (_, check) => (
        <div className="card">
          <span className="tags">
            <CheckStatusTag status={check.status} /> {name(check)}
          </span>
          <ServerText>{check.reason}</ServerText>
          <Remedy check={check} />
        </div>
      ),
    },
  ];
  return (
    <Table<DiagnosisCheck>
      size="small"
      className="facts-table"
      rowKey="check"
      columns={narrow ? card : wide}
      dataSource={checks}
      pagination={false}
      tableLayout={narrow ? undefined : 'fixed'}
    />
  );
}

function CheckStatusTag({ status }: { status: DiagnosisCheck['status'] }) {
  const { t } = useTranslation();
  return (
    <Tag color={looks[status].color} icon={looks[status].icon}>
      {t(`checkStatus.${status}`)}
    </Tag>
  );
}

function Remedy({ check }: { check: DiagnosisCheck }) {
  return <Refusal errcode={check.errcode} rid={check.rid} advice={check.remedy} />;
}
