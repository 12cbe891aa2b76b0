/**
 * `skein privacy audit URL` as its users run it: a node, two sites and an auditor in processes of their own. A site is
 * stopped in a round and resumes later, as a laptop that slept; SKEIN_FULL=1 lets it sleep for longer than its
 * connection lasts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { FederationView } from '@skein/api';
import type { AuditReport } from '@skein/train';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Participation } from '../../federation/participation.ts';
import { runCli } from '../../testing/cli.ts';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';

const ROUNDS = 6;
const SLEEP_MS = process.env['SKEIN_FULL'] === '1' ? 90_000 : 0;
const patient = { timeout: 90_000, interval: 20 };

const PLAN = {
  data: TERMS.data,
  strategy: { name: 'fedsgd' },
  rounds: ROUNDS,
  privacy: { mode: 'patient', noise: 10, epsilon: 3, denominator: 300 },
  sites: { minimum: 3, maximum: 3 },
};

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene(['north', 'south'], PLAN);
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

it('takes part with canaries, finds nothing, and a site that slept in a round comes back', async () => {
  const names = ['north', 'south', 'auditor'];
  const { federation, invitations } = await scene.node.json<{
    federation: FederationView;
    invitations: { name: string; link: string }[];
  }>('federate', 'start', 'plan.json', ...names.flatMap((name) => ['--site', name]));
  const { id } = federation;
  const linkOf = (name: string) => invitations.find((each) => each.name === name)!.link;
  const audit = (...more: string[]) =>
    scene.start('auditor', 'privacy', 'audit', linkOf('auditor'), ...more);
  const strict = await audit('--accept', '--max-epsilon', '1').ended;
  expect(JSON.parse(strict.stdout)).toMatchObject({ code: 'SITE_TERMS_REFUSED' });
  const offered = await audit().ended;
  expect(offered.code).toBe(0);
  const proposal = await scene.start('south', 'join', linkOf('south')).ended;
  // The plan that `skein join` shows.
  const { plan, planDigest } = JSON.parse(proposal.stdout) as Participation;
  expect(JSON.parse(offered.stdout)).toEqual({
    plan,
    planDigest,
    name: 'auditor',
    unmet: [],
    accepted: false,
    canaries: 200,
  });
  const text = await runCli(
    ['privacy', 'audit', linkOf('auditor'), '--max-epsilon', '1', '--folder', 'auditor'],
    { cwd: scene.folder },
  );
  expect(text.code).toBe(1);
  for (const [term, fact] of plan.facts) {
    expect(text.stdout).toContain(term);
    expect(text.stdout.replace(/\s+/g, ' ')).toContain(fact);
  }
  expect(text.stdout).toMatch(/would be 200 canaries[^]*more than 1[^]*Nothing was accepted/);
  const { sites } = await scene.client.getFederation({ id });
  expect(sites.filter(({ accepted }) => accepted)).toEqual([]);

  const site = (name: string) =>
    scene.start(name, 'join', linkOf(name), '--data', `${name}.csv`, '--accept');
  const [north, south] = [site('north'), site('south')];
  await expect
    .poll(async () => {
      const { sites } = await scene.client.getFederation({ id });
      return sites.filter(({ connected }) => connected).length;
    }, patient)
    .toBe(2);
  const auditor = audit('--accept');
  await expect
    .poll(async () => (await scene.client.getFederation({ id })).round, patient)
    .toBeGreaterThan(0);
  north.process.kill('SIGSTOP');
  await pause(SLEEP_MS);
  north.process.kill('SIGCONT');
  const ends = await Promise.all([north, south, auditor].map(({ ended }) => ended));
  for (const { code, stderr } of ends) expect(code, stderr).toBe(0);
  const report = JSON.parse(ends[2]!.stdout) as AuditReport;
  expect(report).toMatchObject({ verdict: 'holds', findings: [], oneRun: { made: 100 } });
  expect(report.claimed).toBeGreaterThan(0.5);
  // Which canaries were in is known to that process alone.
  const again = await audit('--accept').ended;
  expect(JSON.parse(again.stdout)).toMatchObject({ code: 'AUDIT_UNFIT' });
}, 300_000);
