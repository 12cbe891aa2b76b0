/**
 * Estimators of scikit-learn in a pickle or a file of joblib. A pickle runs code when it is read, so that a script reads
 * it in a sandbox. The description that comes out becomes the graph, and is compared with the predictions of
 * scikit-learn for rows that the script draws, or for the user's rows.
 */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import { safeLine } from '@skein/api/safe-text';
import { OnnxError, writeModel } from '@skein/onnx';
import {
  convertSklearn,
  SKLEARN_SCRIPT,
  TOLERANCE,
  type ConvertedEstimator,
} from '@skein/onnx/convert';
import type { Context } from '../../command-line/command.ts';
import { requireAgreement, runConverted, type ConvertedFile } from '../comparison.ts';
import { codeOf } from '../model-file.ts';
import { findPython, type PythonPackage } from './machine-python.ts';
import { pythonInSandbox, type ConversionLimits } from './python-in-sandbox.ts';

/** First bytes of pickles from protocol 2 on, and of the compressions of joblib. */
const HEADS: Readonly<Record<string, readonly string[]>> = {
  pickle: ['8002', '8003', '8004', '8005'],
  zlib: ['7801', '785e', '789c', '78da'],
  gzip: ['1f8b'],
  bzip2: ['425a68'],
  xz: ['fd377a585a00'],
  lzma: ['5d0000'],
  lz4: ['04224d18'],
};
/** Files of torch.save before version 1.6 begin with this number, pickled. */
const TORCH_HEAD = '80028a0a6cfc9c46';
const PACKAGES: readonly PythonPackage[] = [
  { module: 'sklearn', debian: 'python3-sklearn', pip: 'scikit-learn' },
  { module: 'joblib', debian: 'python3-joblib', pip: 'joblib' },
];
const ROWS = 'rows.csv';
/** For texts that a hostile pickle may have written. */
const MOST_NOTES = 20;
const TEXT_CHARACTERS = 300;

/** Whether a file begins as a pickle does. Pickles of other programs do too. */
export function isPickle(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  return (
    head !== TORCH_HEAD &&
    Object.values(HEADS)
      .flat()
      .some((each) => head.startsWith(each))
  );
}

/**
 * @param given the path as the user wrote it. @param rows a CSV file of sample rows.
 * @throws SkeinError SANDBOX_UNAVAILABLE, CONVERTER_MISSING, CONVERSION_LIMIT, CONVERSION_FAILED, CONVERSION_DIFFERS,
 *   MODEL_FILE_INVALID, MODEL_UNSUPPORTED.
 */
export async function convertedEstimator(
  context: Pick<Context, 'env' | 'notes' | 'signal'>,
  file: Uint8Array,
  given: string,
  rows: string | undefined,
  limits: Partial<ConversionLimits> = {},
): Promise<ConvertedFile> {
  const files = new Map<string, Uint8Array>();
  for (const { name, url } of SKLEARN_SCRIPT.modules) files.set(name, await readFile(url));
  if (rows !== undefined) files.set(ROWS, await rowsOf(rows));
  const outcome = await pythonInSandbox(context, {
    python: await findPython(context.env, PACKAGES, ['pandas']),
    packages: PACKAGES,
    script: SKLEARN_SCRIPT.main,
    files,
    options: rows === undefined ? {} : { rows: ROWS },
    input: file,
    given,
    outputs: ['output'],
    limits,
  });
  const converted = reading(outcome.files.get('output')!, given);
  const bytes = writeModel(converted.model) as Uint8Array<ArrayBuffer>;
  const { source, objective, trees, features, notes } = converted;
  return {
    content: new Blob([bytes]),
    metadata: { source: shown(source), objective: shown(objective) },
    conversion: {
      source: shown(source),
      objective: shown(objective),
      ...(trees === 0 ? {} : { trees }),
      features,
      sandbox: outcome.sandbox,
      notes: notes.slice(0, MOST_NOTES).map(shown),
      compared: await compare(converted, bytes, given, rows, context.signal),
    },
  };
}

const shown = (text: string): string => safeLine(text).slice(0, TEXT_CHARACTERS);

async function rowsOf(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

function reading(document: Uint8Array, given: string): ConvertedEstimator {
  try {
    return convertSklearn(document);
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw new SkeinError(codeOf(error), `"${given}": ${error.message}`, { cause: error });
  }
}

async function compare(
  converted: ConvertedEstimator,
  bytes: Uint8Array,
  given: string,
  path: string | undefined,
  signal: AbortSignal,
): Promise<ConvertedFile['conversion']['compared']> {
  const found = await runConverted(bytes, converted.rows, given, signal);
  const { expected, given: predictions, source, rowCount } = converted;
  const fromProgram = requireAgreement(expected, found, given, `the predictions of ${source}`);
  const fromRows = requireAgreement(predictions, found, given, `the predictions in "${path}"`);
  return {
    rows: rowCount,
    with: predictions.size > 0 ? 'file' : 'program',
    largestDifference: Math.max(fromProgram, fromRows),
    tolerance: TOLERANCE,
  };
}
