/** A coordinator in a process of its own, which tells how much memory a round has taken. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentity } from '@skein/federation';
import { openCoordinator, openFederationStore } from '@skein/federation/coordinator';
import { modelFacts } from '@skein/federation/site';
import { mlp, writeModel } from '@skein/onnx';
import { openFileArtifacts } from '@skein/state';
import { assemblePublic } from '@skein/train';

export interface Started {
  readonly url: string;
  readonly run: string;
  readonly parameters: number;
  readonly invitations: readonly string[];
}

const DATA = {
  features: [{ name: 'age', kind: 'number', low: 20, high: 80 }],
  target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
} as const;

const [sites, hidden] = process.argv.slice(2).map(Number) as [number, number];
const folder = mkdtempSync(join(tmpdir(), 'skein-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const model = assemblePublic(
  DATA,
  ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, hidden, hidden, outputs], seed }),
  1,
);
const { task, parameters } = modelFacts(model);
const artifacts = await openFileArtifacts(join(folder, 'artifacts'));
async function* content() {
  yield new Uint8Array(writeModel(model));
}
const coordinator = await openCoordinator({
  store: await openFederationStore(join(folder, 'federations.db'), {}),
  artifacts,
  identity: await createIdentity(),
  folder: join(folder, 'uploads'),
});
const { digest } = await artifacts.put(content(), 2 ** 30);
const server = createServer();
server.on('upgrade', (request, socket, head) => {
  void coordinator.upgrade.accept(request, socket as Socket, head);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { id } = await coordinator.start({
  name: 'bench',
  task,
  model: { digest, parameters },
  data: structuredClone(DATA) as never,
  strategy: { name: 'fedavg' },
  rounds: 1,
  privacy: { mode: 'none' },
  aggregation: { kind: 'none', coordinatorSeesUpdates: true },
  sites: { minimum: sites, maximum: sites },
});
const invitations: string[] = [];
for (let site = 0; site < sites; site++) {
  invitations.push(await coordinator.invite(id, { name: String(site) }));
}
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
process.send!({ url, run: id, parameters, invitations } satisfies Started);

// Every site but the last has joined.
await once(process, 'message');
(globalThis as { gc?: () => void }).gc?.();
const before = process.memoryUsage.rss();
// Forgets the peak so far (proc(5)).
writeFileSync('/proc/self/clear_refs', '5');
process.send!('ready');
for await (const { status, reason } of coordinator.watch(id, new AbortController().signal)) {
  if (status === 'failed') throw new Error(reason);
}
const peak = 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
process.send!({ bytes: peak - before });
await once(process, 'message');
process.exit();
