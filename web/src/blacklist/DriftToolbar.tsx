import { Button, Segmented } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { BlacklistPage } from '../client';
import { useMay } from '../session/useMe';
import type { Remedy } from './DriftDialog';
import { EntryTotal } from './EntryTotal';
import { driftFilters, type DriftFilter } from './search';

interface Props {
  drift: DriftFilter;
  page: BlacklistPage | undefined;
  selected: number;
  pull: ReactNode;
  onFilter: (drift: DriftFilter) => void;
  onClearSelection: () => void;
  onAsk: (remedy: Remedy) => void;
}

/** Which differences the table shows, and the two ways out: for those selected, or for all of them. */
export function DriftToolbar({ drift, page, selected, pull, onFilter, onClearSelection, onAsk }: Props) {
  const { t } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const common = { disabled: !mayWrite || !page?.total, title: mayWrite ? undefined : t('frame.notAllowed') };
  return (
    <>
      <div className="toolbar">
        <Segmented<DriftFilter>
          aria-label={t('drift.filter')}
          value={drift}
          onChange={onFilter}
          options={driftFilters.map((value) => ({ value, label: t(`drift.kind.${value}`) }))}
        />
        <div className="toolbar-end">
          <Button {...common} onClick={() => onAsk('restore')}>
            {selected > 0 ? t('drift.restoreCount', { count: selected }) : t('drift.restoreAll')}
          </Button>
          <Button {...common} type="primary" onClick={() => onAsk('adopt')}>
            {selected > 0 ? t('drift.adoptCount', { count: selected }) : t('drift.adoptAll')}
          </Button>
        </div>
      </div>
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
