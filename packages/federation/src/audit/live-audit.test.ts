/** An auditor that takes part in a federation of real sites, with noise and without. */
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { startFederation, type TestFederation } from '../coordinator/testing/federation.ts';
import { invitationOf } from '../identity/invitation.ts';
import type { PlanDraft } from '../plan/plan.ts';
import { openSqliteMemory } from '../site/memory/sqlite-memory.ts';
import { runSite } from '../site/run-site.ts';
import { readSiteRows, type SiteRows } from '../site/site-rows.ts';
import { openWork } from '../site/work/open-work.ts';
import { connectionPair } from '../transport/connection.ts';
import { draft } from '../testing/plans.ts';
import { completePlan } from '../plan/complete.ts';
import { openLiveAudit } from './live-audit.ts';

const CANARIES = 200;
const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const categories = Array.from({ length: CANARIES }, (_, i) => `${i}`);
const CLAIM = { mode: 'patient', noise: 10, epsilon: 3, delta: 1e-6, denominator: 500 } as const;
const PRIVATE: Partial<PlanDraft> = {
  data: {
    features: [{ name: 'code', kind: 'category', categories }],
    target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
  },
  strategy: { name: 'fedsgd', learningRate: 1 },
  aggregation: { kind: 'pairwise' },
  privacy: CLAIM,
  sites: { minimum: 3, maximum: 3 },
  rounds: 4,
};

interface Site {
  readonly rows: SiteRows;
  readonly onBroadcast?: (round: number, broadcast: Float32Array) => void;
}

/** Takes part to the end. @returns the model, and how often it has given an update. */
async function takePart(at: TestFederation, run: string, { rows, onBroadcast }: Site) {
  const memory = openSqliteMemory(':memory:');
  let model!: Uint8Array<ArrayBuffer>;
  const end = await runSite({
    invitation: invitationOf(await at.coordinator.invite(run, { name: 'site' })),
    memory,
    consent: async () => {},
    async open() {
      const [near, far] = connectionPair();
      at.coordinator.connect(far);
      return near;
    },
    async prepare(joined, fetchModel) {
      model = await fetchModel();
      const more = onBroadcast === undefined ? {} : { onBroadcast };
      return openWork({ joined, run, memory, model, rows, backend: nativeBackend, ...more });
    },
    signal: new AbortController().signal,
  });
  return { end, model, releases: await memory.attemptsOf(run, 'input') };
}

/** @param noise that the sums have; the auditor is given 10. */
async function audited(noise: number) {
  const at = await startFederation({ ...PRIVATE, privacy: { ...CLAIM, noise, epsilon: 1e6 } });
  const { id } = await at.coordinator.start(at.draft);
  const plan = completePlan({ ...at.draft, privacy: CLAIM });
  const lines = Array.from({ length: 40 }, (_, i) => `${i % 10},${Math.floor(i / 10) % 2}`);
  const text = new TextEncoder().encode(['code,ill', ...lines, ''].join('\n'));
  const rows = await readSiteRows(plan.data, text);
  const auditor = await openLiveAudit({ plan, canaries: CANARIES });
  const [{ end, model, releases }] = await Promise.all([
    takePart(at, id, auditor),
    takePart(at, id, { rows }),
    takePart(at, id, { rows }),
  ]);
  expect(end.status).toBe('finished');
  return auditor.report({ model, backend: nativeBackend, releases });
}

it('finds nothing in a federation whose sums have the noise of the plan', async () => {
  const report = await audited(10);
  expect(report.findings).toEqual([]);
  expect(report.oneRun.made).toBe(CANARIES / 2);
  expect(report.claimed).toBeGreaterThan(0.5);
});

it('flags a federation whose sums have far less noise than the plan claims', async () => {
  const { verdict, findings, oneRun, claimed } = await audited(0.1);
  expect(verdict).toBe('violated');
  expect(oneRun.epsilon).toBeGreaterThan(claimed);
  expect(findings.join(' ')).toContain('One run');
});

it.each<[string, Partial<PlanDraft>]>([
  ['of privacy client', { privacy: { mode: 'client', noise: 10 }, local: { learningRate: 0.1 } }],
  ['whose server adapts its steps', { strategy: { name: 'fedadam' } }],
  ['that sends a part of the numbers', { aggregation: { kind: 'pairwise', share: 0.5 } }],
])('refuses a federation %s', async (_, more) => {
  const plan = completePlan(draft({ ...PRIVATE, ...more }));
  await expect(openLiveAudit({ plan, canaries: CANARIES })).rejects.toEqual(code('AUDIT_UNFIT'));
});

it('refuses to judge by a single round', async () => {
  const auditor = await openLiveAudit({ plan: completePlan(draft(PRIVATE)), canaries: CANARIES });
  auditor.onBroadcast(0, new Float32Array(1));
  const report = auditor.report({
    model: new Uint8Array(0),
    backend: nativeBackend,
    releases: 1,
  });
  await expect(report).rejects.toEqual(code('AUDIT_UNFIT'));
});
