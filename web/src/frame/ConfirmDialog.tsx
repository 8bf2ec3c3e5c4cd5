import { Form, Input, Modal } from 'antd';
import { useId, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Problem } from '../client';
import { ProblemAlert } from '../problem/ProblemAlert';

interface Props {
  title: string;
  /** What will happen. */
  children: ReactNode;
  /** What the button says that makes it happen. */
  confirm: string;
  danger?: boolean;
  /** A reason may be given, with this said of it. */
  reasonHint?: string;
  pending: boolean;
  problem: Problem | null;
  onConfirm: (reason: string | undefined) => void;
  onClose: () => void;
}

/** Says what will happen, and asks whether it shall. */
export function ConfirmDialog({ title, children, confirm, danger = false, reasonHint, pending, problem, onConfirm, onClose }: Props) {
  const { t } = useTranslation();
  const id = useId();
  const [reason, setReason] = useState('');
  return (
    <Modal
      open
      title={title}
      okText={confirm}
      okButtonProps={{ danger, loading: pending }}
      cancelText={t('confirm.close')}
      onOk={() => onConfirm(reason.trim() || undefined)}
      onCancel={onClose}
      destroyOnHidden
    >
      <div className="stack-wide">
        {children}
        {reasonHint && (
          <Form layout="vertical" onFinish={() => onConfirm(reason.trim() || undefined)}>
            <Form.Item label={t('confirm.reason')} htmlFor={id} extra={reasonHint} className="last-item">
              <Input id={id} value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
            </Form.Item>
          </Form>
        )}
        {problem && <ProblemAlert problem={problem} />}
      </div>
    </Modal>
  );
}
