import { Form, Input } from 'antd';
import { useTranslation } from 'react-i18next';
import { OpenIdCounts } from '../blacklist/OpenIdCounts';
import type { PastedOpenIds } from '../blacklist/openids';

export type IdKind = 'openids' | 'unionids';

interface Props {
  id: string;
  kind: IdKind;
  hint: string;
  /** How many one request may hold. */
  limit?: number;
  value: string;
  counts: PastedOpenIds;
  onChange: (text: string) => void;
}

/** Where openids or unionids are pasted, counted while it is done. */
export function IdsField({ id, kind, hint, limit, value, counts, onChange }: Props) {
  const { t } = useTranslation();
  return (
    <>
      <Form.Item label={t(`people.${kind === 'openids' ? 'kindOpenids' : 'kindUnionids'}`)} htmlFor={id} extra={hint}>
        <Input.TextArea
          id={id}
          className="mono"
          value={value}
          onChange={({ target }) => onChange(target.value)}
          rows={8}
          spellCheck={false}
          autoComplete="off"
          aria-describedby={`${id}-counts`}
        />
      </Form.Item>
      <OpenIdCounts id={`${id}-counts`} counts={counts} kind={kind} limit={limit} />
    </>
  );
}
