/** The privacy account of a site as its owner sees it: two federations with the same rows, in processes of their own. */
import { copyFile, rm } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import type { FederationView } from '@skein/api';
import type { AccountReport } from '@skein/federation/site/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../../testing/cli.ts';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';
import type { SiteParticipation } from './join.ts';

const NAMES = ['north', 'south'];
const ROUNDS = 2;
const { data } = TERMS;
const PLAN = {
  data,
  strategy: { name: 'fedsgd' },
  rounds: ROUNDS,
  privacy: { mode: 'patient', epsilon: 1, delta: 0.001, denominator: 120 },
  sites: { minimum: 2, maximum: 2 },
};

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene(NAMES, PLAN);
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

async function jsonOf<T>(code: number, ...words: string[]): Promise<T> {
  const ended = await scene.start('north', ...words).ended;
  expect(ended.code, ended.stderr).toBe(code);
  return JSON.parse(ended.stdout) as T;
}

async function started() {
  const { federation, invitations } = await scene.node.json<{
    federation: FederationView;
    invitations: { name: string; link: string }[];
  }>('federate', 'start', 'plan.json', ...NAMES.flatMap((name) => ['--site', name]));
  const linkOf = (name: string) => invitations.find((each) => each.name === name)!.link;
  const join = (name: string, ...more: string[]) =>
    scene.start(name, 'join', linkOf(name), '--data', `${name}.csv`, ...more);
  return { id: federation.id, join };
}

async function trained({ join }: Awaited<ReturnType<typeof started>>): Promise<SiteParticipation> {
  const ends = await Promise.all(NAMES.map((name) => join(name, '--accept').ended));
  for (const { code, stderr } of ends) expect(code, stderr).toBe(0);
  return JSON.parse(ends[0]!.stdout) as SiteParticipation;
}

const shown = async (): Promise<AccountReport> => {
  const { accounts } = await jsonOf<{ accounts: AccountReport[] }>(0, 'privacy', 'account');
  expect(accounts).toHaveLength(1);
  return accounts[0]!;
};

it('counts two federations with the same rows together, and refuses one beyond the limit before it begins', async () => {
  expect(await jsonOf(0, 'privacy', 'account')).toEqual({ accounts: [] });
  const first = await started();
  const { account } = await trained(first);
  expect(account.row.spent).toBeGreaterThan(0.9);
  expect(account.row.spent).toBeLessThanOrEqual(1);
  expect(account.row.committed).toBe(account.row.spent);
  expect(account.federations).toMatchObject([
    { run: first.id, releases: ROUNDS, open: false, hides: 'row' },
  ]);
  expect(await shown()).toEqual(account);

  const bounded = (epsilon: string) =>
    jsonOf<AccountReport>(0, 'privacy', 'limit', '--epsilon', epsilon, '--delta', '1e-3');
  const { limit } = await bounded('1.2');
  expect(limit).toEqual({ unit: 'row', epsilon: 1.2, delta: 0.001 });
  const second = await started();
  const proposal = await second.join('north').ended;
  expect(proposal.code).toBe(1);
  expect((JSON.parse(proposal.stdout) as SiteParticipation).unmet).toEqual([
    expect.stringMatching(/^over all federations ε could reach 1\.\d+ for any one row/),
  ]);
  const refused = await second.join('north', '--accept').ended;
  expect(refused.code).not.toBe(0);
  expect(JSON.parse(refused.stdout)).toMatchObject({ code: 'PRIVACY_LIMIT_REACHED' });
  const elsewhere = await second.join('north', '--accept', '--account', 'other').ended;
  expect(JSON.parse(elsewhere.stdout)).toMatchObject({ code: 'PRIVACY_ACCOUNT_OTHER' });
  const { sites } = await scene.client.getFederation({ id: second.id });
  expect(sites.map(({ name, accepted }) => [name, accepted])).toEqual([['north', false]]);
  expect((await shown()).federations).toHaveLength(1);

  const copy = joinPath(scene.folder, 'copy.db');
  const file = joinPath(scene.folder, 'north', 'privacy.db');
  await copyFile(file, copy);
  await bounded('2');
  const { account: both } = await trained(second);
  expect(both.federations.map(({ run }) => run)).toEqual([first.id, second.id]);
  expect(both.row.spent).toBeGreaterThan(1.2);
  expect(both.row.spent).toBeLessThan(1.7);

  const recounted = (code: number, ...more: string[]) =>
    jsonOf<{ sites: object[] }>(code, 'privacy', 'recount', 'second.ledger.json', ...more);
  const words = ['ledger', 'export', second.id, '--out', 'second.ledger.json'];
  expect((await runCli(words, { cwd: scene.folder })).code).toBe(0);
  const all = { account: 'default', atLeast: ROUNDS, atMost: ROUNDS };
  const right = { ...all, counted: ROUNDS, behind: false };
  expect(await recounted(0)).toEqual({ federation: second.id, sites: [right] });
  // An older copy, of before the second federation.
  await rm(`${file}-wal`, { force: true });
  await copyFile(copy, file);
  expect((await recounted(1)).sites).toEqual([{ ...all, counted: 0, behind: true }]);
  expect((await shown()).federations).toHaveLength(1);
  expect((await recounted(0, '--write')).sites).toEqual([right]);
  const after = await shown();
  expect(after.row).toEqual(both.row);
  expect(after.federations[1]).toMatchObject({ run: second.id, releases: ROUNDS, open: false });

  const unknown = await scene.start('north', 'privacy', 'close', first.id).ended;
  expect(JSON.parse(unknown.stdout)).toMatchObject({ code: 'USAGE' });
}, 180_000);

