/** The conversion of a file, and the comparison of its graph with the program that wrote the file. */
import { SkeinError } from '@skein/api/errors';
import { usableMemoryBytes } from '@skein/api/machine';
import { safeLine } from '@skein/api/safe-text';
import { formatNumber } from '@skein/api/units';
import { values, type TensorMap } from '@skein/onnx';
import {
  agrees,
  difference,
  TOLERANCE,
  type Difference,
  type OutputValues,
} from '@skein/onnx/convert';
import { nativeRuntime, RuntimeFailure, type Session } from '@skein/runtime';

/** The conversion of a file, as `skein deploy` reports it. */
export interface Conversion {
  /** The program that wrote the file, and its version. */
  readonly source: string;
  /** The content of a file of XGBoost or LightGBM, or the steps of an estimator of scikit-learn. */
  readonly objective?: string;
  /** Zero for a linear booster; absent for an estimator without trees. */
  readonly trees?: number;
  readonly features?: number;
  /** The program that saved an archive of PyTorch. */
  readonly form?: string;
  /** The sandbox that converted the file. */
  readonly sandbox?: string;
  readonly notes: readonly string[];
  readonly compared: {
    readonly rows: number;
    /**
     * `file`: with the rows and predictions of `--rows`; `thresholds`: with the file, on rows around its thresholds;
     * `program`: with the outputs of the program itself, on rows that were drawn.
     */
    readonly with: 'file' | 'thresholds' | 'program';
    /** Largest difference of numbers, relative where they exceed one. */
    readonly largestDifference: number;
    readonly tolerance: number;
  };
}

export interface ConvertedFile {
  readonly content: Blob;
  readonly metadata: Readonly<Record<string, string>>;
  readonly conversion: Conversion;
}

/** @param from where the expected values come from. @returns the largest difference. @throws SkeinError CONVERSION_DIFFERS. */
export function requireAgreement(
  expected: ReadonlyMap<string, OutputValues>,
  found: ReadonlyMap<string, OutputValues>,
  given: string,
  from: string,
): number {
  for (const [name, { length }] of expected) {
    const size = found.get(name)?.length ?? 0;
    if (size === length) continue;
    throw new SkeinError(
      'CONVERSION_DIFFERS',
      `The model made of "${given}" gives ${size} values of ${safeLine(name)}, where ${from} have ${length}.`,
    );
  }
  const differs = difference(expected, found);
  if (!agrees(differs)) throw differing(given, from, differs);
  return differs.largest;
}

function differing(given: string, from: string, { largest, labels }: Difference): SkeinError {
  const parts = [
    ...(largest > TOLERANCE ? [`numbers by up to ${formatNumber(largest)}`] : []),
    ...(labels > 0 ? [`${labels} labels`] : []),
  ];
  return new SkeinError(
    'CONVERSION_DIFFERS',
    `The model made of "${given}" differs from ${from}: ${parts.join(' and ')}; at most ${TOLERANCE} is allowed.`,
  );
}

/** A model may be hostile: it gets as long as the conversion, and half of the memory. */
export const LONGEST_MS = 10 * 60_000;

/**
 * The outputs of a model, in a process of its own: the graph is made of a file that may be hostile.
 * @throws SkeinError CONVERSION_DIFFERS for a model that does not run.
 */
export async function runConverted(
  bytes: Uint8Array,
  inputs: TensorMap,
  given: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, OutputValues>> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
  const maxMemoryBytes = Math.floor(usableMemoryBytes() / 2);
  let session: Session | undefined;
  try {
    session = await nativeRuntime.open(
      { bytes },
      { device: 'cpu', threads: 1, isolation: 'process', maxMemoryBytes },
      deadline,
    );
    deadline.addEventListener('abort', () => void session?.close());
    const { outputs } = await session.run(inputs);
    return new Map(
      [...outputs].map(([name, each]) => [
        name,
        each.type === 'string'
          ? each.elements.map((text) => Buffer.from(text).toString())
          : values(each),
      ]),
    );
  } catch (error) {
    if (!(error instanceof RuntimeFailure)) throw error;
    const message = `The model made of "${given}" does not run: ${error.message}`;
    throw new SkeinError('CONVERSION_DIFFERS', message, { cause: error });
  } finally {
    await session?.close();
  }
}
