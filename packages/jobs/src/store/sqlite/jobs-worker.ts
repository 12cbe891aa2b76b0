/**
 * The thread of the store: receives a batch of calls, commits once, sends answers and
 * notifications.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf, hasBytes, pack, unpack, type Batch, type BatchReply } from './jobs-messages.ts';
import { openLocalJobs, type LocalJobs } from './local-jobs.ts';
import { noNotifications } from './transaction.ts';

/**
 * With `synchronous=NORMAL`, `kill -9` loses no acknowledged change, and a power cut loses those
 * since the last checkpoint: about this long, in milliseconds.
 */
const CHECKPOINT_MS = 1000;

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const send = (reply: BatchReply) => port.postMessage(reply, []);
  let store: LocalJobs;
  try {
    store = openLocalJobs(path);
  } catch (error) {
    send({
      batch: 0,
      answers: pack([{ failure: failureOf(error) }], false),
      notifications: noNotifications(),
    });
    return;
  }
  let checkpoint: NodeJS.Timeout | undefined;
  const save = () => {
    checkpoint = undefined;
    try {
      store.checkpoint();
    } catch {
      // A full disk fails the next write, which reports it.
    }
  };
  port.on('message', ({ batch, calls }: Batch) => {
    const notifications = noNotifications();
    if (calls === 'close') {
      clearTimeout(checkpoint);
      store.close();
      send({ batch, answers: pack([{}], false), notifications });
      port.close();
      return;
    }
    const asked = unpack(calls);
    const answers = store
      .run(asked, notifications)
      .map((settled) =>
        'error' in settled ? { failure: failureOf(settled.error) } : { value: settled.value },
      );
    send({ batch, answers: pack(answers, hasBytes(asked)), notifications });
    checkpoint ??= setTimeout(save, CHECKPOINT_MS);
  });
  send({ batch: 0, answers: pack([{}], false), notifications: noNotifications() });
}

if (parentPort) serve(parentPort, (workerData as { path: string }).path);
