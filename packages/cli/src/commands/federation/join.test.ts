/**
 * `skein join` as its users run it: three sites and a node in processes of their own. A site is
 * killed with SIGKILL in the middle of a round and started again, then the node. Every round counts
 * once, and the ledger records it.
 */
import type { FederationView } from '@skein/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SiteParticipation } from './join.ts';
import { startNodeProcess } from '../../../../server/src/testing/node-process.ts';
import { type CliProcess, runCli } from '../../testing/cli.ts';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';

const ROUNDS = 4;
const NAMES = ['north', 'south', 'west'];
const patient = { timeout: 90_000, interval: 20 };

const PLAN = {
  ...TERMS,
  rounds: ROUNDS,
  privacy: { mode: 'none' },
  aggregation: { kind: 'pairwise', range: 50 },
  sites: { minimum: 3, maximum: 3 },
};

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene(NAMES, PLAN);
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

const site = (name: string, link: string, ...more: string[]): CliProcess =>
  scene.start(name, 'join', link, '--data', `${name}.csv`, ...more);

async function kill(cli: CliProcess): Promise<void> {
  cli.process.kill('SIGKILL');
  await cli.ended;
}

/** Resolves while the site trains in a round after the first `after`. */
async function training(id: string, name: string, after: number): Promise<FederationView> {
  let view!: FederationView;
  const isTraining = async (): Promise<boolean> => {
    view = await scene.client.getFederation({ id });
    if (view.status !== 'running') throw new Error(`It is ${view.status}: ${view.reason}`);
    const found = view.sites.find((each) => each.name === name);
    return view.round >= after && view.phase === 'input' && found?.answered === false;
  };
  await expect.poll(isTraining, patient).toBe(true);
  return view;
}

it('finishes a federation in which a site and the node are killed in the middle of rounds', async () => {
  const started = await scene.node.json<{
    federation: FederationView;
    invitations: { name: string; link: string }[];
  }>('federate', 'start', 'plan.json', ...NAMES.flatMap((name) => ['--site', name]));
  const { id } = started.federation;
  const links = new Map(started.invitations.map(({ name, link }) => [name, link]));

  const proposal = await site('north', links.get('north')!).ended;
  expect(JSON.parse(proposal.stdout)).toMatchObject({ accepted: false, rows: { count: 60 } });
  const strict = await site('north', links.get('north')!, '--max-rounds', '3', '--accept').ended;
  expect(strict.code).not.toBe(0);
  expect(JSON.parse(strict.stdout)).toMatchObject({ code: 'SITE_TERMS_REFUSED' });

  const joined = new Map(
    NAMES.map((name) => [name, site(name, links.get(name)!, '--accept')] as const),
  );
  await training(id, 'south', 1);
  await kill(joined.get('south')!);
  const without = await scene.client.getFederation({ id });
  joined.set('south', site('south', links.get('south')!, '--accept'));

  await training(id, 'west', without.round + 1);
  await scene.node.kill();
  scene.node = await startNodeProcess({ folder: scene.folder, port: scene.node.port });
  const ends = await Promise.all([...joined.values()].map(({ ended }) => ended));
  for (const { code, stdout, stderr } of ends) {
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      accepted: true,
      status: 'finished',
      round: ROUNDS,
      // Reported here only; each class has about half of the rows.
      quality: { round: ROUNDS - 1, majority: expect.any(Number), metrics: expect.any(Object) },
    });
    const { quality } = JSON.parse(stdout) as SiteParticipation;
    expect(quality!.metrics['accuracy']).toBeGreaterThan(quality!.majority! + 0.1);
  }
  const { status, version, round } = await expect
    .poll(() => scene.client.getFederation({ id }), patient)
    .toMatchObject({ version: expect.any(String) })
    .then(() => scene.client.getFederation({ id }));
  expect({ status, round }).toEqual({ status: 'finished', round: ROUNDS });
  expect(
    (await scene.client.getVersion({ name: 'federated', version: version! })).metadata,
  ).toMatchObject({ federation: id, rounds: String(ROUNDS) });
  const words = ['ledger', 'export', id, '--out', 'ledger.json'];
  expect((await runCli(words, { cwd: scene.folder })).code).toBe(0);
  const verified = await runCli(['ledger', 'verify', 'ledger.json', '--json'], {
    cwd: scene.folder,
  });
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({ rounds: ROUNDS });
  // It holds the last entry that a site has signed, which another ledger of the same coordinator would not have.
  const { seen } = JSON.parse(ends[0]!.stdout) as { readonly seen: string };
  const check = ['ledger', 'verify', 'ledger.json', '--json', '--seen'];
  expect((await runCli([...check, seen], { cwd: scene.folder })).code).toBe(0);
  const other = await runCli([...check, `1:${seen.split(':')[1]}`], { cwd: scene.folder });
  expect(JSON.parse(other.stdout)).toMatchObject({ code: 'LEDGER_INVALID' });
  const unread = await runCli([...check, '12'], { cwd: scene.folder });
  expect(JSON.parse(unread.stdout)).toMatchObject({ code: 'USAGE' });
}, 180_000);
