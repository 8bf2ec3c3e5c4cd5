import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { PermissionSet } from '../client';
import { isBlacklistSet } from './permissions';

/** Permission sets by name; those that let us work on the blacklist stand out. */
export function PermissionSetTags({ sets }: { sets: PermissionSet[] }) {
  const { i18n } = useTranslation();
  return (
    <span className="tags">
      {sets.map((set) => (
        <Tag key={set.id} color={isBlacklistSet(set) ? 'success' : undefined} title={String(set.id)}>
          {i18n.language === 'zh-CN' ? set.name_zh : capital(set.name_en)} <span className="set-id">{set.id}</span>
        </Tag>
      ))}
    </span>
  );
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
