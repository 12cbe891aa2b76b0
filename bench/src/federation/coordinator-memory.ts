/** The coordinator's memory in a round of many sites, each site over a WebSocket of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import type { Kind, Measured, Prepared, Serving } from './coordinator-process.ts';
import { GAIN, takePart } from './coordinator-sites.ts';

const PROGRAM = join(import.meta.dirname, 'coordinator-process.ts');
/** The flags that `skein up` gives its own process. */
const FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=100'];
/** Two hidden layers of this width: 1 M parameters. */
const WIDTH = 998;
/** Sites: masking a million entries for 99 others takes a site a quarter of a second. */
const SITES = { full: 100, quick: 25 };
/** A quick run has no masks. */
const KINDS: Readonly<Record<'full' | 'quick', readonly Kind[]>> = {
  full: ['none', 'pairwise'],
  quick: ['none'],
};

export const COORDINATOR_MEMORY: RowGroup = {
  measures: [
    {
      key: 'coordinator_bytes_ratio',
      what: 'memory that a round adds to the coordinator with its sites connected, 1 M parameters, over 4 bytes a parameter: the larger of a masked and a plain sum of 100 sites (quick: plain, 25 sites)',
      unit: '×',
      target: { atMost: 3 },
    },
  ],
  async measure({ quick, progress }) {
    if (process.platform !== 'linux') return { results: {}, details: {} };
    const mode = quick ? 'quick' : 'full';
    const rounds: Record<string, object> = {};
    let worst = -Infinity;
    for (const kind of KINDS[mode]) {
      progress(`a coordinator of ${SITES[mode]} sites, aggregation ${kind}`);
      const { bytes, parameters } = await playRound(kind, SITES[mode]);
      rounds[kind] = { bytes, parameters, sites: SITES[mode] };
      worst = Math.max(worst, bytes / (4 * parameters));
    }
    return { results: { coordinator_bytes_ratio: worst }, details: { coordinator: rounds } };
  },
};

async function playRound(kind: Kind, sites: number): Promise<Pick<Measured, 'bytes'> & Prepared> {
  const folder = await temporaryFolder();
  const started: ChildProcess[] = [];
  const start = (...parameters: readonly string[]): ChildProcess => {
    const child = fork(PROGRAM, parameters, { execArgv: ['--expose-gc', ...FLAGS] });
    started.push(child);
    return child;
  };
  try {
    const maker = start('prepare', folder.path, String(sites), String(WIDTH), kind);
    const prepared = await next<Prepared>(maker);
    maker.send('end');
    await once(maker, 'exit');
    const child = start('serve', folder.path);
    const { url } = await next<Serving>(child);
    const [last, ...others] = prepared.invitations;
    for (const invitation of others) await takePart(url, invitation, kind);
    child.send('joined');
    await next(child);
    const measured = next<Measured>(child);
    const { promise: trainedFrom, resolve: trained } = Promise.withResolvers<Uint8Array>();
    await takePart(url, last!, kind, trained);
    const { bytes, after } = await measured;
    assertGain(floatsOf(await trainedFrom), floatsOf(readFileSync(after)));
    return { ...prepared, bytes };
  } finally {
    for (const child of started) child.kill();
    await folder.remove();
  }
}

/** Ten standard deviations of a mean of 100 sites, each rounded to a step of .3, a 65,535th of ±10,000 rows. */
const ROUNDING = 0.15;

/** A measurement of a garbled sum is worth nothing. @throws Error where the round has not added what each site did. */
function assertGain(before: Float32Array, after: Float32Array): void {
  const gains = before.map((number, at) => after[at]! - number);
  const wrong = gains.find((gain) => !(Math.abs(gain - GAIN) < ROUNDING));
  if (wrong === undefined && after.length === before.length) return;
  throw new Error(`The round added ${wrong} to a parameter, and each of its sites ${GAIN}.`);
}

const floatsOf = (bytes: Uint8Array): Float32Array =>
  new Float32Array(new Uint8Array(bytes).buffer);

/** The next message of a child. */
async function next<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const exit = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('The coordinator of the measurement has ended.');
  });
  exit.catch(() => {});
  try {
    return await Promise.race([once(child, 'message').then(([message]) => message as T), exit]);
  } finally {
    ended.abort();
  }
}
