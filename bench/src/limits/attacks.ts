/**
 * `node bench/src/limits/attacks.ts [PATTERN] [SECONDS]`: the memory of a node over idle during attacks, each against a
 * node of its own, its longest block, the latency of a canary meanwhile, and how long the node then takes to end.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack, Target } from './attack.ts';
import { type Canary, isLost, startCanary } from './canary.ts';
import { federationAttacks } from './federation-attacks.ts';
import { fleetAttacks } from './fleet-attacks.ts';
import { startFleetUnderAttack } from './fleet-under-attack.ts';
import { grpcAttacks } from './grpc-attacks.ts';
import { httpAttacks } from './http-attacks.ts';
import { deployEchoes } from './echoes.ts';
import { keyedAttacks } from './keyed-attacks.ts';
import { startNodeUnderAttack, type NodeUnderAttack } from './node-under-attack.ts';

/** One row of the table: attacks of every face. The HTTP port answers gRPC too. */
export const ATTACKS: readonly Attack[] = [
  ...grpcAttacks,
  ...grpcAttacks.map((attack) => ({
    name: `${attack.name} (on the HTTP port)`,
    run: (target: Target, until: AbortSignal) =>
      attack.run({ ...target, grpcPort: target.httpPort }, until),
  })),
  ...httpAttacks,
  ...federationAttacks,
  ...fleetAttacks,
  ...keyedAttacks,
];

const SAMPLE_MS = 100;
/** Time after its start until a node has the memory of an idle one. */
const SETTLE_MS = 3000;
/** Until an attack has closed what it holds. */
const END_MS = 5000;
const MIB = 1024 * 1024;

interface AttackReading {
  readonly overIdleMib: number;
  /** The longest block of its main thread, in milliseconds of the processor. */
  readonly blockedMs: number;
  readonly canaryMs: number;
  /** From SIGTERM, while what the attack has left may still run, to its end. */
  readonly endMs: number;
}

/** @param folder the data of the node are made in it. */
export async function measureAttack(
  attack: Attack,
  folder: string,
  lastsMs: number,
): Promise<AttackReading> {
  // A new node for each: memory that one attack leaves must not hide what the next one takes.
  const own = await mkdtemp(join(folder, 'node-'));
  const node = await (attack.inFleet ? startFleetUnderAttack(own) : startNodeUnderAttack(own));
  try {
    const reading = await underAttack(node, attack, lastsMs);
    const begun = performance.now();
    await node.stop();
    return { ...reading, endMs: performance.now() - begun };
  } finally {
    await node.stop();
  }
}

async function underAttack(
  node: NodeUnderAttack,
  attack: Attack,
  lastsMs: number,
): Promise<Omit<AttackReading, 'endMs'>> {
  const target = await targetOf(node, attack);
  const canary = startCanary();
  await sleep(SETTLE_MS);
  const idle = await node.memory();
  await node.peakMemory();
  await node.reading();
  // Its first request loads what it needs, which the attack would delay.
  await waitOf(canary, node);
  const until = AbortSignal.timeout(lastsMs);
  const attacking = attack.run(target, until);
  let canaryMs = 0;
  while (!until.aborted) {
    canaryMs = Math.max(canaryMs, await waitOf(canary, node));
    await sleep(SAMPLE_MS);
  }
  await canary.stop();
  const peak = await node.peakMemory();
  await Promise.race([attacking, sleep(END_MS)]);
  const { blockedMs } = await node.reading();
  if (!(await node.alive())) throw new Error(`The node did not survive "${attack.name}".`);
  return { overIdleMib: (peak - idle) / MIB, blockedMs, canaryMs };
}

/** With a key of the attacker's scope, and deployments that it can call. */
async function targetOf(node: NodeUnderAttack, { scope }: Attack): Promise<Target> {
  if (scope === undefined) return node.target;
  if (scope === 'infer') await deployEchoes(node);
  const { secret } = await node.client.createKey({ label: 'attacker', scopes: [scope] });
  return { ...node.target, key: secret };
}

/**
 * Milliseconds of a health check over HTTP, without a key; in a fleet, of a request that another member answers.
 * @throws Error when that request is lost.
 */
async function waitOf(canary: Canary, { forwarded, target }: NodeUnderAttack): Promise<number> {
  const url = `http://${target.host}:${target.httpPort}/v2/health/live`;
  const reading = await canary.ask(forwarded ?? { url });
  if (forwarded !== undefined && isLost(reading)) throw new Error('A request was lost.');
  return reading.ms;
}

if (import.meta.main) {
  const [pattern = '', seconds = '60'] = process.argv.slice(2);
  const folder = await mkdtemp(join(tmpdir(), 'skein-attacks-'));
  for (const attack of ATTACKS.filter(({ name }) => new RegExp(pattern).test(name))) {
    const reading = await measureAttack(attack, folder, 1000 * Number(seconds));
    const { overIdleMib, blockedMs, canaryMs, endMs } = reading;
    const [mib, block, ms, end] = [overIdleMib, blockedMs, canaryMs, endMs].map((value) =>
      value.toFixed(0).padStart(6),
    );
    console.log(
      `${attack.name.padEnd(60)} ${mib} MiB over idle, block ${block} ms, canary ${ms} ms, end ${end} ms`,
    );
  }
  await rm(folder, { recursive: true, force: true });
  process.exit(0);
}
