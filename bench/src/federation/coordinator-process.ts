/**
 * A coordinator in processes of its own: one that makes a federation and ends, so that nothing of that is in
 * the other's memory, which shows the cost of its round alone.
 *
 *   coordinator-process.ts prepare FOLDER SITES WIDTH AGGREGATION
 *   coordinator-process.ts serve FOLDER
 */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { createIdentity, importIdentity, type PlanDraft } from '@skein/federation';
import { openCoordinator } from '@skein/federation/coordinator';
import { modelFacts } from '@skein/federation/site';
import { openFederationStore } from '@skein/federation/store';
import { mlp, writeModel } from '@skein/onnx';
import { openFileArtifacts } from '@skein/state';
import { assemblePublic } from '@skein/train';

export interface Prepared {
  readonly parameters: number;
  readonly invitations: readonly string[];
}
export interface Serving {
  readonly url: string;
}
export interface Measured {
  /** Peak of the round, above what the process has with all sites but one connected, settled. */
  readonly bytes: number;
  /** The file with the parameters after the round, float32. */
  readonly after: string;
}

export type Kind = 'none' | 'pairwise';
const AGGREGATIONS: Readonly<Record<Kind, PlanDraft['aggregation']>> = {
  none: { kind: 'none', coordinatorSeesUpdates: true },
  pairwise: { kind: 'pairwise' },
};
const DATA = {
  features: [{ name: 'age', kind: 'number', low: 20, high: 80 }],
  target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
} as const;
const MINUTES = 60_000;

const [command, folder = '', ...terms] = process.argv.slice(2);
const identityFile = join(folder, 'identity');

async function open(identity: Awaited<ReturnType<typeof createIdentity>>) {
  const artifacts = await openFileArtifacts(join(folder, 'artifacts'));
  const store = await openFederationStore(join(folder, 'federations.db'), {});
  const coordinator = await openCoordinator({
    store,
    artifacts,
    identity,
    folder: join(folder, 'uploads'),
    onFault: console.error,
  });
  return { artifacts, coordinator, store };
}

async function prepare(): Promise<void> {
  const [sites, width] = terms.map(Number) as [number, number];
  const aggregation = terms[2] as Kind;
  const identity = await createIdentity();
  writeFileSync(identityFile, await identity.exported());
  const { artifacts, coordinator } = await open(identity);
  const model = assemblePublic(
    DATA,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, width, width, outputs], seed }),
    1,
  );
  const { task, parameters } = modelFacts(model);
  const bytes = new Uint8Array(writeModel(model));
  const { digest } = await artifacts.put(Readable.from([bytes]), bytes.length);
  const { id } = await coordinator.start({
    name: 'bench',
    task,
    model: { digest, parameters },
    data: structuredClone(DATA) as never,
    strategy: { name: 'fedavg' },
    rounds: 1,
    privacy: { mode: 'none' },
    aggregation: AGGREGATIONS[aggregation],
    sites: { minimum: sites, maximum: sites },
    deadlines: { phaseMs: 10 * MINUTES, trainMs: 10 * MINUTES },
  });
  const invitations: string[] = [];
  for (let site = 0; site < sites; site++) {
    invitations.push(await coordinator.invite(id, { name: String(site) }));
  }
  process.send!({ parameters, invitations } satisfies Prepared);
}

async function serve(): Promise<void> {
  const identity = await importIdentity(new Uint8Array(readFileSync(identityFile)));
  const { artifacts, coordinator, store } = await open(identity);
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    void coordinator.upgrade.accept(request, socket as Socket, head);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.send!({ url } satisfies Serving);

  // Every site but the last has joined.
  await once(process, 'message');
  const before = await settledMemory();
  // Resets the peak so far (proc(5)).
  writeFileSync('/proc/self/clear_refs', '5');
  process.send!('ready');
  // No page is open: views of all sites are none of the round.
  const state = async () => (await store.runs())[0]!.state;
  for (let status = 'running'; status !== 'finished'; await pause(200)) {
    const now = await state();
    status = now.status;
    if (status === 'failed') throw new Error(now.reason);
  }
  const peak = 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
  const after = await artifacts.pathOf((await state()).parameters!);
  process.send!({ bytes: peak - before, after } satisfies Measured);
}

/** Collections in a row that give nothing back, and how much is nothing, in bytes. */
const SETTLED = { collections: 8, bytes: 2 ** 17 };

/**
 * The least that the process has after collecting until nothing more is given back: V8 returns pages some time after a
 * collection, and what it returned during the round would be missing from its peak.
 */
async function settledMemory(): Promise<number> {
  const { gc } = globalThis as unknown as { gc: () => void };
  let least = Infinity;
  for (let idle = 0; idle < SETTLED.collections; idle++) {
    gc();
    await pause(100);
    const now = process.memoryUsage.rss();
    if (now < least - SETTLED.bytes) idle = -1;
    least = Math.min(least, now);
  }
  return least;
}

await (command === 'prepare' ? prepare() : serve());
await once(process, 'message');
process.exit();
