/**
 * Files of other programs that `skein deploy` converts: recognised by their content, converted to ONNX, and
 * compared before they are uploaded.
 */
import { open, readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import { formatNumber } from '@skein/api/units';
import { OnnxError, seededRandom, tensor, values, writeModel } from '@skein/onnx';
import {
  agrees,
  convertModel,
  difference,
  recogniseModel,
  TOLERANCE,
  type Converted,
  type Difference,
} from '@skein/onnx/convert';
import { nativeRuntime } from '@skein/runtime';
import { codeOf } from './model-file.ts';
import { readSampleRows } from './sample-rows.ts';

/** The conversion of a file, as `skein deploy` reports it. */
export interface Conversion {
  /** The program that wrote the file, and its version. */
  readonly source: string;
  /** The content of a file of XGBoost or LightGBM. */
  readonly objective?: string;
  /** Zero for a linear model. */
  readonly trees?: number;
  readonly features?: number;
  /** The program that saved an archive of PyTorch, and the sandbox that converted it. */
  readonly form?: string;
  readonly sandbox?: string;
  readonly notes: readonly string[];
  readonly compared: {
    readonly rows: number;
    /**
     * `file`: with the rows and predictions of `--rows`; `thresholds`: with the file, on rows around its
     * thresholds; `program`: with the outputs of the program itself, on rows that were drawn.
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

/** Bytes that a format is recognised by. */
const HEAD_BYTES = 64;
/** Steps through trees, and values of rows, that a comparison may take: about a second. */
const MOST_STEPS = 2e7;
const MOST_ROWS = 1000;
const FEWEST_ROWS = 20;

/**
 * @param given the path as the user wrote it. @param rows a CSV file of sample rows.
 * @returns undefined for a file that is not of another program.
 * @throws SkeinError FILE_UNREADABLE, MODEL_FILE_INVALID, MODEL_UNSUPPORTED, CONVERSION_DIFFERS.
 */
export async function convertedFile(
  path: string,
  given: string,
  rows: string | undefined,
): Promise<ConvertedFile | undefined> {
  const file = await readIfForeign(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  if (file === undefined) return undefined;
  const converted = converting(file, given);
  const bytes = writeModel(converted.model) as Uint8Array<ArrayBuffer>;
  const compared = await compare(converted, bytes, given, rows);
  const { source, objective, trees, features, notes } = converted;
  return {
    content: new Blob([bytes]),
    metadata: { source, objective },
    conversion: { source, objective, trees, features, notes, compared },
  };
}

async function readIfForeign(path: string): Promise<Uint8Array | undefined> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    if (recogniseModel(buffer.subarray(0, bytesRead)) === undefined) return undefined;
  } finally {
    await handle.close();
  }
  return readFile(path);
}

function converting(bytes: Uint8Array, given: string): Converted {
  try {
    return convertModel(bytes);
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw new SkeinError(codeOf(error), `"${given}": ${error.message}`, { cause: error });
  }
}

async function compare(
  converted: Converted,
  model: Uint8Array,
  given: string,
  path: string | undefined,
): Promise<Conversion['compared']> {
  const { features, trees } = converted;
  const sample = path === undefined ? undefined : await readSampleRows(path, converted);
  const most = Math.floor(MOST_STEPS / Math.max(features, trees * 10));
  const drawn = Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, most));
  const rows = sample?.rows ?? converted.sampleRows(drawn, seededRandom(1));
  const found = await runModel(model, rows, features);
  const worst = (expected: Parameters<typeof difference>[0], from: string): number => {
    const differs = difference(expected, found);
    if (!agrees(differs)) throw differing(given, from, differs);
    return differs.largest;
  };
  const fromFile = worst(converted.predict(rows), 'the file itself');
  const fromRows =
    sample === undefined ? 0 : worst(sample.expected, `the predictions in "${path}"`);
  return {
    rows: rows.length / features,
    with: sample !== undefined && sample.expected.size > 0 ? 'file' : 'thresholds',
    largestDifference: Math.max(fromFile, fromRows),
    tolerance: TOLERANCE,
  };
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

/** In a process of its own: the graph is made of a file that may be hostile. */
async function runModel(
  bytes: Uint8Array,
  rows: Float32Array,
  features: number,
): Promise<ReadonlyMap<string, ArrayLike<number | bigint>>> {
  const session = await nativeRuntime.open(
    { bytes },
    { device: 'cpu', threads: 1, isolation: 'process' },
  );
  try {
    const x = tensor('float32', [rows.length / features, features], rows.slice());
    const { outputs } = await session.run(new Map([['x', x]]));
    return new Map(
      [...outputs].flatMap(([name, each]) =>
        each.type === 'string' ? [] : [[name, values(each)]],
      ),
    );
  } finally {
    await session.close();
  }
}
