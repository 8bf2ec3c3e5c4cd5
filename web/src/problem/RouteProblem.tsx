import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import { asProblem } from './problem';
import { ProblemAlert } from './ProblemAlert';

/** Stands where a page would, when the page cannot be shown. */
export function RouteProblem({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <div className="page">
      <ProblemAlert
        problem={asProblem(error)}
        onRetry={() => {
          reset();
          void router.invalidate();
        }}
      />
    </div>
  );
}
