import { useQuery } from '@tanstack/react-query';
import { Button, Empty, Input, Skeleton } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemAlert } from '../problem/ProblemAlert';
import { personOptions } from './person';
import { PersonPlaces } from './PersonPlaces';

interface Props {
  tenantId: string;
  /** An openid or a unionid, from the address. */
  person: string | undefined;
  onFind: (person: string | undefined) => void;
}

/** Looks for somebody on all of the tenant's accounts. */
export function FindPerson({ tenantId, person, onFind }: Props) {
  const { t } = useTranslation();
  return (
    <section className="panel stack-wide" aria-labelledby="find-person">
      <h2 id="find-person" className="section-title">
        {t('person.find')}
      </h2>
      <PersonBox key={`box ${person ?? ''}`} person={person} onFind={onFind} />
      {person !== undefined && <Found key={`found ${person}`} tenantId={tenantId} person={person} onClear={() => onFind(undefined)} />}
    </section>
  );
}

function PersonBox({ person, onFind }: Omit<Props, 'tenantId'>) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(person ?? '');
  return (
    <div className="stack" role="search">
      <Input.Search
        className="person-box"
        aria-label={t('person.label')}
        aria-describedby="person-hint"
        placeholder={t('person.label')}
        enterButton={t('person.button')}
        maxLength={128}
        spellCheck={false}
        autoComplete="off"
        value={typed}
        onChange={({ target }) => setTyped(target.value)}
        onSearch={(value) => onFind(value.trim() || undefined)}
      />
      <span id="person-hint" className="small quiet">
        {t('person.hint')}
      </span>
    </div>
  );
}

function Found({ tenantId, person, onClear }: { tenantId: string; person: string; onClear: () => void }) {
  const { t } = useTranslation();
  const places = useQuery(personOptions(tenantId, person));
  if (places.isPending) return <Skeleton active title={false} paragraph={{ rows: 3 }} />;
  if (places.isError) return <ProblemAlert problem={places.error} onRetry={() => void places.refetch()} />;
  if (places.data.length === 0) {
    return (
      <Empty
        image={Empty.PRESENTED_IMAGE_SIMPLE}
        description={
          <div role="status">
            <p>{t('person.none')}</p>
            <p className="quiet">{t('person.noneHelp')}</p>
          </div>
        }
      >
        <Button onClick={onClear}>{t('search.clear')}</Button>
      </Empty>
    );
  }
  return <PersonPlaces tenantId={tenantId} places={places.data} />;
}
