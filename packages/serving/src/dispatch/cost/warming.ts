/**
 * Warms a session: runs synthetic requests of growing batch sizes, so that the first real request
 * meets warm code and a latency model with measurements. It also checks whether rows are
 * independent, because a model may declare an open first dimension and still mix its rows, or not
 * keep their number.
 *
 * Open sizes beyond the first dimension come from the last real request, or are guesses; a model may
 * reject a guess without failing.
 */
import {
  elementCount,
  tensorOfNumbers,
  type NumericType,
  type Signature,
  type TensorMap,
} from '@skein/onnx';
import { RuntimeFailure, type Session } from '@skein/runtime';
import type { Clock } from '../../contract.ts';
import { joinInputs, outputsOf, unevenOutput, type Member } from '../loop/batch.ts';
import type { LatencyModel } from './latency-model.ts';
import { elementsPerRow, isBatchable, requestCheck } from '../loop/request-check.ts';
import { sameOutputs } from './same-outputs.ts';
import { likelyShapes, syntheticRequest, type Shapes } from './synthetic-inputs.ts';
import { replicaTuning } from '../replica-tuning.ts';

export interface WarmingOptions {
  readonly signature: Signature;
  readonly model: LatencyModel;
  readonly clock: Clock;
  /** Rows that one run may hold by the settings. */
  readonly maxRows: number;
  /** The deployment's objective, in milliseconds. */
  readonly objectiveMs: number;
  /** Shapes of a real request. */
  readonly seen: Shapes | undefined;
  /** The result of another replica of the version. */
  readonly known: Warmth | undefined;
  /** Runs of each size; the first is slower than the later ones. */
  readonly runsPerSize: number;
}

export interface Warmth {
  /** Rows that one run may hold. */
  readonly maxRows: number;
  /** Why that is 1 although more was requested. */
  readonly unbatched: string | undefined;
}

/** @throws RuntimeFailure if the session is lost, or rejects inputs whose shape is not a guess. */
export async function warm(session: Session, options: WarmingOptions): Promise<Warmth> {
  const shapes = await workingShapes(session, options);
  const warmth = options.known ?? (await findWarmth(session, options, shapes));
  if (shapes !== undefined) await measure(session, options, shapes, warmth.maxRows);
  return warmth;
}

async function findWarmth(
  session: Session,
  { signature, maxRows }: WarmingOptions,
  shapes: Shapes | undefined,
): Promise<Warmth> {
  let unbatched: string | undefined;
  if (maxRows > 1) {
    if (!isBatchable(signature) || !isBatchable(session.signature)) {
      unbatched = 'The first dimension of an input or output is fixed.';
    } else if (shapes !== undefined) {
      unbatched = await findDependence(session, signature, shapes);
    }
  }
  return { maxRows: unbatched === undefined ? maxRows : 1, unbatched };
}

/** Shapes that the model accepts; undefined if it rejects all guesses. */
async function workingShapes(
  session: Session,
  { signature, seen }: WarmingOptions,
): Promise<Shapes | undefined> {
  const candidates = seen === undefined ? likelyShapes(signature) : [seen];
  let rejection: RuntimeFailure | undefined;
  for (const shapes of candidates) {
    try {
      await session.run(syntheticRequest(signature, shapes, undefined, 1));
      return shapes;
    } catch (error) {
      if (!(error instanceof RuntimeFailure) || error.kind !== 'run') throw error;
      rejection = error;
    }
  }
  if (nothingToGuess(signature) && !(await acceptsOnes(session, signature, candidates[0]!))) {
    throw rejection!;
  }
  return undefined;
}

/** Whether the model runs with 1 everywhere: a scale or a depth may be 1, but no fraction below it. */
function acceptsOnes(session: Session, signature: Signature, shapes: Shapes): Promise<boolean> {
  const ones = signature.inputs.map(({ name, type }) => {
    const shape = shapes.get(name)!;
    const elements = Array.from({ length: elementCount(shape) }, () => 1);
    return [name, tensorOfNumbers(type as NumericType, shape, elements)] as const;
  });
  return accepts(session, new Map(ones));
}

/** Whether the shape of a request is known and most float values are valid: then a rejection is a failure. */
function nothingToGuess(signature: Signature): boolean {
  const from = isBatchable(signature) ? 1 : 0;
  return signature.inputs.every(
    ({ type, shape }) =>
      type.includes('float') &&
      shape.every((size, axis) => axis < from || typeof size === 'number'),
  );
}

/** Runs two rows alone and together. @returns why they must not share a run, if so. */
async function findDependence(
  session: Session,
  signature: Signature,
  shapes: Shapes,
): Promise<string | undefined> {
  const names = signature.inputs.map(({ name }) => name);
  const row = (seed: number): Member => ({ inputs: syntheticRequest(signature, shapes, 1, seed) });
  const run = async (members: readonly Member[]): Promise<TensorMap> =>
    (await session.run(joinInputs(names, members, members.length))).outputs;
  try {
    const first = await run([row(1)]);
    const again = await run([row(1)]);
    const second = await run([row(2)]);
    const both = await run([row(1), row(2)]);
    const uneven = unevenOutput(both, 2) ?? unevenOutput(first, 1);
    if (uneven !== undefined) return `Output "${uneven}" does not have one row per row of input.`;
    // A non-deterministic model cannot be compared.
    if (!sameOutputs(first, again)) return undefined;
    const independent =
      sameOutputs(first, outputsOf(row(1), both, 0, 1)) &&
      sameOutputs(second, outputsOf(row(2), both, 1, 1));
    return independent
      ? undefined
      : 'The output of a row changes with the other rows of its batch.';
  } catch (error) {
    if (!(error instanceof RuntimeFailure) || error.kind !== 'run') throw error;
    return `Two rows together are rejected: ${error.message}`;
  }
}

/** Runs the model; false if it rejects the synthetic values. */
async function accepts(session: Session, inputs: TensorMap): Promise<boolean> {
  try {
    await session.run(inputs);
    return true;
  } catch (error) {
    if (!(error instanceof RuntimeFailure) || error.kind !== 'run') throw error;
    return false;
  }
}

/**
 * Measures runs of 1, 2, 4, … `maxRows` rows, up to the first that the model rejects. A size that
 * would take too much of the objective, by the line through the last two, is left out: runs of it
 * would only delay the version that serves meanwhile.
 */
async function measure(
  session: Session,
  { signature, model, clock, objectiveMs, runsPerSize }: WarmingOptions,
  shapes: Shapes,
  maxRows: number,
): Promise<void> {
  const check = requestCheck(signature, false);
  const batches = isBatchable(signature);
  const longestMs = objectiveMs * replicaTuning.longestWarmingRun;
  const endAt = clock.now() + replicaTuning.warmingMs;
  let tookBefore: number | undefined;
  for (let rows = 1; ; rows = Math.min(rows * 2, maxRows)) {
    let took = 0;
    for (let i = 0; i < runsPerSize; i++) {
      const inputs = syntheticRequest(signature, shapes, batches ? rows : undefined, i);
      const elements = elementsPerRow(signature, inputs, check(inputs, undefined));
      const start = clock.now();
      if (!(await accepts(session, inputs))) return;
      took = clock.now() - start;
      model.curve(elements).seed(rows, took);
    }
    const next = tookBefore === undefined ? took : took + 2 * Math.max(0, took - tookBefore);
    if (rows >= maxRows || next > longestMs || clock.now() > endAt) return;
    tookBefore = took;
  }
}
