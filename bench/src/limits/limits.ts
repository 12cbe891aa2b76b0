/**
 * What callers can cost a node: memory over idle during attacks without a key, the latency of a
 * canary meanwhile, and how long any single request of a caller with a key blocks the node's main
 * thread.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchReport, Measure } from '../harness/report.ts';
import type { Attack, Target } from './attack.ts';
import { grpcAttacks } from './grpc-attacks.ts';
import { httpAttacks } from './http-attacks.ts';
import { measureGrpcRequests } from './grpc-requests.ts';
import { startNodeUnderAttack, type NodeUnderAttack } from './node-under-attack.ts';

interface Options {
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

/** One row of the table: attacks of every face. The HTTP port answers gRPC too. */
const ATTACKS: readonly Attack[] = [
  ...grpcAttacks,
  ...grpcAttacks.map((attack) => ({
    name: `${attack.name} (on the HTTP port)`,
    run: (target: Target, until: AbortSignal) =>
      attack.run({ ...target, grpcPort: target.httpPort }, until),
  })),
  ...httpAttacks,
];

const ATTACK_MS = 60_000;
const QUICK_MS = 3000;
const SAMPLE_MS = 100;
/** After it has started, until its memory is that of an idle node. */
const SETTLE_MS = 3000;
const CANARY_TIMEOUT_MS = 10_000;
/** Until an attack has closed what it holds. */
const END_MS = 5000;
const MIB = 1024 * 1024;

const SUMMARY: readonly Measure[] = [
  {
    key: 'memory_over_idle_mib',
    what: 'memory over idle, any attack without a key',
    unit: ' MiB',
    target: { atMost: 128 },
  },
  {
    key: 'blocked_ms',
    what: 'longest block of the event loop by one request with a key',
    unit: ' ms',
    target: { atMost: 100 },
  },
  {
    key: 'canary_ms',
    what: 'longest answer of a health check during an attack',
    unit: ' ms',
    target: null,
  },
];

export async function benchLimits({ quick, progress }: Options): Promise<BenchReport> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-limits-'));
  const measures: Measure[] = [];
  const results: Record<string, number> = {};
  const record = (key: string, what: string, unit: string, value: number): void => {
    measures.push({ key, what, unit, target: null });
    results[key] = value;
  };
  let node: NodeUnderAttack | undefined;
  try {
    for (const [index, attack] of ATTACKS.entries()) {
      progress(attack.name);
      // A new node for each: memory that one attack leaves must not hide what the next one takes.
      node = await startNodeUnderAttack(await mkdtemp(join(folder, 'node-')));
      const { overIdleMib, canaryMs } = await measureAttack(
        node,
        attack,
        quick ? QUICK_MS : ATTACK_MS,
      );
      record(`memory_${index}`, attack.name, ' MiB', overIdleMib);
      record(`canary_${index}`, 'its canary', ' ms', canaryMs);
      results['memory_over_idle_mib'] = Math.max(results['memory_over_idle_mib'] ?? 0, overIdleMib);
      results['canary_ms'] = Math.max(results['canary_ms'] ?? 0, canaryMs);
      progress(`  ${overIdleMib.toFixed(0)} MiB over idle, canary ${canaryMs.toFixed(0)} ms`);
      await node.stop();
    }
    progress('requests with a key');
    node = await startNodeUnderAttack(await mkdtemp(join(folder, 'node-')));
    for (const { name, blockedMs } of await measureGrpcRequests(node, progress)) {
      record(`blocked_${measures.length}`, name, ' ms', blockedMs);
      results['blocked_ms'] = Math.max(results['blocked_ms'] ?? 0, blockedMs);
    }
  } finally {
    await node?.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return {
    name: 'limits',
    peer: 'none; a node beside what attacks it',
    measures: [...measures, ...SUMMARY],
    results,
    details: {},
  };
}

async function measureAttack(
  node: NodeUnderAttack,
  attack: Attack,
  lastsMs: number,
): Promise<{ overIdleMib: number; canaryMs: number }> {
  await sleep(SETTLE_MS);
  const idle = await node.memory();
  const until = AbortSignal.timeout(lastsMs);
  const attacking = attack.run(node.target, until);
  let peak = idle;
  let canaryMs = 0;
  while (!until.aborted) {
    peak = Math.max(peak, await node.memory());
    canaryMs = Math.max(canaryMs, await canary(node));
    await sleep(SAMPLE_MS);
  }
  await Promise.race([attacking, sleep(END_MS)]);
  if (!(await node.alive())) throw new Error(`The node did not survive "${attack.name}".`);
  return { overIdleMib: (peak - idle) / MIB, canaryMs };
}

/** Milliseconds of a health check over HTTP, without a key. */
async function canary({ target }: NodeUnderAttack): Promise<number> {
  const begun = performance.now();
  const url = `http://${target.host}:${target.httpPort}/v2/health/live`;
  await fetch(url, { signal: AbortSignal.timeout(CANARY_TIMEOUT_MS) })
    .then((response) => response.arrayBuffer())
    .catch(() => {});
  return performance.now() - begun;
}
