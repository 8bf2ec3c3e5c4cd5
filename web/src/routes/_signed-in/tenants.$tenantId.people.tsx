import { createFileRoute } from '@tanstack/react-router';
import { PeoplePage } from '../../people/PeoplePage';
import { parsePeopleSearch } from '../../people/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/people')({
  validateSearch: parsePeopleSearch,
  component: PeoplePage,
});
