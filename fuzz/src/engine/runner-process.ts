/**
 * The process in which a target runs: makes inputs, passes them to the target and reports findings.
 * It may hang, run out of memory or die at any input; the number of the current input is therefore
 * in a file, which the supervisor reads.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { openTarget } from '../targets.ts';
import { signatureOf, type Finding, type RunnerJob, type RunnerReport } from './messages.ts';
import { forgetPeak, peakBytes } from './peak-memory.ts';
import { Random } from './random.ts';
import { DEFAULT_BOUNDS } from './target.ts';

/** Inputs between two turns of the event loop. */
const INPUTS_PER_TURN = 64;
const SMALL_BYTES = 65_536;
const FEW_SEEDS = 100;
const SEED_EVERY = 16;
/** Different findings after which a run ends. */
const MOST_FINDINGS = 20;
/** Enough for the place of a finding. Every refusal is an error too; a replay shows the whole stack. */
const FRAMES = 4;

const job = JSON.parse(process.argv[2] ?? '') as RunnerJob;
const target = await openTarget(job.target);
if (job.files === undefined) Error.stackTraceLimit = FRAMES;
const random = new Random();
const progressFile = openSync(job.progressPath, 'w');
const progress = Buffer.alloc(8);
/** The peak of the memory before the present input. */
let peakNow = peakBytes();
/** Errors that arrive after the call that caused them. */
let stray: unknown;
let hasStray = false;
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    stray = error;
    hasStray = true;
  });
}

/** Milliseconds of processor time of this thread, which a busy machine does not increase. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function report(message: RunnerReport): Promise<void> {
  return new Promise((resolve) => {
    process.send!(message, () => resolve());
  });
}

/**
 * The seeds come first; when there are many, only some of them, so that a short run gets past them.
 */
function seedAt(index: number): Uint8Array | undefined {
  const { seeds } = target;
  if (seeds.length <= FEW_SEEDS) return seeds[index];
  return index % SEED_EVERY === 0 ? seeds[index / SEED_EVERY] : undefined;
}

function inputAt(index: number): Uint8Array {
  const file = job.files?.[index];
  if (file !== undefined) return new Uint8Array(readFileSync(file));
  const seed = seedAt(index);
  if (seed !== undefined) return seed;
  random.reset(job.seed, index);
  return target.structure.mutate(target.seeds, random);
}

/**
 * The finding of an input; `refused` when the target refuses it, `undefined` when it accepts it.
 */
async function verdictOf(
  input: Uint8Array,
): Promise<Omit<Finding, 'index' | 'input'> | 'refused' | undefined> {
  const { bounds: given } = target;
  const bounds = { ...DEFAULT_BOUNDS, ...(typeof given === 'function' ? given(input) : given) };
  const before = peakNow;
  let best = Infinity;
  let failure: unknown;
  let failed = false;
  // The first try may include compilation, or garbage collection for earlier inputs. It is timed by the clock, which
  // never shows less than the processor time and is much cheaper to ask.
  for (let attempt = 0; attempt < 3 && best > bounds.timeMs; attempt++) {
    failed = false;
    hasStray = false;
    const clock = attempt === 0 ? () => performance.now() : cpuMs;
    const begun = clock();
    try {
      const pending = target.run(input);
      if (isPromise(pending)) {
        await pending;
        // Errors that the call left behind arrive in a later turn of the event loop.
        await new Promise(setImmediate);
      }
    } catch (error) {
      failure = error;
      failed = true;
    }
    best = Math.min(best, clock() - begun);
  }
  peakNow = peakBytes();
  if (hasStray) return thrown(stray);
  if (failed && !target.refuses(failure)) return thrown(failure);
  if (best > bounds.timeMs) {
    return { kind: 'slow', message: `took ${Math.round(best)} ms of processor time`, stack: '' };
  }
  const grown = peakNow - before;
  if (grown > bounds.memoryBytes) {
    return { kind: 'memory', message: `took ${Math.round(grown / 2 ** 20)} MiB`, stack: '' };
  }
  return failed ? 'refused' : undefined;
}

function thrown(error: unknown): Omit<Finding, 'index' | 'input'> {
  if (!(error instanceof Error)) return { kind: 'error', message: String(error), stack: '' };
  const message = `${error.name}: ${error.message}`.slice(0, 400);
  return { kind: 'error', message, stack: (error.stack ?? '').slice(0, 4000) };
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

async function fuzz(): Promise<void> {
  const signatures = new Set<string>();
  const deadline = performance.now() + job.seconds * 1000;
  let accepted = 0;
  let peak = 0;
  let index = job.from;
  for (; index < job.to && performance.now() < deadline; index++) {
    if (index % INPUTS_PER_TURN === 0) {
      await new Promise(setImmediate);
      peak = Math.max(peak, peakBytes());
      forgetPeak();
      peakNow = peakBytes();
      if (index % (INPUTS_PER_TURN * 64) === 0) await report({ kind: 'progress', index, accepted });
    }
    progress.writeDoubleLE(index);
    writeSync(progressFile, progress, 0, 8, 0);
    const input = inputAt(index);
    // The making of a large input takes memory, too.
    if (input.byteLength > SMALL_BYTES) peakNow = peakBytes();
    const verdict = await verdictOf(input);
    if (verdict === undefined) accepted++;
    else if (verdict !== 'refused') {
      const signature = signatureOf(verdict);
      if (signatures.has(signature)) continue;
      signatures.add(signature);
      const finding = { ...verdict, index, input: Buffer.from(input).toString('base64') };
      await report({ kind: 'finding', finding });
      if (signatures.size >= MOST_FINDINGS) break;
    }
  }
  await report({ kind: 'done', index, accepted, peakBytes: Math.max(peak, peakBytes()) });
}

if (job.mode === 'make') {
  await report({ kind: 'made', input: Buffer.from(inputAt(job.from)).toString('base64') });
} else await fuzz();
process.exit(0);
