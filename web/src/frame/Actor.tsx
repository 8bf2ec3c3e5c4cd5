import { useTranslation } from 'react-i18next';

const form = /^(.*) \((platform_key|tenant_key|system|merchant)\)$/;
type Kind = 'platform_key' | 'tenant_key' | 'system' | 'merchant';

/** Who did something. The API writes "name (kind)"; the kind is for those who hover or listen. */
export function Actor({ by }: { by: string }) {
  const { t } = useTranslation();
  const [, name, kind] = form.exec(by) ?? [];
  if (!name || !kind) return <span>{by}</span>;
  return <span title={t(`me.${kind as Kind}`)}>{name}</span>;
}