it('frees what a federation without an end has reserved, until the site joins it again', async () => {
  await jsonOf(0, 'privacy', 'limit', '--remove');
  const before = await shown();
  const endless = await started();
  const joining = endless.join('north', '--accept');
  const isOpen = async (): Promise<boolean | undefined> =>
    (await shown()).federations.find(({ run }) => run === endless.id)?.open;
  await expect.poll(isOpen, { timeout: 30_000 }).toBe(true);
  joining.process.kill('SIGKILL');
  await joining.ended;
  const reserved = await shown();
  expect(reserved.row.spent).toBe(before.row.spent);
  expect(reserved.row.committed).toBeGreaterThan(before.row.committed! + 0.1);

  const closed = await jsonOf(0, 'privacy', 'close', endless.id);
  expect(closed).toEqual({ closed: endless.id });
  const freed = await shown();
  expect(freed.row).toEqual(before.row);
  expect(await isOpen()).toBe(false);

  // The limit is asked again.
  const limit = String(before.row.spent! + 0.01);
  await jsonOf(0, 'privacy', 'limit', '--epsilon', limit, '--delta', '1e-3');
  const refused = await endless.join('north', '--accept').ended;
  expect(JSON.parse(refused.stdout)).toMatchObject({ code: 'PRIVACY_LIMIT_REACHED' });
  await jsonOf(0, 'privacy', 'limit', '--remove');
  const again = endless.join('north', '--accept');
  await expect.poll(isOpen, { timeout: 30_000 }).toBe(true);
  again.process.kill('SIGKILL');
  await again.ended;
}, 120_000);

it.each([
  ['helper', 'key'],
  ['privacy', 'limit', '--epsilon', '2'],
])('reports a folder that cannot be made as unusable: %s %s', async (...words) => {
  const folder = joinPath(scene.node.folder, 'plan.json', 'inside');
  const { code, stdout } = await runCli([...words, '--json'], {
    cwd: scene.node.folder,
    env: { SKEIN_DATA: folder },
  });
  expect([code, (JSON.parse(stdout) as { code: string }).code]).toEqual([
    1,
    'DATA_FOLDER_UNUSABLE',
  ]);
});
