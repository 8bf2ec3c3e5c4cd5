import { DownloadOutlined } from '@ant-design/icons';
import { Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { useDownload, type Answer } from './download';

/** What a file looks like: for Excel, which takes UTF-8 for another encoding without a mark; for other spreadsheets; for programs. */
const formats = {
  excel: { format: 'csv', bom: true },
  csv: { format: 'csv', bom: undefined },
  ndjson: { format: 'ndjson', bom: undefined },
} as const;
export type FileFormat = (typeof formats)[keyof typeof formats];

interface Props {
  /** What is exported, for those who do not see where the button stands. */
  label: string;
  size?: 'small';
  onExport: (format: FileFormat) => Promise<Answer>;
}

/** Offers something as a file, in the format that is chosen. */
export function ExportButton({ label, size, onExport }: Props) {
  const { t } = useTranslation();
  const mayRead = useMay('blacklist:read');
  const download = useDownload();
  return (
    <>
      <Dropdown
        trigger={['click']}
        disabled={!mayRead || download.isPending}
        menu={{
          items: (Object.keys(formats) as (keyof typeof formats)[]).map((key) => ({
            key,
            label: t(`file.${key}`),
            onClick: () => download.mutate(() => onExport(formats[key])),
          })),
        }}
      >
        <Button
          size={size}
          icon={<DownloadOutlined aria-hidden />}
          loading={download.isPending}
          disabled={!mayRead}
          title={mayRead ? undefined : t('frame.notAllowed')}
          aria-label={label}
        >
          {download.isPending ? t('file.exporting') : t('file.export')}
        </Button>
      </Dropdown>
      {download.isError && (
        <div className="whole-line">
          <ProblemAlert problem={download.error} />
        </div>
      )}
    </>
  );
}
