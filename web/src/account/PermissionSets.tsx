import { WarningOutlined } from '@ant-design/icons';
import { Button, Popover, Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Authorizer } from '../client';
import { grantsBlacklist, isBlacklistSet } from './permissions';
import { PermissionSetTags } from './PermissionSetTags';

/** What the merchant granted: first whether we may work on the blacklist, then the rest behind a button. */
export function PermissionSets({ account }: { account: Authorizer }) {
  const { t } = useTranslation();
  const others = account.permission_sets.filter((set) => !isBlacklistSet(set));
  return (
    <span className="tags">
      {grantsBlacklist(account) ? (
        <PermissionSetTags sets={account.permission_sets.filter(isBlacklistSet)} />
      ) : (
        <Tag color="warning" icon={<WarningOutlined aria-hidden />}>
          {t('permission.missing')}
        </Tag>
      )}
      {others.length > 0 && (
        <Popover
          trigger={['click']}
          title={t('permission.others')}
          content={
            <div className="set-list">
              <PermissionSetTags sets={others} />
            </div>
          }
        >
          <Button size="small" type="text" className="more" aria-label={t('permission.showOthers', { count: others.length })}>
            +{others.length}
          </Button>
        </Popover>
      )}
    </span>
  );
}
