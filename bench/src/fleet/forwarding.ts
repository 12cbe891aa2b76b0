/** Throughput of two nodes over one, the cost of a forward, and the requests lost when a node is killed. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { type LoadMode, type LoadReport, runLoad } from '@skein/load';
import { mlp, writeModel } from '@skein/onnx';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { closedLoop } from '../harness/h2load.ts';
import { medianLatency } from '../harness/wrk.ts';
import { binaryBody, type BenchModel, mlpModel } from '../serving/models.ts';
import { deploy } from '../serving/servers.ts';
import type { NodeProcess } from '../harness/node.ts';
import { type BenchFleet, openFleet, publish, serves } from './pinned-nodes.ts';

/**
 * A run takes about 10 ms on a core, so the cost of HTTP is a small part. It reads
 * each weight once for many rows, so that two nodes do not compete for the memory of the machine.
 */
const WIDTH = 1024;
const ROWS = 192;
const OBJECTIVE_MS = 250;
/** A balancer sends everything to one node: the worst case for the other. */
const OVERLOAD = 3;
const KILL_LOAD = 0.7;
/** Until queues are as long as they get under the objective. */
const WARM_UP_MS = 300;
/** Length of one measurement, in turns with others. */
const SLICE_SECONDS = 1;

type Settings = Parameters<typeof deploy>[2];

function heavyModel(folder: string): BenchModel {
  const path = join(folder, 'heavy.onnx');
  writeFileSync(path, writeModel(mlp({ sizes: [64, WIDTH, WIDTH, WIDTH, 16], seed: 1 })));
  const row = new Float32Array(ROWS * 64).fill(0.5);
  return { name: 'heavy', path, input: 'x', shape: [ROWS, 64], row };
}

const pathOf = ({ name }: BenchModel): string => `/v2/models/${name}/infer`;

/** Deploys to the first node; resolves when all serve, and the first one has learned that they do. */
async function deployTo(
  nodes: readonly NodeProcess[],
  model: BenchModel,
  settings: Settings,
): Promise<void> {
  await deploy(nodes[0] as Parameters<typeof deploy>[0], model, settings);
  await Promise.all(nodes.map((node) => serves(node, model.name)));
  if (nodes.length > 1) await publish(nodes, model.name, nodes.length);
}

const load = (
  node: NodeProcess,
  model: BenchModel,
  mode: LoadMode,
  seconds: number,
): Promise<LoadReport> => {
  const body = binaryBody(model);
  return runLoad({
    target: {
      protocol: 'http',
      host: '127.0.0.1',
      port: node.port,
      path: pathOf(model),
      headers: body.headers,
      bodies: [body.bytes],
    },
    mode,
    durationMs: seconds * 1000,
    warmupMs: WARM_UP_MS,
    timeoutMs: 10_000,
    objectiveMs: OBJECTIVE_MS,
    seed: 5,
  });
};

/** Requests per second that the node answers when two callers never wait. */
async function capacityOf(node: NodeProcess, model: BenchModel, seconds: number): Promise<number> {
  const report = await load(node, model, { kind: 'closed', clients: 2 }, seconds);
  return report.answeredPerSecond;
}

const poisson = (rate: number): LoadMode => ({ kind: 'open', arrivals: 'poisson', rate });

const HEAVY: Settings = {
  objective: { latencyMs: OBJECTIVE_MS, quantile: 0.99 },
  batching: { maxRows: ROWS },
};

/** The only replica of the first node stands still, so that it refuses everything at once. */
async function measureAdded(
  [first, second]: readonly [NodeProcess, NodeProcess],
  model: BenchModel,
  rounds: number,
): Promise<{ readonly addedMs: number; readonly directMs: number }> {
  const { bytes, headers } = binaryBody(model);
  const replicas = childrenOf(first.pid);
  for (const pid of replicas) process.kill(pid, 'SIGSTOP');
  const stuck = [1, 2].map(() =>
    fetch(first.url + pathOf(model), { method: 'POST', body: bytes as BodyInit, headers }).catch(
      () => {},
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  const [direct, forwarded]: [number[], number[]] = [[], []];
  const timed = async (node: NodeProcess): Promise<number> =>
    medianLatency({ url: node.url + pathOf(model), body: bytes, headers, seconds: 1 });
  // Until V8 has optimised the way of a forward in both nodes. Two that arrive before either runs would be one too many.
  await closedLoop({
    url: first.url + pathOf(model),
    body: bytes,
    headers,
    connections: 1,
    seconds: 1,
    warmUpSeconds: 0,
    protocol: 'http1',
  });
  for (let round = 0; round < rounds; round++) {
    direct.push(await timed(second));
    forwarded.push(await timed(first));
  }
  for (const pid of replicas) process.kill(pid, 'SIGCONT');
  await Promise.all(stuck);
  const directMs = median(direct);
  return { addedMs: median(forwarded) - directMs, directMs };
}

/** Processes that hold the models of a node. */
function childrenOf(pid: number): number[] {
  const list = execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  return list.trim().split('\n').map(Number);
}

/**
 * In turns with two nodes that know nothing of each other, one on each core, with half of the load each: both
 * sides have the same two cores and the same load on them, and the median of the rounds leaves out the rest.
 */
async function measureTwo(
  fleet: BenchFleet,
  model: BenchModel,
  rounds: number,
): Promise<Readonly<Record<string, number>>> {
  const cores = [0, 1];
  const alone = await Promise.all(cores.map((core) => fleet.start({ alone: true, core })));
  await Promise.all(alone.map((node) => deployTo([node], model, HEAVY)));
  const capacity = await capacityOf(alone[0]!, model, SLICE_SECONDS);
  const [first, second] = await Promise.all(cores.map((core) => fleet.start({ core })));
  await deployTo([first!, second!], model, HEAVY);
  const goodput = async (node: NodeProcess, times: number): Promise<number> =>
    (await load(node, model, poisson(times * capacity), SLICE_SECONDS)).goodputPerSecond;
  // The code that refuses and forwards is compiled, and each node has measured the other's pace.
  await load(first!, model, poisson(OVERLOAD * capacity), SLICE_SECONDS);
  const [one, two]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const apart = async (): Promise<unknown> =>
      one.push(sum(await Promise.all(alone.map((node) => goodput(node, OVERLOAD / 2)))) / 2);
    const together = async (): Promise<unknown> => two.push(await goodput(first!, OVERLOAD));
    for (const turn of round % 2 === 0 ? [apart, together] : [together, apart]) await turn();
  }
  const seconds = Math.max(2, (rounds / 2) * SLICE_SECONDS);
  // 70 % of both, while the second one is killed in the middle.
  const loading = load(first!, model, poisson(KILL_LOAD * 2 * capacity), seconds);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS + 500 * seconds));
  process.kill(second!.pid, 'SIGKILL');
  const killed = await loading;
  // A deadline that passed while it ran is a code too; a connection that broke is none.
  const failures = Object.entries(killed.failed);
  const coded = failures.reduce((sum, [reason, count]) => sum + (isCode(reason) ? count : 0), 0);
  const uncoded = failures.reduce((sum, [, count]) => sum + count, 0) - coded;
  const ended =
    killed.answered + coded + uncoded + Object.values(killed.refused).reduce((a, b) => a + b, 0);
  return {
    capacity,
    oneGoodput: median(one),
    twoGoodput: median(two),
    ratio: median(two.map((each, i) => each / one[i]!)),
    killSent: killed.sent,
    killCoded: coded,
    killAnswered: killed.answered,
    killLost: uncoded + Math.max(0, killed.sent - ended),
  };
}

