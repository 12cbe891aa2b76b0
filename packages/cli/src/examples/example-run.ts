/** The work of `skein up --example` once the node runs: deploys the example and shows that it answers. */
import { readFile } from 'node:fs/promises';
import type { ErrorBody } from '@skein/api/errors';
import type { Context } from '../command-line/command.ts';
import type { Connection } from '../connection/connection.ts';
import {
  curlFrom,
  exampleFile,
  loadExample,
  pathFrom,
  type EXAMPLES,
  type Sample,
} from './example.ts';
import { pause } from '../pause.ts';
import { usageError } from '../command-line/usage.ts';

export interface ExampleRun {
  readonly name: string;
  readonly request?: {
    readonly curl: string;
    /** The answer of that line: its lines of text, or all of it. */
    readonly answer: readonly string[];
    readonly tookMs: number;
  };
}

/** Deploys the example, then sends its own `curl` line and reads the answer as a person would. */
export async function runExample(
  context: Context,
  connection: Connection | undefined,
  name: (typeof EXAMPLES)[number],
): Promise<ExampleRun> {
  if (connection === undefined) {
    throw usageError(
      '--example calls the node, which requires an API key with the scopes admin, read and infer in SKEIN_KEY, or a client certificate with --cert and --cert-key.',
    );
  }
  const example = await loadExample(name);
  await example.deployExample(connection.client, {
    onProgress: (line) => context.notes.step(`${name}: ${line}`),
  });
  const { sample } = example;
  if (sample === undefined) return { name };
  context.notes.step(`${name}: asking it`);
  const startedAt = performance.now();
  const answer = await sendSample(context, sample, connection, name);
  const tookMs = performance.now() - startedAt;
  const curl = curlFrom(context.cwd, sample, connection);
  return { name, request: { curl, answer, tookMs } };
}

/**
 * Attempts of the sample request: a node that has just started on a busy machine may refuse the
 * first.
 */
const SAMPLE_TRIES = 4;
/** Timeout of the last attempt: its answer is then late, and shown as late. */
const PATIENCE_MS = 30_000;

/** The same request as the example's `curl` line: the file as the one raw input, JSON back. */
async function sendSample(
  context: Context,
  sample: Sample,
  { url, key, fetch }: Connection,
  name: string,
): Promise<string[]> {
  const body = await readFile(exampleFile(sample.image));
  for (let tries = 1; ; tries++) {
    const response = await fetch(`${url}/v2/models/${name}/infer`, {
      method: 'POST',
      headers: {
        'inference-header-content-length': '0',
        accept: 'application/json',
        ...(tries === SAMPLE_TRIES ? { 'skein-timeout-ms': String(PATIENCE_MS) } : {}),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body,
      signal: context.signal,
    });
    const answer = (await response.json()) as Partial<ErrorBody> & {
      readonly outputs?: readonly { readonly name: string; readonly data: readonly unknown[] }[];
    };
    const busy = response.status === 503 || response.status === 504;
    if (!busy || tries === SAMPLE_TRIES) {
      const lines = answer.outputs?.find((output) => output.name === 'text');
      return lines === undefined ? [JSON.stringify(answer)] : lines.data.map(String);
    }
    await pause(Math.min(1000, answer.retryAfterMs ?? 250), context.signal);
  }
}

/** The command to try on the node next. */
export function nextCommand(context: Context, example: ExampleRun | undefined): string {
  if (example === undefined) return `skein deploy model.onnx --name NAME --objective 100ms`;
  if (example.name !== 'ocr') return `skein show ${example.name}`;
  const image = pathFrom(context.cwd, exampleFile('examples/ocr/images/street-sign.jpg'));
  return `skein infer ocr --image ${image}`;
}
