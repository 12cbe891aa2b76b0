/**
 * `skein join` as its users run it: three sites and a node in processes of their own. A site is
 * killed with SIGKILL in the middle of a round and started again, then the node. Every round counts
 * once, and the ledger says so.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import { createClient, type Client } from '@skein/api/client';
import { seededRandom } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type NodeProcess, startNodeProcess } from '../../server/src/testing/node-process.ts';
import { type CliProcess, runCli, startCli } from './testing/cli.ts';

const ROUNDS = 4;
const NAMES = ['north', 'south', 'west'];
const patient = { timeout: 90_000, interval: 20 };

const PLAN = {
  data: {
    features: [
      { name: 'age', kind: 'number', low: 20, high: 80 },
      { name: 'sex', kind: 'category', categories: ['0', '1'] },
    ],
    target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
  },
  strategy: { name: 'fedavg' },
  rounds: ROUNDS,
  // A round takes long enough to be interrupted.
  local: { steps: 3000, batch: 20, learningRate: 0.5 },
  privacy: { mode: 'none' },
  aggregation: { kind: 'pairwise', range: 50 },
  sites: { minimum: 3, maximum: 3 },
};

let folder: string;
let node: NodeProcess;
let client: Client;
const running = new Set<CliProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-join-'));
  node = await startNodeProcess({ folder });
  client = createClient({ url: node.url });
  await writeFile(join(folder, 'plan.json'), JSON.stringify(PLAN));
  const random = seededRandom(1);
  for (const name of NAMES) {
    const rows = Array.from({ length: 60 }, () => {
      const age = Math.round(20 + 60 * random.next());
      return `${age},${random.next() < 0.5 ? 0 : 1},${age > 50 ? 1 : 0}`;
    });
    await writeFile(join(folder, `${name}.csv`), ['age,sex,ill', ...rows, ''].join('\n'));
  }
}, 60_000);
afterAll(async () => {
  for (const each of running) each.process.kill('SIGKILL');
  await node?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** Each site has its own data folder: its identity and its memory. */
function site(name: string, link: string, ...more: string[]): CliProcess {
  const words = ['join', link, '--data', `${name}.csv`, '--folder', join(folder, name), ...more];
  const cli = startCli([...words, '--json'], { cwd: folder });
  running.add(cli);
  void cli.ended.then(() => running.delete(cli));
  return cli;
}

async function kill(cli: CliProcess): Promise<void> {
  cli.process.kill('SIGKILL');
  await cli.ended;
}

/** Resolves while the site trains in a round after the first `after`. */
async function training(id: string, name: string, after: number): Promise<FederationView> {
  let view!: FederationView;
  const isTraining = async (): Promise<boolean> => {
    view = await client.getFederation({ id });
    if (view.status !== 'running') throw new Error(`It is ${view.status}: ${view.reason}`);
    const found = view.sites.find((each) => each.name === name);
    return view.round >= after && view.phase === 'input' && found?.answered === false;
  };
  await expect.poll(isTraining, patient).toBe(true);
  return view;
}

it('finishes a federation in which a site and the node are killed in the middle of rounds', async () => {
  const started = await node.json<{
    federation: FederationView;
    invitations: { name: string; link: string }[];
  }>('federate', 'start', 'plan.json', ...NAMES.flatMap((name) => ['--site', name]));
  const { id } = started.federation;
  const links = new Map(started.invitations.map(({ name, link }) => [name, link]));

  const looked = await site('north', links.get('north')!).ended;
  expect(JSON.parse(looked.stdout)).toMatchObject({ accepted: false, rows: { count: 60 } });
  const strict = await site('north', links.get('north')!, '--max-rounds', '3', '--accept').ended;
  expect(strict.code).not.toBe(0);
  expect(JSON.parse(strict.stdout)).toMatchObject({ code: 'SITE_TERMS_REFUSED' });

  const joined = new Map(
    NAMES.map((name) => [name, site(name, links.get(name)!, '--accept')] as const),
  );
  await training(id, 'south', 1);
  await kill(joined.get('south')!);
  const without = await client.getFederation({ id });
  joined.set('south', site('south', links.get('south')!, '--accept'));

  await training(id, 'west', without.round + 1);
  await node.kill();
  node = await startNodeProcess({ folder, port: node.port });
  const ends = await Promise.all([...joined.values()].map(({ ended }) => ended));
  for (const { code, stdout, stderr } of ends) {
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      accepted: true,
      status: 'finished',
      round: ROUNDS,
    });
  }
  const { status, version, round } = await expect
    .poll(() => client.getFederation({ id }), patient)
    .toMatchObject({ version: expect.any(String) })
    .then(() => client.getFederation({ id }));
  expect({ status, round }).toEqual({ status: 'finished', round: ROUNDS });
  expect(
    (await client.getVersion({ name: 'federated', version: version! })).metadata,
  ).toMatchObject({ federation: id, rounds: String(ROUNDS) });
  const words = ['ledger', 'export', id, '--out', 'ledger.json'];
  expect((await runCli(words, { cwd: folder })).code).toBe(0);
  const verified = await runCli(['ledger', 'verify', 'ledger.json', '--json'], { cwd: folder });
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({ rounds: ROUNDS });
  // What a site has signed last is in it, which another ledger of the same coordinator would not have.
  const { seen } = JSON.parse(ends[0]!.stdout) as { readonly seen: string };
  const check = ['ledger', 'verify', 'ledger.json', '--json', '--seen'];
  expect((await runCli([...check, seen], { cwd: folder })).code).toBe(0);
  const other = await runCli([...check, `1:${seen.split(':')[1]}`], { cwd: folder });
  expect(JSON.parse(other.stdout)).toMatchObject({ code: 'LEDGER_INVALID' });
  const unread = await runCli([...check, '12'], { cwd: folder });
  expect(JSON.parse(unread.stdout)).toMatchObject({ code: 'USAGE' });
}, 180_000);
