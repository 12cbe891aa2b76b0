/**
 * Runs a target in a process of its own, restarts it after every input at which it hangs or dies,
 * and collects the findings.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signatureOf, type Finding, type RunnerJob, type RunnerReport } from './messages.ts';

const RUNNER = new URL('./runner-process.ts', import.meta.url);
const HANG_MS = 10_000;
/** The same before the first input: a node starts first. */
const START_MS = 60_000;
/** The same for a target that uses no processor time because it waits for an event. */
const IDLE_MS = 120_000;
const LOOK_MS = 250;
/** MiB of JavaScript objects. */
const HEAP_MIB = 1024;
/** Hangs and crashes after which a run ends: each costs seconds. */
const MOST_RESTARTS = 10;
const REPLAY_SECONDS = 600;

export interface RunOptions {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
  readonly progress?: (inputs: number) => void;
  /** Inputs to try instead of generated ones. */
  readonly files?: readonly string[];
  /** Milliseconds of processor time without a new input after which the target counts as hung; default 10 s. */
  readonly hangMs?: number;
}

export interface RunResult {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  /** Inputs that were accepted: shows that the target is reached. */
  readonly accepted: number;
  readonly seconds: number;
  /** The largest resident set of the process. */
  readonly peakBytes: number;
  readonly findings: readonly Finding[];
}

export async function fuzzTarget(options: RunOptions): Promise<RunResult> {
  const { hangMs = HANG_MS } = options;
  const begun = performance.now();
  /** Seconds of the run that are left; opening the target does not count. */
  let left = options.seconds;
  const findings: Finding[] = [];
  const known = new Set<string>();
  const add = (finding: Finding) => {
    if (known.has(signatureOf(finding))) return;
    known.add(signatureOf(finding));
    findings.push(finding);
  };
  let [from, accepted, peakBytes] = [0, 0, 0];
  for (
    let restarts = 0;
    restarts <= MOST_RESTARTS && from < options.inputs && left > 0;
    restarts++
  ) {
    const job = { ...options, mode: 'fuzz', from, to: options.inputs, seconds: left } as const;
    const before = accepted;
    const jobBegun = performance.now();
    const ended = await runOnce(job, hangMs, (report) => {
      if (report.kind === 'finding') add(report.finding);
      else if (report.kind !== 'made') {
        accepted = before + report.accepted;
        options.progress?.(report.index);
        if (report.kind === 'done') peakBytes = Math.max(peakBytes, report.peakBytes);
      }
    });
    if (ended.kind === 'done') {
      from = ended.index;
      break;
    }
    add({ ...ended, input: await madeAgain({ ...job, from: ended.index }) });
    from = ended.index + 1;
    left -= (performance.now() - jobBegun) / 1000;
  }
  const seconds = (performance.now() - begun) / 1000;
  return {
    target: options.target,
    seed: options.seed,
    inputs: from,
    accepted,
    seconds,
    peakBytes,
    findings,
  };
}

/** The findings of inputs in files; a finding names its input by the index in the list. */
export async function replayInputs(
  target: string,
  files: readonly string[],
): Promise<readonly Finding[]> {
  const options = { target, seed: 0, inputs: files.length, seconds: REPLAY_SECONDS, files };
  return (await fuzzTarget(options)).findings;
}

async function madeAgain(job: Omit<RunnerJob, 'mode' | 'progressPath'>): Promise<string> {
  let input = '';
  await runOnce({ ...job, mode: 'make' }, HANG_MS, (report) => {
    if (report.kind === 'made') input = report.input;
  });
  return input;
}

type Ended = { readonly kind: 'done'; readonly index: number } | Omit<Finding, 'input'>;

async function runOnce(
  job: Omit<RunnerJob, 'progressPath'>,
  hangMs: number,
  onReport: (report: RunnerReport) => void,
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-fuzz-'));
  const progressPath = join(folder, 'input');
  try {
    const argument = JSON.stringify({ ...job, progressPath } satisfies RunnerJob);
    const child = fork(RUNNER, [argument], {
      execArgv: [`--max-old-space-size=${HEAP_MIB}`, '--max-semi-space-size=16', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    return await watched(child, progressPath, hangMs, onReport);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Follows the process until it ends or must be ended. */
async function watched(
  child: ChildProcess,
  progressPath: string,
  hangMs: number,
  onReport: (report: RunnerReport) => void,
): Promise<Ended> {
  let last: Ended | undefined;
  let words = '';
  child.stderr!.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-4000)));
  child.on('message', (report: RunnerReport) => {
    onReport(report);
    if (report.kind === 'done') last = { kind: 'done', index: report.index };
    if (report.kind === 'made') last = { kind: 'done', index: 0 };
  });
  let [seen, since, used] = [-1, performance.now(), 0];
  let hung = false;
  const timer = setInterval(() => {
    const index = indexIn(progressPath);
    const now = performance.now();
    if (index !== seen) [seen, since, used] = [index, now, cpuMsOf(child.pid)];
    const busy = cpuMsOf(child.pid) - used > (seen < 0 ? START_MS : hangMs);
    if (last === undefined && (busy || now - since > IDLE_MS)) {
      hung = true;
      child.kill('SIGKILL');
    }
  }, LOOK_MS);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  clearInterval(timer);
  if (last !== undefined) return last;
  const index = indexIn(progressPath);
  if (index < 0) throw new Error(`The target could not be opened: ${words}`);
  const how = hung
    ? `no end after ${hangMs} ms of processor time`
    : `the process ended with ${signal ?? `exit code ${code}`}`;
  return { kind: hung ? 'hang' : 'crash', message: how, stack: words, index };
}

/** Milliseconds of processor time of a process, as Linux counts them; elsewhere only waiting counts. */
function cpuMsOf(pid = 0): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return 0;
  }
}

/** USER_HZ is 100 on every platform that Node runs on. */
const MS_PER_TICK = 10;

/** The number of the input that is being tried; −1 before the first. */
function indexIn(path: string): number {
  try {
    const bytes = readFileSync(path);
    return bytes.length === 8 ? bytes.readDoubleLE() : -1;
  } catch {
    return -1;
  }
}
