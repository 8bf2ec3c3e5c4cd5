import { Button, Segmented } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useMay } from '../session/useMe';
import type { Remedy } from './DriftDialog';
import { driftFilters, type DriftFilter } from './search';

interface Props {
  drift: DriftFilter;
  /** How many entries differ so; undefined while that is read. */
  total: number | undefined;
  selected: number;
  pull: ReactNode;
  onFilter: (drift: DriftFilter) => void;
  onClearSelection: () => void;
  onAsk: (remedy: Remedy) => void;
}

/** Which differences the table shows, and the two ways out: for those selected, or for all of them. */
export function DriftToolbar({ drift, total, selected, pull, onFilter, onClearSelection, onAsk }: Props) {
  const { t, i18n } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const common = { disabled: !mayWrite || !total, title: mayWrite ? undefined : t('frame.notAllowed') };
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
        <span role="status">
          {total === undefined ? '…' : t('blacklist.total', { count: total, number: total.toLocaleString(i18n.language) })}
        </span>
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
