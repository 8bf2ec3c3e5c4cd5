import { FilterOutlined, UploadOutlined } from '@ant-design/icons';
import { Button, Segmented } from 'antd';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { BlacklistPage } from '../client';
import type { Answer } from '../file/download';
import { ExportButton, type FileFormat } from '../file/ExportButton';
import { SearchBox } from '../paging/SearchBox';
import { useMay } from '../session/useMe';
import { EntryTotal } from './EntryTotal';
import { MoreFilters } from './MoreFilters';
import { actualFilters, hasMoreFilters, type ActualFilter, type BlacklistSearch } from './search';
import type { Action } from './useWish';

interface Props {
  search: BlacklistSearch;
  page: BlacklistPage | undefined;
  selected: number;
  pull: ReactNode;
  onExport: (format: FileFormat) => Promise<Answer>;
  onImport: () => void;
  onFilter: (values: Partial<BlacklistSearch>) => void;
  onClearSelection: () => void;
  onAsk: (action: Action) => void;
}

/** What the table shows, how much of it there is, and what can be done. */
export function EntryToolbar({ search, page, selected, pull, onExport, onImport, onFilter, onClearSelection, onAsk }: Props) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const more = opened || hasMoreFilters(search); // a filter that is set is in sight
  const mayWrite = useMay('blacklist:write');
  const why = mayWrite ? undefined : t('frame.notAllowed');
  return (
    <>
      <div className="toolbar">
        <Segmented<ActualFilter>
          aria-label={t('blacklist.filter')}
          value={search.actual ?? 'blocked'}
          onChange={(actual) => onFilter({ actual: actual === 'blocked' ? undefined : actual })}
          options={actualFilters.map((value) => ({ value, label: t(`filter.${value}`) }))}
        />
        <SearchBox label={t('blacklist.search')} maxLength={128} value={search.q ?? ''} onSearch={(q) => onFilter({ q: q || undefined })} />
        {!more && (
          <Button icon={<FilterOutlined aria-hidden />} aria-expanded={false} onClick={() => setOpened(true)}>
            {t('moreFilters.show')}
          </Button>
        )}
        <div className="toolbar-end">
          <ExportButton label={t('file.exportList')} onExport={onExport} />
          <Button icon={<UploadOutlined aria-hidden />} disabled={!mayWrite} title={why} onClick={onImport}>
            {t('import.button')}
          </Button>
          <Button disabled={!mayWrite} title={why} onClick={() => onAsk('unblock')}>
            {selected > 0 ? t('wish.unblockCount', { count: selected }) : t('blacklist.unblock')}
          </Button>
          <Button type="primary" disabled={!mayWrite} title={why} onClick={() => onAsk('block')}>
            {t('blacklist.block')}
          </Button>
        </div>
      </div>
      {more && <MoreFilters search={search} onFilter={onFilter} onClose={() => setOpened(false)} />}
      <div className="toolbar-facts">
        <EntryTotal page={page} />
        {pull}
        {selected > 0 && (
          <span className="selection">
            {t('blacklist.selected', { count: selected })}
            <Button size="small" type="link" onClick={onClearSelection}>
              {t('blacklist.clearSelection')}
            </Button>
          </span>
        )}
      </div>
    </>
  );
}
