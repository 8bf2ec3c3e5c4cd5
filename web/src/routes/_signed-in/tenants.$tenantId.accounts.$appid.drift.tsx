import { createFileRoute } from '@tanstack/react-router';
import { DriftPage } from '../../blacklist/DriftPage';
import { parseDriftSearch } from '../../blacklist/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/accounts/$appid/drift')({
  validateSearch: parseDriftSearch,
  component: DriftPage,
});
