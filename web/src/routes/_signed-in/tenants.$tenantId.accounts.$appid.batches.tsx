import { createFileRoute } from '@tanstack/react-router';
import { parseBatchesSearch } from '../../batch/search';
import { AccountBatchesPage } from '../../blacklist/AccountBatchesPage';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/accounts/$appid/batches')({
  validateSearch: parseBatchesSearch,
  component: AccountBatchesPage,
});
