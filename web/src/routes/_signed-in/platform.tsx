import { createFileRoute } from '@tanstack/react-router';
import { PlatformPage } from '../../component/PlatformPage';

export const Route = createFileRoute('/_signed-in/platform')({
  component: PlatformPage,
});
