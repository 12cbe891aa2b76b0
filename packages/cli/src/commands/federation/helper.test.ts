/**
 * A federation whose sums helpers unmask, as its users run it: a node, two helpers and four sites in
 * processes of their own. A helper is killed with SIGKILL in the middle of a round and started again,
 * then the node; one site leaves after one message.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import type { PlannedHelper } from '@skein/federation';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess } from '../../../../server/src/testing/node-process.ts';
import { runCli } from '../../testing/cli.ts';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';

const ROUNDS = 3;
const HELPERS = ['Basel', 'Delft'];
const SITES = ['north', 'south', 'west', 'page'];
const patient = { timeout: 90_000, interval: 20 };

const PLAN = {
  ...TERMS,
  rounds: ROUNDS,
  privacy: {
    mode: 'client',
    epsilon: 20,
    delta: 0.001,
    sampling: { kind: 'poisson', rate: 0.8 },
  },
  sites: { minimum: 3, maximum: 4, threshold: 2 },
};

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene(SITES);
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

async function jsonOf<T>(name: string, ...words: string[]): Promise<T> {
  const { code, stdout, stderr } = await scene.start(name, ...words).ended;
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}
/** Resolves while sites train in a round after the first `after`. */
async function training(id: string, after: number): Promise<FederationView> {
  let view!: FederationView;
  const isTraining = async (): Promise<boolean> => {
    view = await scene.client.getFederation({ id });
    if (view.status !== 'running') throw new Error(`It is ${view.status}: ${view.reason}`);
    return view.round >= after && view.phase === 'input';
  };
  await expect.poll(isTraining, patient).toBe(true);
  return view;
}

it('finishes although a helper and the node are killed, and spends no release twice', async () => {
  const helpers = await Promise.all(
    HELPERS.map((name) => jsonOf<PlannedHelper>(name, 'helper', 'key', '--name', name)),
  );
  // The keys stay.
  expect(await jsonOf('Basel', 'helper', 'key', '--name', 'Basel')).toEqual(helpers[0]);
  const plan = { ...PLAN, aggregation: { kind: 'committee', helpers } };
  await writeFile(join(scene.folder, 'plan.json'), JSON.stringify(plan));
  const { federation, invitations } = await scene.node.json<{
    federation: FederationView;
    invitations: { name: string; role: string; link: string }[];
  }>('federate', 'start', 'plan.json', ...SITES.flatMap((name) => ['--site', name]));
  const { id } = federation;
  expect(invitations.filter(({ role }) => role === 'helper').map(({ name }) => name)).toEqual(
    HELPERS,
  );
  const linkOf = (name: string) => invitations.find((each) => each.name === name)!.link;

  const proposal = await jsonOf('Basel', 'helper', 'join', linkOf('Basel'));
  const stays = [expect.stringContaining('private keys of this helper')];
  expect(proposal).toMatchObject({ accepted: false, name: 'Basel', unmet: [], plan: { stays } });
  const other = await scene.start('stranger', 'helper', 'join', linkOf('Delft')).ended;
  expect(JSON.parse(other.stdout)).toMatchObject({ code: 'INVITATION_INVALID' });

  const help = (name: string) => scene.start(name, 'helper', 'join', linkOf(name), '--accept');
  const helping = new Map(HELPERS.map((name) => [name, help(name)]));
  const connected = async (): Promise<number> =>
    (await scene.client.getFederation({ id })).sites.filter((each) => each.connected).length;
  await expect.poll(connected, patient).toBe(HELPERS.length);
  const second = await help('Basel').ended;
  expect(JSON.parse(second.stdout)).toMatchObject({ code: 'HELPER_RUNNING' });
  const site = (name: string, ...more: string[]) =>
    scene.start(name, 'join', linkOf(name), '--data', `${name}.csv`, '--accept', ...more);
  const staying = ['north', 'south', 'west'].map((name) => site(name));
  const once = site('page', '--once');

  await training(id, 0);
  const killed = helping.get('Basel')!;
  killed.process.kill('SIGKILL');
  await killed.ended;
  helping.set('Basel', help('Basel'));

  await training(id, 1);
  await scene.node.kill();
  scene.node = await startNodeProcess({ folder: scene.folder, port: scene.node.port });

  const ends = await Promise.all([...staying, ...helping.values()].map(({ ended }) => ended));
  for (const { code, stdout, stderr } of ends) {
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ accepted: true, status: 'finished', round: ROUNDS });
  }
  const { code, stdout } = await once.ended;
  expect(code).toBe(0);
  expect(['left', 'finished']).toContain((JSON.parse(stdout) as { status: string }).status);

  const view = await scene.client.getFederation({ id });
  expect(view.spent.map(({ colluding }) => colluding)).toEqual([0, 1]);
  expect(view.spent[1]!.epsilon).toBeLessThanOrEqual(20);
  expect(
    (await runCli(['ledger', 'export', id, '--out', 'l.json'], { cwd: scene.folder })).code,
  ).toBe(0);
  const verified = await runCli(['ledger', 'verify', 'l.json', '--json'], { cwd: scene.folder });
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({ rounds: ROUNDS, releases: ROUNDS });
  const shown = await runCli(['ledger', 'verify', 'l.json'], { cwd: scene.folder });
  expect(shown.stdout).toMatch(/signed by +the coordinator, \d sites? and 2 helpers$/m);
  // Helpers are the witnesses of such a federation: the last entry that each has signed is the end of the ledger.
  const { entries } = JSON.parse(await readFile(join(scene.folder, 'l.json'), 'utf8')) as {
    entries: readonly { sequence: number; hash: string }[];
  };
  const { sequence, hash } = entries.at(-1)!;
  for (const { stdout } of ends.slice(staying.length)) {
    expect(JSON.parse(stdout)).toMatchObject({ seen: `${sequence}:${hash}` });
  }
}, 180_000);
