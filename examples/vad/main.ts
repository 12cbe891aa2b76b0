/**
 * Prints the segments of a WAV file that contain speech:
 *
 *   npm run -w examples/vad start -- file.wav
 *
 * Segments go to standard output as soon as they are certain, everything else to standard error.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient, SkeinError } from '@skein/api/client';
import { deployExample } from './deploy.ts';
import type { Segment } from './segments.ts';
import { speechSegments } from './vad.ts';
import { WavError } from './wav.ts';

const USAGE = `Usage: npm run -w examples/vad start -- FILE.wav [--json] [--server URL] [--key KEY]

Prints the segments of a WAV file that contain speech, as a node detects them.
The model is deployed first when it is not there.

  --json        Print one JSON array of {startMs, endMs}.
  --server URL  The node (or SKEIN_URL; default http://127.0.0.1:4700).
  --key KEY     API key, where the node asks for one (or SKEIN_KEY).
`;

async function main(): Promise<number> {
  const choice = readArguments();
  if (choice === undefined) return 2;
  if (choice.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  // npm runs scripts in the package's folder; INIT_CWD is where the user is.
  const path = resolve(process.env['INIT_CWD'] ?? process.cwd(), choice.file);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    const wav = await readFile(path);
    const client = createClient({ url: choice.server, key: choice.key });
    const detected = speechSegments(client, wav, { signal: stop.signal });
    await deployExample(client, { onProgress: (line) => process.stderr.write(`${line}\n`) });
    const segments: Segment[] = [];
    for await (const segment of detected) {
      segments.push(rounded(segment));
      if (!choice.json) process.stdout.write(`${lineOf(segment)}\n`);
    }
    if (choice.json) process.stdout.write(`${JSON.stringify(segments)}\n`);
    else process.stderr.write(`${summaryOf(segments)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error, choice.file)}\n`);
    return stop.signal.aborted ? 130 : 1;
  }
}

interface Choice {
  readonly help: boolean;
  readonly file: string;
  readonly json: boolean;
  readonly server: string;
  readonly key: string | undefined;
}

function readArguments(): Choice | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        server: { type: 'string', default: process.env['SKEIN_URL'] ?? 'http://127.0.0.1:4700' },
        key: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const [file, ...rest] = positionals;
    if (!values.help && (file === undefined || rest.length > 0))
      throw new Error('Name one WAV file.');
    return { ...values, file: file ?? '', key: values.key ?? process.env['SKEIN_KEY'] };
  } catch (error) {
    process.stderr.write(
      `error: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`,
    );
    return undefined;
  }
}

function rounded({ startMs, endMs }: Segment): Segment {
  return { startMs: Math.round(startMs), endMs: Math.round(endMs) };
}

function lineOf({ startMs, endMs }: Segment): string {
  return `${clock(startMs)} – ${clock(endMs)}  ${((endMs - startMs) / 1000).toFixed(2)} s`;
}

/** Minutes, seconds and milliseconds. */
function clock(ms: number): string {
  const whole = Math.round(ms);
  const seconds = ((whole % 60_000) / 1000).toFixed(3).padStart(6, '0');
  return `${Math.floor(whole / 60_000)}:${seconds}`;
}

function summaryOf(segments: readonly Segment[]): string {
  if (segments.length === 0) return 'No speech.';
  const spoken = segments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
  return `${segments.length} segments, ${(spoken / 1000).toFixed(2)} s of speech`;
}

function messageOf(error: unknown, file: string): string {
  if (error instanceof SkeinError)
    return `${error.message} (${error.code})\n  fix: ${error.row.fix}`;
  if (error instanceof WavError) return `${file}: ${error.message}`;
  if (error instanceof Error && 'code' in error) return `${file} cannot be read: ${error.message}`;
  throw error;
}

process.exitCode = await main();
