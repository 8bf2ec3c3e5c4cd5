import { useMutation } from '@tanstack/react-query';
import type { Problem } from '../client';
import { asProblem, cutOff } from '../problem/problem';

/** As the generated client gives it, asked to parse as a blob. */
export interface Answer {
  data: unknown;
  response: Response;
}

/**
 * Saves what the API answers as a file. It goes through fetch, not through a plain link, so that a refusal is a problem on the page; the
 * browser keeps a large answer on its disk, not in memory.
 */
export function useDownload() {
  return useMutation<string, Problem, () => Promise<Answer>>({
    mutationFn: async (ask) => {
      let answer: Answer;
      try {
        answer = await ask();
      } catch (error) {
        // The client makes problems of all but an answer that broke off.
        throw error instanceof TypeError ? { ...asProblem(error), code: cutOff } : error;
      }
      const name = nameOf(answer.response);
      save(answer.data as Blob, name);
      return name;
    },
  });
}

/** The name that the API gives the file. */
function nameOf(response: Response): string {
  return /filename="?([^";]+)"?/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? 'steward';
}

function save(data: Blob, name: string) {
  const url = URL.createObjectURL(data);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser may still be reading when click returns.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
