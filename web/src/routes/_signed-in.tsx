import { createFileRoute } from '@tanstack/react-router';
import { Frame } from '../frame/Frame';
import { requireMe } from '../session/session';

export const Route = createFileRoute('/_signed-in')({
  beforeLoad: async ({ context, location }) => ({ me: await requireMe(context.queryClient, location.href) }),
  component: Frame,
});
