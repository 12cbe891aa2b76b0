import { WorkerLost } from '@skein/calls';
import { expect, it } from 'vitest';
import { openSession, type SessionWorker } from './session.ts';
import type { LoadRequest } from './wire.ts';

const request: LoadRequest = {
  model: { bytes: new Uint8Array() },
  device: 'cpu',
  threads: 1,
  maxMemoryBytes: 16 * 2 ** 20,
  maxOutputBytes: undefined,
};

it.each([
  [
    'FATAL ERROR: MarkCompactCollector: young object promotion failed Allocation failed - JavaScript heap out of memory',
    'memory',
    /^The model needs more than the 16 MiB that it may use: The process ended; its last output: FATAL/,
  ],
  ['a bug', 'load', /^The model ended its worker while loading\. The process ended; .* a bug$/],
])('a process that ended while it loaded, with "%s"', async (output, kind, message) => {
  const lost = new WorkerLost('exited', `The process ended; its last output: ${output}`);
  const worker = { call: () => Promise.reject(lost), stop: async () => {} };
  await expect(openSession(worker as unknown as SessionWorker, request)).rejects.toMatchObject({
    kind,
    message: expect.stringMatching(message) as string,
  });
});
