/**
 * The model's logit of the second class for each row of a site.
 *
 * The coordinator chooses the model. With a model that mixes the rows of a batch, one row could move the counts of all
 * others, which voids the sensitivity: rows go through the graph one by one. A row whose run fails has no score.
 */
import { signatureOf, values, type Model, type NumericTensor } from '@skein/onnx';
import { LABELS, MASK, problemOf, type Backend, type Dataset } from '@skein/train';
import type { Plan } from '../../plan/plan.ts';
import { scoredColumns } from '../../statistics/scored-columns.ts';

export interface ScoreOptions {
  readonly plan: Plan;
  readonly model: Model;
  readonly rows: Dataset;
  readonly backend: Backend;
  /** Called with the first run that fails. */
  readonly onFault: (fault: unknown) => void;
}

/**
 * @returns scores the rows, NaN where the model gives none; a failure here is one of plan and model, and of no row.
 * @throws SkeinError PLAN_INVALID where the model takes columns that the plan does not have.
 */
export async function openScores({
  plan,
  model,
  rows,
  backend,
  onFault,
}: ScoreOptions): Promise<() => Promise<Float64Array>> {
  const { predicting, prediction } = problemOf(model, { batch: 1 });
  const places = scoredColumns(model, plan);
  const [input] = signatureOf(predicting).inputs.filter(
    ({ name }) => ![LABELS, MASK].includes(name),
  );
  const source = rows.tensors.get(places.length === 0 ? input!.name : 'features')!;
  const fill = places.length === 0 ? wholeRow(source) : columnsOfRow(source, places);
  const graph = await backend.open(predicting);
  const feeds = new Map([[input!.name, fill.row]]);
  return async () => {
    const scores = new Float64Array(rows.count).fill(NaN);
    let fault: unknown;
    for (let at = 0; at < rows.count; at++) {
      fill.read(at);
      try {
        const score = Number(values((await graph.run(feeds)).get(prediction)!)[0]);
        if (Number.isFinite(score)) scores[at] = score;
        else throw new RangeError(`The model scores a row as ${score}.`);
      } catch (error) {
        fault ??= error;
      }
    }
    if (fault !== undefined) onFault(fault);
    return scores;
  };
}

/** One row at a time, in memory that is used again. */
interface RowReader {
  readonly row: NumericTensor;
  readonly read: (at: number) => void;
}

/** The row as it is. */
function wholeRow({ type, shape, bytes }: NumericTensor): RowReader {
  const size = bytes.byteLength / shape[0]!;
  const own = new Uint8Array(size);
  return {
    row: { type, shape: [1, ...shape.slice(1)], bytes: own },
    read: (at) => own.set(bytes.subarray(at * size, (at + 1) * size)),
  };
}

/** Some columns of it. */
function columnsOfRow(source: NumericTensor, places: readonly number[]): RowReader {
  const numbers = values(source) as Float32Array;
  const width = source.shape[1]!;
  const own = new Float32Array(places.length);
  return {
    row: { type: 'float32', shape: [1, own.length], bytes: new Uint8Array(own.buffer) },
    read: (at) => {
      for (const [i, place] of places.entries()) own[i] = numbers[at * width + place]!;
    },
  };
}
