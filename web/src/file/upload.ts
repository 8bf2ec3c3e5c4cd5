import { useMutation } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useIdempotencyKey } from '../batch/idempotency';
import type { Batch, Problem } from '../client';
import { client } from '../client/client.gen';
import { asProblem } from '../problem/problem';

/** What one file may weigh; the API refuses more. */
export const maxFileBytes = 64 * 1024 * 1024;

export interface FileWish {
  action: 'block' | 'unblock';
  tenantId: string;
  appid: string;
  file: File;
  reason: string | undefined;
  note: string | undefined;
  until: string | undefined;
}

/** Sends a wish whose openids stand in a file. `sent` is the part of it that has left the browser, from 0 to 1. */
export function useUpload(onTaken: (batch: Batch) => void) {
  const { keyFor, forget } = useIdempotencyKey();
  const [sent, setSent] = useState(0);
  const request = useRef<XMLHttpRequest>(undefined);
  const upload = useMutation<Batch, Problem, FileWish>({
    mutationFn: async ({ action, tenantId, appid, file, reason, note, until }) => {
      setSent(0);
      request.current = new XMLHttpRequest();
      const response = await send(request.current, {
        url: client.buildUrl({
          url: `/v1/tenants/{tenant_id}/authorizers/{appid}/blacklist/${action}`,
          path: { tenant_id: tenantId, appid },
          query: { reason, note, until },
        }),
        key: keyFor(action, tenantId, appid, file.name, file.size, file.lastModified, reason, note, until),
        file,
        onSent: setSent,
      });
      return batchIn(response);
    },
    onSuccess: (batch) => {
      forget();
      onTaken(batch);
    },
  });
  // Whoever has left the page does not see what came of it.
  useEffect(() => () => request.current?.abort(), []);
  const { reset } = upload;
  const stop = useCallback(() => {
    reset();
    request.current?.abort();
  }, [reset]);
  return { upload, sent, stop };
}

interface Sending {
  url: string;
  key: string;
  file: File;
  onSent: (part: number) => void;
}

/**
 * Not fetch, which does not tell how far a body has come. The session's cookie goes along: it is our own origin. Undefined if no answer
 * came.
 */
function send(request: XMLHttpRequest, { url, key, file, onSent }: Sending): Promise<Response | undefined> {
  return new Promise((resolve) => {
    request.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
    request.onload = () => resolve(new Response(request.responseText, { status: request.status, statusText: request.statusText }));
    request.onerror = request.onabort = () => resolve(undefined);
    request.open('POST', url);
    request.setRequestHeader('Content-Type', 'text/csv');
    request.setRequestHeader('Idempotency-Key', key);
    request.send(file);
  });
}

async function batchIn(response: Response | undefined): Promise<Batch> {
  const answer: unknown = await response?.json().catch(() => undefined); // what is not JSON is not Steward's
  if (response?.ok && answer !== undefined) return answer as Batch;
  throw asProblem(answer, response);
}
