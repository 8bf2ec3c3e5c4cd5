import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { getAuthorizerOptions } from '../client/@tanstack/react-query.gen';

interface Props {
  tenantId: string;
  appid: string;
}

/** The name of an account of which only the appid came; leads to its blacklist. */
export function AccountName({ tenantId, appid }: Props) {
  const account = useQuery({ ...getAuthorizerOptions({ path: { tenant_id: tenantId, appid } }), staleTime: 60_000 });
  const name = account.data?.nick_name;
  return (
    <div className="stack">
      <Link to="/tenants/$tenantId/accounts/$appid/blacklist" params={{ tenantId, appid }} className="identity-name">
        {name || appid}
      </Link>
      {name && <span className="mono small quiet">{appid}</span>}
    </div>
  );
}
