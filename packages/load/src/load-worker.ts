/** The sending thread: connects, then runs one loop and reports its counts. */
import { performance } from 'node:perf_hooks';
import { serve } from '@skein/calls/serve';
import { createArrivals } from './arrivals.ts';
import { createGrpcSender, SHARED_CONNECTION_CALLS } from './sending/grpc-sender.ts';
import { createHttpSender } from './sending/http-sender.ts';
import type { LoadCalls, ObserverCalls, WorkerPlan } from './load.ts';
import { runClosedLoop, runOpenLoop } from './loop.ts';
import { Tally } from './measuring/tally.ts';
import type { Sender } from './target.ts';

/** Connections that are open before the first request of an open loop. */
const WARM_CONNECTIONS = 8;
const PROGRESS_MS = 200;

let plan: WorkerPlan;
let clients = 0;
let sender: Sender;

const calls: LoadCalls = {
  async warm(given) {
    plan = given;
    const { mode, threads, part } = plan;
    clients = mode.kind === 'closed' ? partOf(mode.clients, part, threads) : 0;
    sender = createSender();
    await sender.warm(mode.kind === 'closed' ? clients : WARM_CONNECTIONS);
  },
  async run() {
    const { mode, threads, part } = plan;
    const tally = new Tally(plan.objectiveMs);
    const progress = setInterval(() => {
      const { sent, answered, answeredInTime } = tally;
      void observer.call('progress', { sent, answered, answeredInTime });
    }, PROGRESS_MS);
    try {
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
      const busyShare = performance.eventLoopUtilization(busyFrom).utilization;
      return { tally: tally.data(), busyShare };
    } finally {
      clearInterval(progress);
      sender.close();
    }
  },
};
const observer = serve<ObserverCalls>(calls);

function createSender(): Sender {
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
