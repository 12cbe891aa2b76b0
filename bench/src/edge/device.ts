/** A device with `createEdge`: how long a rollback takes, whether answers are lost, and whether private inputs leave. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { createEdge, folderPlace } from '@skein/edge/node';
import { createKey, createRoot, packBundle, ROLES, type RoleKeys } from '@skein/edge/publish';
import { mlp, tensor, writeModel, type TensorMap } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';

const ROUNDS = 9;
const QUICK_ROUNDS = 3;
/** Answers that commit a version. */
const ANSWERS = 20;
const PRIVATE_INPUTS = 200;

export const DEVICE: RowGroup = {
  measures: [
    {
      key: 'rollback_ms',
      what: 'the process of a new version is killed: time to the answer of the one before',
      unit: ' ms',
      target: { atMost: 1000 },
    },
    { key: 'rollback_lost', what: '… answers that were lost', unit: '', target: { atMost: 0 } },
    {
      key: 'private_sent',
      what: 'private inputs that were sent to the node, of 400',
      unit: '',
      target: { atMost: 0 },
    },
  ],
  async measure({ quick, progress }) {
    progress('device');
    const folder = await temporaryFolder();
    try {
      const device = await published(folder.path);
      const times: number[] = [];
      let lost = 0;
      for (let round = 0; round < (quick ? QUICK_ROUNDS : ROUNDS); round++) {
        const found = await rollBack(device, join(folder.path, `device-${round}`));
        times.push(found.tookMs);
        lost += found.lost;
      }
      const sent = await privateSent(device, join(folder.path, 'private'));
      return {
        results: { rollback_ms: median(times), rollback_lost: lost, private_sent: sent },
        details: { rollback_ms_each: times },
      };
    } finally {
      await folder.remove();
    }
  },
};

interface Published {
  readonly first: ReturnType<typeof folderPlace>;
  readonly second: ReturnType<typeof folderPlace>;
  readonly pinnedRoot: Uint8Array<ArrayBuffer>;
}

/** Two places of one publisher: with the first version, and with the second one too. */
async function published(folder: string): Promise<Published> {
  const entries = ROLES.map(async (role) => [role, [await createKey()]] as const);
  const keys = Object.fromEntries(await Promise.all(entries)) as unknown as RoleKeys;
  const places = ['first', 'second'].map((name) => folderPlace(join(folder, name)));
  const [first, second] = places as [Published['first'], Published['second']];
  const now = Date.now();
  const pinnedRoot = await createRoot(first, keys, now);
  await second.write('1.root.json', pinnedRoot);
  const pack = async (place: Published['first'], seed: number): Promise<void> => {
    const model = new Uint8Array(writeModel(mlp({ sizes: [64, 512, 256, 3], seed })));
    await packBundle(place, {
      keys,
      name: 'risk',
      variants: [{ name: 'fp32', model }],
      source: { name: 'risk.onnx', model },
      runtimes: { native: nativeRuntime },
      runtimeVersion: '1.30.0',
      machine: 'bench',
      offload: { allowed: true },
      licence: 'Apache-2.0',
      tool: 'bench',
      now,
    });
  };
  await pack(first, 1);
  await pack(second, 1);
  await pack(second, 2);
  return { first, second, pinnedRoot };
}

const row = (): TensorMap => new Map([['x', tensor('float32', [1, 64], new Float32Array(64))]]);

async function rollBack(
  { first, second, pinnedRoot }: Published,
  folder: string,
): Promise<{ readonly tookMs: number; readonly lost: number }> {
  const options = { model: 'risk', pinnedRoot, folder };
  const before = await createEdge({ ...options, source: first });
  await before.update();
  for (let count = 0; count < ANSWERS; count++) await before.infer(row());
  await before.close();
  const edge = await createEdge({ ...options, source: second });
  const others = children();
  await edge.update();
  if ((await edge.infer(row())).version !== '2') throw new Error('Version 2 is not in use.');
  const pid = children().findLast((each) => !others.includes(each));
  if (pid === undefined) throw new Error('The version has no process.');
  process.kill(pid, 'SIGKILL');
  let tookMs = Number.NaN;
  let lost = 0;
  for (let count = 0; count < ANSWERS; count++) {
    const from = performance.now();
    try {
      const { version } = await edge.infer(row());
      if (count === 0) tookMs = performance.now() - from;
      if (version !== '1') throw new Error(`Version ${version} answers.`);
    } catch {
      lost += 1;
    }
  }
  await edge.close();
  return { tookMs, lost };
}

/** Private inputs to a device without a version, and to one that is too slow for their deadline. */
async function privateSent({ first, pinnedRoot }: Published, folder: string): Promise<number> {
  let requests = 0;
  const server = createServer((_, response) => {
    requests += 1;
    response.writeHead(503).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const edge = await createEdge({
      model: 'risk',
      pinnedRoot,
      folder,
      source: first,
      server: { url },
    });
    const ask = (deadlineMs: number) => edge.infer(row(), { private: true, deadlineMs });
    for (let count = 0; count < PRIVATE_INPUTS; count++) await ask(1000).catch(() => undefined);
    const before = requests;
    // The same input, not private, reaches the server: else nothing was proved.
    await edge.infer(row(), { deadlineMs: 1000 }).catch(() => undefined);
    if (requests === before) throw new Error('An input that is not private was not sent either.');
    const others = requests - before;
    await edge.update();
    for (let count = 0; count < PRIVATE_INPUTS; count++) await ask(0.001);
    const sent = requests - others;
    await edge.close();
    return sent;
  } finally {
    server.close();
  }
}

/** Processes that this one has started. */
function children(): number[] {
  return readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}
