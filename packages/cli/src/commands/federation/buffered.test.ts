/**
 * Rounds that end when a buffer is full, as their users run them: a node, two helpers and four sites in processes of their
 * own. A site is stopped with SIGSTOP while it trains; the rounds continue, and take its update when it resumes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import { LedgerExport, type PlannedHelper } from '@skein/federation';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';

const ROUNDS = 200;
const HELPERS = ['Basel', 'Delft'];
const SITES = ['north', 'south', 'west', 'slow'];
const patient = { timeout: 90_000, interval: 20 };

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene(SITES);
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

it('waits for no site that is stopped, and takes its update rounds later', async () => {
  const helpers = await Promise.all(
    HELPERS.map(async (name) => {
      const { stdout } = await scene.start(name, 'helper', 'key', '--name', name).ended;
      return JSON.parse(stdout) as PlannedHelper;
    }),
  );
  const plan = {
    ...TERMS,
    rounds: ROUNDS,
    strategy: { name: 'fedbuff', buffer: 3, staleness: 20 },
    privacy: { mode: 'client', epsilon: 20, delta: 0.001 },
    aggregation: { kind: 'committee', helpers },
    sites: { minimum: 4, maximum: 4, threshold: 3 },
  };
  await writeFile(join(scene.folder, 'plan.json'), JSON.stringify(plan));
  const { federation, invitations } = await scene.node.json<{
    federation: FederationView;
    invitations: { name: string; link: string }[];
  }>('federate', 'start', 'plan.json', ...SITES.flatMap((name) => ['--site', name]));
  const { id } = federation;
  const linkOf = (name: string) => invitations.find((each) => each.name === name)!.link;
  const helping = HELPERS.map((name) =>
    scene.start(name, 'helper', 'join', linkOf(name), '--accept'),
  );
  const site = (name: string) =>
    scene.start(name, 'join', linkOf(name), '--data', `${name}.csv`, '--accept');
  const [north, south, west, slow] = SITES.map(site);

  const view = () => scene.client.getFederation({ id });
  const isRound = (round: number) =>
    expect.poll(async () => (await view()).round, patient).toBeGreaterThanOrEqual(round);
  const ages = async () => {
    const { entries } = LedgerExport.parse(await scene.client.getLedger({ id }));
    return entries.flatMap(({ event }) => (event.kind === 'finished-round' ? [event.behind!] : []));
  };
  const oldest = async (): Promise<number> =>
    Math.max(...(await ages()).map((counts) => counts.findLastIndex((count) => count > 0)));
  await isRound(1);
  // Most of its time it trains, and is stopped in a training sooner or later.
  do {
    slow!.process.kill('SIGSTOP');
    await isRound((await view()).round + 4);
    // Without one of the three the buffer waits for the update that is late.
    west!.process.kill('SIGSTOP');
    slow!.process.kill('SIGCONT');
    await isRound((await view()).round + 2);
    west!.process.kill('SIGCONT');
  } while ((await oldest()) < 3);
  await scene.client.stopFederation({ id, reason: 'seen' });

  for (const { ended } of [north!, south!, west!, slow!, ...helping]) {
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ accepted: true, status: 'stopped' });
  }
  const { round } = await view();
  expect((await ages()).map((counts) => counts.reduce((sum, each) => sum + each))).toEqual(
    Array.from({ length: round }, () => 3),
  );
  const verified = await scene.node.json('ledger', 'verify', id);
  expect(verified).toMatchObject({ rounds: round, aborted: 0 });
}, 180_000);
