/** `skein-judge worker`: judges what a fleet's services took in, until Ctrl-C. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { openArtifacts } from '@skein/state';
import { openFollowedStore } from '@skein/jobs';
import { startJudgeWorker } from '../service/worker/judge-worker.ts';
import { fleetOf, logOf, type Command } from './options.ts';
import { untilAborted } from '@skein/api/waits';

const AWAY = 'The store of jobs does not answer; the worker waits for it.';

export const runWorker: Command = async (operands, options, { stdout, stderr, signal }) => {
  if (operands.length > 0) throw new SkeinError('USAGE', `worker takes no ${operands[0]}.`);
  const fleet = fleetOf(options);
  if (fleet === undefined) {
    throw new SkeinError('USAGE', 'A worker joins a fleet: --redis URL and --blobs PLACE.');
  }
  const { workers } = options;
  if (workers === 'none') throw new SkeinError('USAGE', '--workers none: a worker judges.');
  const cache = join(homedir(), '.cache', 'skein', 'artifacts');
  const artifacts = await openArtifacts(fleet.blobs, cache);
  const log = await logOf(options, stderr.isTTY === true);
  const store = await openFollowedStore(fleet.redis, {
    namespace: fleet.namespace,
    onAway: (reason) => log('warn', AWAY, { reason }),
    ending: signal,
    log,
  });
  try {
    const worker = await startJudgeWorker({
      store,
      artifacts,
      parallel: workers,
      driver: options.driver,
      image: options.image,
      hidden: [cache, fleet.blobs],
      name: options.name,
      leaseMs: options.lease,
      graceMs: options.grace,
      ending: signal,
      log,
    });
    const { id, labels, capacity } = worker;
    stdout.write(
      options.json
        ? `${JSON.stringify({ worker: id, pid: process.pid, labels, parallel: capacity.cores })}\n`
        : `Worker ${id}: ${capacity.cores} at once, ${labels.join(', ')}\n`,
    );
    await untilAborted(signal);
    await worker.drain();
  } finally {
    await store.close();
    await artifacts.close();
  }
  return 0;
};
