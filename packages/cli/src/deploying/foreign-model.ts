/**
 * Files of other programs that `skein deploy` converts: recognised by their content, converted to ONNX, and
 * compared before they are uploaded.
 */
import { open, readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import { OnnxError, seededRandom, tensor, writeModel } from '@skein/onnx';
import { convertModel, recogniseModel, TOLERANCE, type Converted } from '@skein/onnx/convert';
import type { Context } from '../command-line/command.ts';
import {
  requireAgreement,
  runConverted,
  type Conversion,
  type ConvertedFile,
} from './comparison.ts';
import { codeOf } from './model-file.ts';
import { readSampleRows } from './sample-rows.ts';
import { convertedEstimator, isPickle } from './sandboxed/estimator.ts';

/** Bytes that a format is recognised by. */
const HEAD_BYTES = 64;
/** Steps through trees, and values of rows, that a comparison may take: about a second. */
const MOST_STEPS = 2e7;
const MOST_ROWS = 1000;
const FEWEST_ROWS = 20;

export type Converting = Pick<Context, 'env' | 'notes' | 'signal'>;

/**
 * @param given the path as the user wrote it. @param rows a CSV file of sample rows.
 * @returns undefined for a file that is not of another program.
 * @throws SkeinError FILE_UNREADABLE, MODEL_FILE_INVALID, MODEL_UNSUPPORTED, CONVERSION_DIFFERS, and as
 *   `convertedEstimator` for a pickle.
 */
export async function convertedFile(
  context: Converting,
  path: string,
  given: string,
  rows: string | undefined,
): Promise<ConvertedFile | undefined> {
  const file = await readIfForeign(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  if (file === undefined) return undefined;
  if (isPickle(file)) return convertedEstimator(context, file, given, rows);
  const converted = converting(file, given);
  const bytes = writeModel(converted.model) as Uint8Array<ArrayBuffer>;
  const compared = await compare(converted, bytes, given, rows, context.signal);
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
    const head = buffer.subarray(0, bytesRead);
    if (recogniseModel(head) === undefined && !isPickle(head)) return undefined;
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
  signal: AbortSignal,
): Promise<Conversion['compared']> {
  const { features, trees } = converted;
  const sample = path === undefined ? undefined : await readSampleRows(path, converted);
  const most = Math.floor(MOST_STEPS / Math.max(features, trees * 10));
  const drawn = Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, most));
  const rows = sample?.rows ?? converted.sampleRows(drawn, seededRandom(1));
  const count = rows.length / features;
  const x = tensor('float32', [count, features], rows.slice());
  const found = await runConverted(model, new Map([['x', x]]), given, signal);
  const fromFile = requireAgreement(converted.predict(rows), found, given, 'the file itself');
  const fromRows =
    sample === undefined
      ? 0
      : requireAgreement(sample.expected, found, given, `the predictions in "${path}"`);
  return {
    rows: count,
    with: sample !== undefined && sample.expected.size > 0 ? 'file' : 'thresholds',
    largestDifference: Math.max(fromFile, fromRows),
    tolerance: TOLERANCE,
  };
}
