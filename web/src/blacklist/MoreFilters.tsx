import { Button, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import { SearchBox } from '../paging/SearchBox';
import { hasMoreFilters, stateFilters, wantFilters, type BlacklistSearch, type StateFilter, type WantFilter } from './search';

interface Props {
  search: BlacklistSearch;
  onFilter: (values: Partial<BlacklistSearch>) => void;
  onClose: () => void;
}

/** The filters that are wanted less often. */
export function MoreFilters({ search, onFilter, onClose }: Props) {
  const { t } = useTranslation();
  return (
    <div className="toolbar" role="group" aria-label={t('moreFilters.label')}>
      <SearchBox
        label={t('moreFilters.reason')}
        maxLength={500}
        value={search.reason ?? ''}
        onSearch={(reason) => onFilter({ reason: reason || undefined })}
      />
      <SearchBox label={t('moreFilters.by')} maxLength={200} value={search.by ?? ''} onSearch={(by) => onFilter({ by: by || undefined })} />
      <Select<WantFilter | 'any'>
        className="filter-select"
        aria-label={t('blacklist.want')}
        value={search.want ?? 'any'}
        onChange={(want) => onFilter({ want: want === 'any' ? undefined : want })}
        options={[
          { value: 'any', label: t('moreFilters.anyWant') },
          ...wantFilters.map((value) => ({ value, label: t(`moreFilters.want.${value}`) })),
        ]}
      />
      <Select<StateFilter | 'any'>
        className="filter-select"
        aria-label={t('moreFilters.state')}
        value={search.state ?? 'any'}
        onChange={(state) => onFilter({ state: state === 'any' ? undefined : state })}
        options={[
          { value: 'any', label: t('moreFilters.anyState') },
          ...stateFilters.map((value) => ({ value, label: t(`moreFilters.states.${value}`) })),
        ]}
      />
      <Button
        size="small"
        type="link"
        className="flush"
        onClick={() => {
          onClose();
          if (hasMoreFilters(search)) onFilter({ reason: undefined, by: undefined, want: undefined, state: undefined });
        }}
      >
        {t('moreFilters.clear')}
      </Button>
    </div>
  );
}
