/** SCAFFOLD over real sites: the server's control variate is the mean of the sites' control variates, whatever is lost. */
import { join as pathOf } from 'node:path';
import { readModel } from '@skein/onnx';
import { MASK } from '@skein/train';
import { simulate } from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { invitationOf } from '../../identity/invitation.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import { spentAfter } from '../../plan/spent.ts';
import type { Task, Work } from '../../site/answers.ts';
import type { SiteMemory } from '../../site/memory/site-memory.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { runSite } from '../../site/run-site.ts';
import { readSiteRows } from '../../site/site-rows.ts';
import { readLast } from '../../site/work/carried.ts';
import { openWork } from '../../site/work/open-work.ts';
import { trainingOf } from '../../site/work/training.ts';
import { openFederationStore } from '../../store/open-store.ts';
import { connectionPair } from '../../transport/connection.ts';
import { startCommittee } from '../testing/committee.ts';
import { startFederation, type TestFederation } from '../testing/federation.ts';
import { readArtifact, storedPayload } from '../storage/uploads.ts';
import { openState } from './server-state.ts';

const DAY_MS = 86_400_000;
const MOST_ROWS = 20;
const DRAFT: Partial<PlanDraft> = {
  strategy: { name: 'scaffold' },
  local: { steps: 3, batch: 4, learningRate: 0.5 },
  rounds: 4,
  privacy: { mode: 'none' },
  sites: { minimum: 4, maximum: 4 },
  deadlines: { phaseMs: DAY_MS, trainMs: DAY_MS },
};
/** Rows of the sites; each site learns something else. */
const ROWS = [6, 9, 12, 20].map((count, site) =>
  Array.from(
    { length: count },
    (_, i) => `${(37 * i + 11 * site) % 100},${i % 2},${+(i % 5 <= site)}`,
  ),
);
const WEIGHTS = ROWS.map(({ length }) => length);
const csv = (rows: readonly string[]) =>
  new TextEncoder().encode(['age,sex,disease', ...rows, ''].join('\n'));

type Kind = 'none' | 'pairwise' | 'committee';

async function started(
  kind: Kind,
  more: Partial<PlanDraft>,
): Promise<{ at: TestFederation; id: string }> {
  if (kind === 'committee') {
    const committee = await startCommittee(
      { ...DRAFT, ...more },
      2,
      more.privacy === undefined ? { mostRows: MOST_ROWS } : {},
    );
    for (const number of [0, 1]) committee.helper(number);
    return committee;
  }
  const aggregation =
    kind === 'none'
      ? ({ kind, coordinatorSeesUpdates: true } as const)
      : ({ kind, range: 10, mostRows: MOST_ROWS } as const);
  const at = await startFederation({ ...DRAFT, aggregation, ...more });
  return { at, id: (await at.coordinator.start(at.draft)).id };
}

interface SiteOptions {
  /** Whether the answer that it has computed is lost. */
  readonly loses?: (task: Task) => Promise<boolean> | boolean;
  readonly onBroadcast?: (round: number, broadcast: Float32Array) => void;
}

/** @returns what a site has kept last. */
async function takePart(
  { at, id }: { readonly at: TestFederation; readonly id: string },
  rows: readonly string[],
  { loses = () => false, onBroadcast = () => {} }: SiteOptions = {},
) {
  const opened = openSqliteMemory(':memory:');
  let kept: Uint8Array | undefined;
  const memory: SiteMemory = {
    ...opened,
    async carry(run, bytes) {
      if (run === id) kept = bytes ?? kept;
      return opened.carry(run, bytes);
    },
  };
  const end = await runSite({
    invitation: invitationOf(await at.coordinator.invite(id, { name: 'site' })),
    memory,
    consent: async () => {},
    async open() {
      const [near, far] = connectionPair();
      at.coordinator.connect(far);
      return near;
    },
    async prepare(joined, fetchModel) {
      const model = await fetchModel();
      const read = await readSiteRows(joined.plan.data, csv(rows));
      const work = await openWork({
        joined,
        run: id,
        memory,
        model,
        rows: read,
        backend: nativeBackend,
        onBroadcast,
      });
      const losing: Work = async (task) => {
        const outcome = await work(task);
        if (await loses(task)) throw new Error('The test loses the answer.');
        return outcome;
      };
      return losing;
    },
    signal: new AbortController().signal,
  });
  expect(end.status).toBe('finished');
  return readLast(kept!);
}

/** The server after the last round: its parameters and its control variate. */
async function serverOf({ at, id }: { readonly at: TestFederation; readonly id: string }) {
  const store = await openFederationStore(pathOf(at.folder, 'federations.sqlite'));
  const { state } = (await store.run(id))!;
  await store.close();
  const { numbersAt, length, payload } = await openState(
    await storedPayload(at.artifacts, state.optimiser),
  );
  const numbers = new Float32Array((await payload.read()).slice(numbersAt).buffer);
  return { parameters: numbers.slice(0, length), control: numbers.slice(length), state };
}

const isTraining = ({ place }: Task): boolean => place.phase === 'train' || place.phase === 'input';
const events = async ({ at, id }: { at: TestFederation; id: string }) =>
  (await at.coordinator.ledger(id)).entries.map(({ event }) => event);

