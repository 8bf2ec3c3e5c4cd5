import { createFileRoute, redirect } from '@tanstack/react-router';
import { text } from '../paging/search';
import { LoginPage } from '../session/LoginPage';
import { isSignedIn, placeWithin } from '../session/session';

export const Route = createFileRoute('/login')({
  validateSearch: (search: Record<string, unknown>): { next?: string } => ({
    next: placeWithin(text(search.next)),
  }),
  beforeLoad: async ({ context, search }) => {
    if (await isSignedIn(context.queryClient)) throw redirect({ href: search.next ?? '/' });
  },
  component: LoginPage,
});
