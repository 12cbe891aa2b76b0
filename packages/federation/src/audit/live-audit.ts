/**
 * An audit of a federation that runs: a site takes part with canaries, rows that it has made up. Each
 * is in with probability ½. Then the site guesses from the parameters that every site is sent which were in.
 * Guesses that the claimed ε does not allow are a violation, with the confidence that is asked for.
 *
 * Steinke, Nasr and Jagielski, "Privacy Auditing with One (1) Training Run" (NeurIPS 2023). Its power is
 * limited by the model: a few numbers separate few canaries.
 */
import { SkeinError } from '@skein/api/errors';
import { readModel } from '@skein/onnx';
import {
  clippedStep,
  drawCanaries,
  judge,
  MASK,
  problemOf,
  secureRandom,
  selectRows,
  type AuditReport,
  type Backend,
  type PublicColumns,
  type SecureRandom,
} from '@skein/train';
import { membershipScores } from '@skein/train/federated';
import { aggregationIn, isPrivate, privacyIn, strategyIn } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';
import { spentAfter } from '../plan/spent.ts';
import { readSiteRows, type SiteRows } from '../site/site-rows.ts';

export interface LiveAuditOptions {
  readonly plan: Plan;
  readonly canaries: number;
  readonly confidence?: number;
  readonly random?: SecureRandom;
}

export interface LiveAudit {
  /** The canaries that are in: what the site trains on. */
  readonly rows: SiteRows;
  /** Notes what the site is sent to train from. */
  readonly onBroadcast: (round: number, broadcast: Float32Array) => void;
  /**
   * @param releases sums that this site has given an update to.
   * @throws SkeinError AUDIT_UNFIT when fewer than two rounds were seen.
   */
  report(options: {
    readonly model: Uint8Array<ArrayBuffer>;
    readonly backend: Backend;
    readonly releases: number;
  }): Promise<AuditReport>;
}

/** Half of the canaries are guessed about: those that are clearest. */
const GUESSES = 0.5;

/** @throws SkeinError AUDIT_UNFIT; TrainError `data` for fewer than 100 canaries. */
export async function openLiveAudit(options: LiveAuditOptions): Promise<LiveAudit> {
  const { plan, canaries, confidence = 0.999, random = secureRandom() } = options;
  const step = stepOf(plan);
  const included = drawCanaries(canaries, random);
  const all = await readSiteRows(
    plan.data,
    linesOf(canaryRows(plan.data, canaries, random)),
    'jsonl',
  );
  const chosen = [...included.keys()].filter((i) => included[i]!);
  const broadcasts = new Map<number, Float32Array>();
  return {
    rows: { ...all, rows: selectRows(all.rows, chosen), count: chosen.length },
    onBroadcast: (round, broadcast) => void broadcasts.set(round, broadcast.slice()),
    async report({ model, backend, releases }) {
      const rounds = [...broadcasts].flatMap(([round, parameters]) => {
        const after = broadcasts.get(round + 1);
        if (after === undefined) return [];
        return [{ parameters, sum: after.map((each, i) => (each - parameters[i]!) / step.rate) }];
      });
      if (rounds.length === 0) {
        throw unfit('fewer than two rounds were seen, and a sum shows only between two');
      }
      const read = readModel(model);
      const graph = clippedStep((batch) => problemOf(read, { batch }).graded, { batch: 1 });
      const { clip, delta } = step.privacy;
      const scores = await membershipScores(rounds, {
        backend,
        step: graph,
        rows: all.rows,
        mask: MASK,
        norm: clip,
      });
      const [spent] = spentAfter(plan, releases);
      return judge(
        { scores, included, claimed: spent!.epsilon, delta },
        { confidence, guesses: GUESSES },
      );
    },
  };
}

/** By how much a sum moves the parameters. @throws SkeinError AUDIT_UNFIT where that is not a public number. */
function stepOf(plan: Plan) {
  const { privacy, strategy } = plan;
  if (!isPrivate(privacy) || privacyIn(plan).hides !== 'row') {
    throw unfit(
      'it audits privacy patient, in which each row is hidden; with privacy client all rows of this site are one',
    );
  }
  const { meanRate } = strategyIn(plan);
  if (meanRate === undefined) {
    throw unfit(`the server of strategy ${strategy.name} moves the model by more than the sum`);
  }
  if (aggregationIn(plan).encoding?.share !== undefined) {
    throw unfit('a part of the numbers is sent in each round');
  }
  return { privacy, rate: meanRate / privacy.denominator };
}

const unfit = (why: string): SkeinError =>
  new SkeinError('AUDIT_UNFIT', `This federation cannot be audited from a site: ${why}.`);

/** A row that is made up, in the columns of a plan. */
export type CanaryRow = Readonly<Record<string, string | number>>;

/** Rows that differ as much as the columns allow: each value at an end of its range, categories in turn. */
export function canaryRows(
  { features, target }: PublicColumns,
  count: number,
  random: SecureRandom,
): readonly CanaryRow[] {
  const coin = (): boolean => (random.uint32() & 1) === 1;
  return Array.from({ length: count }, (_, i) => {
    const cells = features.map((column): [string, string | number] => {
      if (column.kind === 'number') return [column.name, coin() ? column.high : column.low];
      if (column.kind === 'array') {
        throw unfit('its rows are arrays, and canaries are rows of a table');
      }
      const { categories } = column;
      return [column.name, categories[i % categories.length]!];
    });
    const label =
      target.kind === 'number'
        ? coin()
          ? target.high
          : target.low
        : target.classes[random.below(target.classes.length)]!;
    return Object.fromEntries([...cells, [target.name, label]]);
  });
}

/** The report as lines of JSON. */
export function linesOf(rows: readonly CanaryRow[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}