it.each(['none', 'pairwise', 'committee'] as const)(
  'trains with aggregation %s as its simulation does',
  async (kind) => {
    const federation = await started(kind, {});
    const { at, id } = federation;
    const own = await Promise.all(ROWS.map((rows) => takePart(federation, rows)));
    const { plan } = await at.coordinator.view(id);
    const model = readModel(await readArtifact(at.artifacts, plan.model.digest));
    const { strategy, federated } = trainingOf(plan, model, 4);
    const all = await readSiteRows(plan.data, csv(ROWS.flat()));
    const starts = WEIGHTS.map((_, site) =>
      WEIGHTS.slice(0, site).reduce((sum, each) => sum + each, 0),
    );
    const expected = await simulate(federated, {
      backend: nativeBackend,
      strategy,
      rows: all.rows,
      sites: WEIGHTS.map((count, site) =>
        Uint32Array.from({ length: count }, (_, i) => starts[site]! + i),
      ),
      rounds: plan.rounds,
      batch: 4,
      mask: MASK,
      learningRate: 0.5,
      steps: 3,
      seed: 0,
    });
    const { parameters, control } = await serverOf(federation);
    // Sums of levels are rounded.
    const digits = kind === 'none' ? 5 : 2.5;
    parameters.forEach((each, i) => expect(each).toBeCloseTo(expected.parameters[i]!, digits));
    control.forEach((each, i) => expect(each).toBeCloseTo(expected.slots['control']![i]!, digits));
    expect(own.every(({ round }) => round === 3)).toBe(true);
    expect(Math.hypot(...control)).toBeGreaterThan(0.05);
  },
);

it.each(['none', 'pairwise', 'committee'] as const)(
  'keeps the mean of all control variates with aggregation %s, whatever is lost of updates',
  async (kind) => {
    const federation = await started(kind, { rounds: 5 });
    const { at } = federation;
    let isRestarted = false;
    const lost =
      (site: number) =>
      async (task: Task): Promise<boolean> => {
        const { round, attempt } = task.place;
        if (!isTraining(task)) return false;
        if (round === 3 && site === 0 && !isRestarted) {
          isRestarted = true;
          void at.restart();
        }
        // Round 1 is without the last site, and so is round 2, whose first attempt has too few.
        return (
          (site === 3 && (round === 1 || round === 2)) ||
          (site === 2 && round === 2 && attempt === 0)
        );
      };
    const own = await Promise.all(
      ROWS.map((rows, site) => takePart(federation, rows, { loses: lost(site) })),
    );
    const found = await events(federation);
    const survivors = found.flatMap((event) =>
      event.kind === 'finished-round' ? [event.survivors.length] : [],
    );
    expect(survivors.slice(0, 3)).toEqual([4, 3, 3]);
    expect(found.some(({ kind: its }) => its === 'aborted')).toBe(true);
    const { control, state } = await serverOf(federation);
    const total = WEIGHTS.reduce((sum, each) => sum + each, 0);
    expect(state.summed!.weight).toBeCloseTo(total, 6);
    control.forEach((each, i) => {
      const mean =
        own.reduce((sum, { after }, site) => sum + WEIGHTS[site]! * after[i]!, 0) / total;
      expect(each).toBeCloseTo(mean, 5);
    });
    expect(Math.hypot(...control)).toBeGreaterThan(0.05);
  },
);

it.each(['pairwise', 'committee'] as const)(
  'releases nothing but the noisy mean with aggregation %s: the control variate follows from the parameters',
  async (kind) => {
    const [clip, noise] = [0.2, 0.01];
    const federation = await started(kind, {
      privacy: { mode: 'client', clip, noise, epsilon: 1e9 },
      ...(kind === 'pairwise' ? { aggregation: { kind } } : {}),
    });
    const seen: Float32Array[] = [];
    const own = await Promise.all(
      ROWS.map((rows, site) =>
        takePart(federation, rows, {
          onBroadcast: (round, broadcast) =>
            site === 0 ? void (seen[round] = broadcast) : undefined,
        }),
      ),
    );
    const { parameters, control } = await serverOf(federation);
    const distance = 3 * 0.5;
    for (const [round, { length }] of seen.entries()) {
      const next = seen[round + 1] ?? Float32Array.of(...parameters, ...control);
      for (let i = 0; i < length / 2; i += 1) {
        const moved = next[i]! - seen[round]![i]!;
        expect(next[length / 2 + i]).toBeCloseTo(-moved / distance, 5);
      }
    }
    expect(seen).toHaveLength(4);
    // The sites have no noise: the noise of one sum lies between their mean and the server's, not the noise of all four.
    const deviation = (noise * clip) / 4 / distance;
    const gaps = Array.from(
      control,
      (each, i) => each - own.reduce((sum, { after }) => sum + after[i]! / 4, 0),
    );
    for (const gap of gaps) expect(Math.abs(gap)).toBeLessThan(6 * Math.SQRT2 * deviation);
    expect(Math.hypot(...gaps)).toBeGreaterThan(1e-5);
    // Far above the noise.
    expect(Math.hypot(...control)).toBeGreaterThan(0.02);
    const charged = (await events(federation)).flatMap((event) =>
      event.kind === 'charged' ? [event] : [],
    );
    const { plan } = await federation.at.coordinator.view(federation.id);
    expect(charged.map(({ releases, spent }) => [releases, spent])).toEqual(
      [1, 2, 3, 4].map((releases) => [
        releases,
        spentAfter({ ...plan, strategy: { name: 'fedavg' } }, releases),
      ]),
    );
  },
);
