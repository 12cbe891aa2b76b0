/** What a round of 100 sites takes of the coordinator's memory, each site over a WebSocket of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join as pathOf } from 'node:path';
import { createIdentity, invitationOf, join, memoryChunks, openChannel } from '@skein/federation';
import { openSocket } from '@skein/federation/site/node';
import type { RowGroup } from '../harness/row-group.ts';
import type { Started } from './coordinator-process.ts';

const SITES = 100;
const PROGRAM = pathOf(import.meta.dirname, 'coordinator-process.ts');
/** Two hidden layers of this width: 1 M and 100,000 parameters. */
const WIDTH = { full: 998, quick: 314 };

export const COORDINATOR_MEMORY: RowGroup = {
  measures: [
    {
      key: 'coordinator_bytes_ratio',
      what: 'memory that a round of 100 sites adds to the coordinator, 1 M parameters, over 4 bytes a parameter (100,000 in a quick run)',
      unit: '×',
      target: { atMost: 3 },
    },
  ],
  async measure({ quick, progress }) {
    if (process.platform !== 'linux') return { results: {}, details: {} };
    progress(`a coordinator of ${SITES} sites`);
    const width = quick ? WIDTH.quick : WIDTH.full;
    const child = fork(PROGRAM, [String(SITES), String(width)], { execArgv: ['--expose-gc'] });
    const next = async <T>(): Promise<T> => ((await once(child, 'message')) as [T])[0];
    try {
      const { url, parameters, invitations } = await next<Started>();
      for (const invitation of invitations.slice(1)) await takePart(url, invitation);
      child.send('joined');
      await next();
      const measured = next<{ readonly bytes: number }>();
      await takePart(url, invitations[0]!);
      const { bytes } = await measured;
      return {
        results: { coordinator_bytes_ratio: bytes / (4 * parameters) },
        details: { coordinator: { bytes, parameters, sites: SITES } },
      };
    } finally {
      child.kill();
    }
  },
};

/** Joins, and answers every task with an update of its own. */
async function takePart(url: string, text: string): Promise<void> {
  const identity = await createIdentity();
  const invitation = invitationOf(text);
  const { run } = invitation;
  const channel = openChannel(await openSocket(url), memoryChunks(2 ** 26));
  const { planDigest: plan } = await join(channel, { identity, invitation, accept() {} });
  void (async () => {
    for (let next = await channel.receive(); next; next = await channel.receive()) {
      const { message, payload } = next;
      if (message.kind !== 'task') continue;
      const { place } = message;
      const update = new Uint8Array(payload!.bytes);
      // No two payloads may be one artifact.
      crypto.getRandomValues(update.subarray(0, 2));
      const fields = { weight: 1 };
      const digest = Buffer.from(await crypto.subtle.digest('SHA-256', update)).toString('hex');
      const signed = { run, plan, place, fields, payload: digest };
      const signature = await identity.sign('answer', signed);
      await channel.send({ kind: 'answer', place, fields, signature }, update);
    }
  })().catch(() => {});
}
