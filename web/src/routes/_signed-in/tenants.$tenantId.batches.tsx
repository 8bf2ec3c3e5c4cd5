import { createFileRoute } from '@tanstack/react-router';
import { BatchesPage } from '../../batch/BatchesPage';
import { parseBatchesSearch } from '../../batch/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/batches')({
  validateSearch: parseBatchesSearch,
  component: BatchesPage,
});
