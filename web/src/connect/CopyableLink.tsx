import { CheckOutlined, CopyOutlined } from '@ant-design/icons';
import { Typography } from 'antd';
import { useTranslation } from 'react-i18next';

/** A link to be handed to a merchant: shown whole, to be copied or opened. */
export function CopyableLink({ url }: { url: string }) {
  const { t } = useTranslation();
  return (
    <Typography.Paragraph
      className="copyable-link"
      copyable={{
        text: url,
        tooltips: [t('copy.link'), t('copy.done')],
        icon: [
          <span key="copy" className="copy-link">
            <CopyOutlined aria-hidden /> {t('copy.link')}
          </span>,
          <span key="copied" className="copy-link" role="status">
            <CheckOutlined aria-hidden /> {t('copy.done')}
          </span>,
        ],
      }}
    >
      <a href={url} target="_blank" rel="noreferrer" className="mono">
        {url}
      </a>
    </Typography.Paragraph>
  );
}
