import { createFileRoute } from '@tanstack/react-router';
import { SettingsPage } from '../../tenant/SettingsPage';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/settings')({
  component: SettingsPage,
});
