import { Tooltip } from 'antd';
import { useTranslation } from 'react-i18next';
import { absolute, relative } from './format';
import { useNow } from './useNow';

/** Clocks differ a little: what the server did a moment ago may lie ahead of the browser's clock. */
const skewMs = 5_000;

interface Props {
  at: string;
  /** The keyboard reaches the tooltip too. Not for the rows of long tables, where every stop is one more to press Tab for. */
  tabStop?: boolean;
}

/** A time as people say it; the exact one is in the tooltip. */
export function RelativeTime({ at, tabStop = false }: Props) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  return (
    <Tooltip title={absolute(at, i18n.language)}>
      <time dateTime={at} tabIndex={tabStop ? 0 : undefined} className="relative-time">
        {relative(at, now, i18n.language) ?? t(Date.parse(at) > now + skewMs ? 'time.soon' : 'time.justNow')}
      </time>
    </Tooltip>
  );
}
