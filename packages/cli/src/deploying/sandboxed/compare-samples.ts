/** Compares a converted model with the outputs of the program that it was converted with. */
import { SkeinError } from '@skein/api/errors';
import { usableMemoryBytes } from '@skein/api/machine';
import { formatNumber } from '@skein/api/units';
import { numbersOf, type NumericTensor, type Tensor } from '@skein/onnx';
import { difference } from '@skein/onnx/convert';
import { nativeRuntime, RuntimeFailure, type Session } from '@skein/runtime';
import { LONGEST_MS, type Conversion } from '../comparison.ts';

/** Inputs, and the outputs of the other program on them. */
export interface Sample {
  readonly inputs: ReadonlyMap<string, NumericTensor>;
  readonly outputs: ReadonlyMap<string, NumericTensor>;
}

/** The order of additions differs between runtimes, and layers multiply what it changes. */
const TOLERANCE = 1e-4;
/** A number of 16 bits has three digits. */
const HALF_TOLERANCE = 1e-2;

/**
 * @param given the file as the user wrote it.
 * @throws SkeinError CONVERSION_DIFFERS, CONVERSION_FAILED.
 */
export async function compareSamples(
  model: Uint8Array,
  samples: readonly Sample[],
  given: string,
  signal: AbortSignal,
): Promise<Conversion['compared']> {
  const halves = samples.some(({ outputs }) =>
    [...outputs.values()].some(({ type }) => type.endsWith('float16')),
  );
  const tolerance = halves ? HALF_TOLERANCE : TOLERANCE;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
  let largest = 0;
  let session: Session | undefined;
  try {
    session = await nativeRuntime.open(
      { bytes: model },
      {
        device: 'cpu',
        threads: 1,
        isolation: 'process',
        maxMemoryBytes: Math.floor(usableMemoryBytes() / 2),
      },
      deadline,
    );
    deadline.addEventListener('abort', () => void session?.close());
    for (const sample of samples) largest = Math.max(largest, await differenceOf(session, sample));
  } catch (error) {
    if (!(error instanceof RuntimeFailure)) throw error;
    const message = `The model made of "${given}" does not run where PyTorch runs it: ${error.message}`;
    throw new SkeinError('CONVERSION_DIFFERS', message, { cause: error });
  } finally {
    await session?.close();
  }
  if (largest > tolerance) {
    throw new SkeinError(
      'CONVERSION_DIFFERS',
      `The model made of "${given}" differs from PyTorch by up to ${formatNumber(largest)}; at most ${tolerance} is allowed.`,
    );
  }
  return {
    rows: samples.reduce((sum, { outputs }) => sum + rowsOf(outputs), 0),
    with: 'program',
    largestDifference: largest,
    tolerance,
  };
}

async function differenceOf(session: Session, { inputs, outputs }: Sample): Promise<number> {
  const feeds = new Map(
    [...inputs].map(([name, { type, shape, bytes }]): [string, Tensor] => [
      name,
      { type, shape, bytes: bytes.slice() },
    ]),
  );
  const { outputs: found } = await session.run(feeds);
  const shapes = (of: ReadonlyMap<string, Tensor>): string =>
    [...of].map(([name, { type, shape }]) => `${name} ${type}[${shape.join(', ')}]`).join(', ');
  if (shapes(found) !== shapes(outputs)) {
    throw new RuntimeFailure('run', `its outputs are ${shapes(found)}, not ${shapes(outputs)}`);
  }
  const numbers = (of: ReadonlyMap<string, Tensor>) =>
    new Map([...of].map(([name, tensor]) => [name, numbersOf(tensor as NumericTensor)]));
  return difference(numbers(outputs), numbers(found)).largest;
}

const rowsOf = (outputs: Sample['outputs']): number =>
  Math.max(...[...outputs.values()].map(({ shape }) => shape[0] ?? 1));
