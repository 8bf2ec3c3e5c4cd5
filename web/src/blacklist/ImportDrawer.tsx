import { InboxOutlined } from '@ant-design/icons';
import { Button, Drawer, Form, Progress, Radio, Upload } from 'antd';
import type { Dayjs } from 'dayjs';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { maxFileBytes, useUpload } from '../file/upload';
import { ProblemAlert } from '../problem/ProblemAlert';
import { isPast } from './until';
import type { Action } from './useWish';
import { WishFields } from './WishFields';

interface Props {
  tenantId: string;
  appid: string;
  accountName: string;
  onClose: () => void;
  onTaken: (batch: Batch) => void;
}

/** Asks for a file of those to block or unblock, and sends it. */
export function ImportDrawer({ tenantId, appid, accountName, onClose, onTaken }: Props) {
  const { t } = useTranslation();
  const [action, setAction] = useState<Action>('block');
  const [file, setFile] = useState<File>();
  const [reason, setReason] = useState('');
  const [note, setNote] = useState('');
  const [until, setUntil] = useState<Dayjs | null>(null);
  const { upload, sent, stop } = useUpload(onTaken);
  const ready = file !== undefined && file.size > 0 && file.size <= maxFileBytes && !(action === 'block' && isPast(until));
  const submit = () => {
    if (!file) return;
    upload.mutate({
      action,
      tenantId,
      appid,
      file,
      reason: reason.trim() || undefined,
      note: note.trim() || undefined,
      until: action === 'block' ? until?.toISOString() : undefined,
    });
  };
  return (
    <Drawer
      open
      onClose={onClose}
      // What comes of the file is to be seen here.
      closable={!upload.isPending}
      keyboard={!upload.isPending}
      mask={{ closable: !upload.isPending }}
      size={520}
      className="wish-drawer"
      title={t('import.title', { name: accountName })}
      footer={
        <div className="drawer-footer">
          <Button disabled={upload.isPending} onClick={onClose}>
            {t('wish.close')}
          </Button>
          <Button type="primary" danger={action === 'block'} loading={upload.isPending} disabled={!ready} onClick={submit}>
            {t(`import.${action}`)}
          </Button>
        </div>
      }
    >
      <Form layout="vertical" disabled={upload.isPending}>
        <Form.Item label={t('import.action')}>
          <Radio.Group
            aria-label={t('import.action')}
            value={action}
            onChange={({ target }) => setAction(target.value as Action)}
            options={[
              { value: 'block', label: t('wish.block') },
              { value: 'unblock', label: t('wish.unblock') },
            ]}
          />
        </Form.Item>
        <FileField
          file={file}
          onFile={(chosen) => {
            setFile(chosen);
            upload.reset(); // what was wrong was wrong with another file
          }}
        />
        <WishFields
          action={action}
          id="import"
          reason={reason}
          note={note}
          until={until}
          onReason={setReason}
          onNote={setNote}
          onUntil={setUntil}
        />
      </Form>
      {upload.isPending && <Sending sent={sent} onStop={stop} />}
      {upload.isError && <ProblemAlert problem={upload.error} />}
    </Drawer>
  );
}

function FileField({ file, onFile }: { file: File | undefined; onFile: (file: File | undefined) => void }) {
  const { t, i18n } = useTranslation();
  const tooLarge = file !== undefined && file.size > maxFileBytes;
  const empty = file?.size === 0;
  return (
    <Form.Item
      label={t('import.file')}
      htmlFor="import-file"
      extra={t('import.hint')}
      validateStatus={tooLarge || empty ? 'error' : undefined}
      help={tooLarge ? t('import.tooLarge') : empty ? t('import.empty') : undefined}
    >
      <Upload.Dragger
        id="import-file"
        accept=".csv,.txt,text/csv"
        maxCount={1}
        showUploadList={false}
        beforeUpload={(chosen) => {
          onFile(chosen);
          return false; // it is sent with the rest of the form
        }}
      >
        <p className="import-icon">
          <InboxOutlined aria-hidden />
        </p>
        {file ? (
          <p role="status">
            <strong>{file.name}</strong> <span className="quiet">{size(file.size, i18n.language)}</span>
          </p>
        ) : (
          <p>{t('import.choose')}</p>
        )}
      </Upload.Dragger>
    </Form.Item>
  );
}

/** How far the file has come. Once all of it has left, Steward is still reading and storing it. */
function Sending({ sent, onStop }: { sent: number; onStop: () => void }) {
  const { t } = useTranslation();
  const storing = sent === 1;
  return (
    <div role="status" className="stack-wide">
      <span>{storing ? t('import.storing') : t('import.sending')}</span>
      <Progress percent={Math.floor(sent * 100)} status="active" aria-label={t('import.progress')} />
      {!storing && (
        <div>
          <Button size="small" onClick={onStop}>
            {t('import.stop')}
          </Button>
        </div>
      )}
    </div>
  );
}

function size(bytes: number, language: string): string {
  const [value, unit] = bytes < 1024 * 1024 ? [Math.ceil(bytes / 1024), 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
  return new Intl.NumberFormat(language, { style: 'unit', unit, maximumFractionDigits: 1 }).format(value);
}
