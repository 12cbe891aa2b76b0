/** The sending thread: waits for `go`, runs one loop, posts its counts. */
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { createArrivals } from './arrivals.ts';
import { createGrpcSender, SHARED_CONNECTION_CALLS } from './grpc-sender.ts';
import { createHttpSender } from './http-sender.ts';
import type { WorkerMessage, WorkerPlan } from './load.ts';
import { runClosedLoop, runOpenLoop } from './loop.ts';
import { Tally } from './tally.ts';
import type { Sender } from './target.ts';

/** Connections that are open before the first request of an open loop. */
const WARM_CONNECTIONS = 8;
const PROGRESS_MS = 200;

const plan = workerData as WorkerPlan;
const start = Promise.withResolvers<void>();

parentPort?.on('message', (message: unknown) => {
  if (message === 'go') start.resolve();
});

try {
  await run();
} catch (error) {
  post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
}

async function run(): Promise<void> {
  const { mode, threads, part } = plan;
  const clients = mode.kind === 'closed' ? partOf(mode.clients, part, threads) : 0;
  const sender = createSender(clients);
  const tally = new Tally(plan.objectiveMs);
  try {
    await sender.warm(mode.kind === 'closed' ? clients : WARM_CONNECTIONS);
    post({ kind: 'ready' });
    await start.promise;
    const progress = setInterval(() => {
      const { sent, answered, answeredInTime } = tally;
      post({ kind: 'progress', sent, answered, answeredInTime });
    }, PROGRESS_MS);
    const busyFrom = performance.eventLoopUtilization();
    if (mode.kind === 'open') {
      const arrivals = createArrivals({
        kind: mode.arrivals,
        rate: mode.rate,
        seed: plan.seed,
        share: { part, of: threads },
      });
      await runOpenLoop(arrivals, sender, tally, plan);
    } else if (clients > 0) {
      await runClosedLoop(clients, sender, tally, plan);
    }
    clearInterval(progress);
    const busyShare = performance.eventLoopUtilization(busyFrom).utilization;
    post({ kind: 'done', tally: tally.data(), busyShare });
  } finally {
    sender.close();
  }
}

function createSender(clients: number): Sender {
  const { target, mode, threads } = plan;
  const closed = mode.kind === 'closed';
  const connections = closed ? clients : Math.max(1, Math.floor(plan.maxConnections / threads));
  if (target.protocol === 'http') return createHttpSender(target, connections);
  return createGrpcSender(target, connections, closed ? 1 : SHARED_CONNECTION_CALLS);
}

/** The share of one thread when `total` is divided among `of`. */
function partOf(total: number, part: number, of: number): number {
  return Math.floor((total * (part + 1)) / of) - Math.floor((total * part) / of);
}

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message, []);
}
