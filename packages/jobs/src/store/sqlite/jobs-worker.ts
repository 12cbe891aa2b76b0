/** The thread of the store: receives a batch of calls, commits once, answers with notifications. */
import { serve, toWire } from '@skein/calls/serve';
import { hasBytes, pack, unpack, type Answer, type Packed } from './batch.ts';
import { openLocalJobs, type Call, type LocalJobs } from './local-jobs.ts';
import { noNotifications, type Notifications } from './transaction.ts';

/**
 * With `synchronous=NORMAL`, `kill -9` loses no acknowledged change, and a power cut loses those
 * since the last checkpoint: about this long, in milliseconds.
 */
const CHECKPOINT_MS = 1000;

let store: LocalJobs;
let checkpoint: NodeJS.Timeout | undefined;

function save(): void {
  checkpoint = undefined;
  try {
    store.checkpoint();
  } catch {
    // A full disk fails the next write, which reports it.
  }
}

const calls = {
  open(path: string): void {
    store = openLocalJobs(path);
  },
  /** Calls that were made in one turn of the event loop. */
  run(batch: Packed<readonly Call[]>): {
    answers: Packed<readonly Answer[]>;
    notifications: Notifications;
  } {
    const asked = unpack(batch);
    const notifications = noNotifications();
    const answers = store
      .run(asked, notifications)
      .map((settled) =>
        'error' in settled ? { failure: toWire(settled.error) } : { value: settled.value },
      );
    checkpoint ??= setTimeout(save, CHECKPOINT_MS);
    return { answers: pack<readonly Answer[]>(answers, hasBytes(asked)), notifications };
  },
  close(): void {
    clearTimeout(checkpoint);
    store.close();
  },
};
export type JobsCalls = typeof calls;
serve(calls);
