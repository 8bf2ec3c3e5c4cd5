import { createFileRoute } from '@tanstack/react-router';
import { WorkPage } from '../../blacklist/WorkPage';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/accounts/$appid/work')({
  component: WorkPage,
});
