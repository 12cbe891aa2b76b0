/**
 * Scores patients and splits each score into reasons.
 *
 * Reasons are integrated gradients (Sundararajan, Taly and Yan, 2017) of the calibrated logit along the
 * straight line from the baseline patient, by Gauss–Legendre quadrature. They add up to the difference of
 * the two logits up to `gap`, which is measured for every answer and not assumed.
 */
import { tensor, values, writeModel, type Model, type NumericTensor } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { LOGIT, SLOPE, withSlope } from './network.ts';
import {
  BASELINE,
  encode,
  ENCODED,
  QUESTIONS,
  WIDTH,
  type Answers,
  type Question,
} from './questions.ts';

/** Nodes on [−1, 1] and weights of 8 points (Abramowitz and Stegun, table 25.4). */
const POINTS: readonly (readonly [number, number])[] = [
  [0.18343464249564978, 0.36268378337836199],
  [0.525532409916329, 0.31370664587788727],
  [0.79666647741362673, 0.22238103445337448],
  [0.96028985649753618, 0.10122853629037626],
].flatMap(([node, weight]) => [[-node!, weight!] as const, [node!, weight!] as const]);

export interface Reasons {
  /** Share of each question in `logit − baselineLogit`, in log-odds before temperature. */
  readonly shares: Readonly<Record<Question, number>>;
  readonly logit: number;
  readonly baselineLogit: number;
  /** |sum of the shares − (logit − baselineLogit)|. */
  readonly gap: number;
}

export interface Scorer {
  /** Logits of patients, before temperature. */
  logits(patients: readonly Answers[]): readonly number[];
  reasons(patient: Answers): Reasons;
  close(): void;
}

/**
 * Opens a session on the calling thread: a run takes less time than the way to another thread, and the graph is
 * fixed.
 * @throws RuntimeFailure.
 */
export async function openScorer(model: Model): Promise<Scorer> {
  const session = await nativeRuntime.openInline!(
    { bytes: writeModel(withSlope(model)) },
    { device: 'cpu', threads: 1 },
  );
  const run = (rows: readonly Float32Array[], outputs: readonly string[]) => {
    const x = new Float32Array(rows.length * WIDTH);
    rows.forEach((row, i) => x.set(row, i * WIDTH));
    const feeds = new Map([['x', tensor('float32', [rows.length, WIDTH], x)]]);
    const { outputs: found } = session.run(feeds, outputs);
    return outputs.map((name) => values(found.get(name) as NumericTensor) as Float32Array);
  };
  const baseline = encode(BASELINE);
  return {
    logits(patients) {
      if (patients.length === 0) return [];
      return Array.from(run(patients.map(encode), [LOGIT])[0]!);
    },
    reasons(patient) {
      const at = encode(patient);
      const path = POINTS.map(([node]) => {
        const share = (node + 1) / 2;
        return baseline.map((from, i) => from + share * (at[i]! - from));
      });
      const [logits, slopes] = run([at, baseline, ...path], [LOGIT, SLOPE]);
      const shares = Object.fromEntries(QUESTIONS.map((each) => [each, 0])) as Record<
        Question,
        number
      >;
      ENCODED.forEach((question, i) => {
        const mean = POINTS.reduce(
          (sum, [, weight], point) => sum + (weight / 2) * slopes![(point + 2) * WIDTH + i]!,
          0,
        );
        shares[question] += mean * (at[i]! - baseline[i]!);
      });
      const [logit, baselineLogit] = [logits![0]!, logits![1]!];
      const sum = QUESTIONS.reduce((total, question) => total + shares[question], 0);
      return { shares, logit, baselineLogit, gap: Math.abs(sum - (logit - baselineLogit)) };
    },
    close: () => session.close(),
  };
}