const sum = (rates: readonly number[]): number => rates.reduce((total, rate) => total + rate, 0);
const isCode = (reason: string): boolean => SkeinError.accepts({ code: reason });

/** The hot path of a node in a fleet over the path of a node alone, on the same core, in short turns. */
async function measureSingle(
  fleet: BenchFleet,
  model: BenchModel,
  rounds: number,
): Promise<{ readonly ratio: number }> {
  const [alone, member] = await Promise.all([
    fleet.start({ alone: true, core: 0 }),
    fleet.start({ core: 0 }),
  ]);
  // A request that a busy machine makes late is slow, and not refused.
  const patient = { objective: { latencyMs: 10_000, quantile: 0.99 } };
  for (const node of [alone, member]) await deployTo([node], model, patient);
  const { bytes, headers } = binaryBody(model);
  const rate = async (node: NodeProcess, seconds = 0.3): Promise<number> => {
    const closed = {
      body: bytes,
      headers,
      connections: 16,
      seconds,
      core: 1,
      protocol: 'http1',
    } as const;
    const url = node.url + pathOf(model);
    return (await closedLoop({ url, warmUpSeconds: 0.1, ...closed })).requestsPerSecond;
  };
  // Until V8 has optimised both.
  for (const node of [alone, member]) await rate(node, 0.7);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [alone, member] : [member, alone];
    const rates = new Map<NodeProcess, number>();
    for (const node of order) rates.set(node, await rate(node));
    ratios.push(rates.get(member)! / rates.get(alone)!);
  }
  return { ratio: median(ratios) };
}

async function inFleet<T>(measure: (fleet: BenchFleet) => Promise<T>): Promise<T> {
  const fleet = await openFleet();
  try {
    return await measure(fleet);
  } finally {
    await fleet.close();
  }
}

export const FORWARDING: RowGroup = {
  measures: [
    {
      key: 'forward_added_p50_ms',
      what: 'forward adds, p50, same machine',
      unit: ' ms',
      target: { atMost: 1 },
    },
    {
      key: 'two_nodes_goodput',
      what: 'two nodes, each on one core, overload on the first, over one of two that are sent half of it each: goodput',
      unit: '×',
      target: { atLeast: 1.8 },
    },
    {
      key: 'kill_lost',
      what: '`kill -9` of a node under load at 70 %: requests without an answer or a code',
      unit: '',
      target: { atMost: 0 },
    },
    {
      key: 'single_node_ratio',
      what: 'hot path of a member of a fleet over a node alone',
      unit: '×',
      target: { atLeast: 0.97 },
    },
  ],
  async measure({ quick, progress }) {
    progress('what a forward adds');
    const added = await inFleet(async (fleet) => {
      const model = mlpModel(fleet.folder, 1);
      const nodes = await Promise.all([fleet.start(), fleet.start()]);
      await deployTo(nodes, model, {
        objective: { latencyMs: 60_000, quantile: 0.99 },
        maxQueue: 1,
        isolation: 'process',
      });
      return measureAdded(nodes, model, quick ? 1 : 7);
    });
    progress('two nodes under overload, one of them killed');
    const two = await inFleet((fleet) =>
      measureTwo(fleet, heavyModel(fleet.folder), quick ? 3 : 12),
    );
    progress('the hot path in a fleet and alone');
    const single = await inFleet((fleet) =>
      measureSingle(fleet, mlpModel(fleet.folder, 1), quick ? 5 : 35),
    );
    return {
      results: {
        forward_added_p50_ms: added.addedMs,
        two_nodes_goodput: two['ratio']!,
        kill_lost: two['killLost']!,
        single_node_ratio: single.ratio,
      },
      details: { forwarding: { added, two, single } },
    };
  },
};
