/**
 * One attempt of a command: opens a sandbox with the inputs mounted read-only, runs the program,
 * and stores its outputs as artifacts.
 *
 *   choose → mount inputs → open → restore checkpoint → run ─┬─► collect outputs
 *                                                   │        └─► keep checkpoint (preempted, failed)
 *                                                   └─► keep checkpoint, when it announces one
 */
import { Readable } from 'node:stream';
import type { Ending, Limits, RunningCommand, SandboxDriver, SandboxSession } from '@skein/sandbox';
import type { Claim, Outcome } from '../../contract.ts';
import type { CommandWork } from '../../work.ts';
import { refuseStale, type AttemptTools } from './attempt-tools.ts';
import { collectWhileRunning, keepCheckpoints, withSpaceForReading } from './checkpoint-keeper.ts';
import { keepCheckpoint, restoreCheckpoint } from './checkpoint.ts';
import { chooseSandbox, networkOf } from '../choose-sandbox.ts';
import { readGuestLines } from './guest-lines.ts';
import { mountInputs, withSpaceForLinks } from './inputs.ts';
import { limitsOf } from '../limits.ts';
import { failureFrom, failureOf, isOfCommand, refusal, type Failure } from './outcome.ts';
import { collectOutputs } from './outputs.ts';

/** @throws StaleAttempt when the lease ended; SkeinError of the driver and the artifacts. */
export async function attemptCommand(
  work: CommandWork,
  drivers: readonly SandboxDriver[],
  tools: AttemptTools,
): Promise<Outcome> {
  const { claim, lease, log, artifacts, sandboxes, trusts } = tools;
  const choice = chooseSandbox(work, sandboxes, trusts);
  if ('refused' in choice) return refusal(choice.refused);
  const driver = drivers.find(({ name }) => name === choice.chosen)!;
  const availability = await driver.availability();
  if (!availability.available) return refusal(`${availability.reason} ${availability.fix}`);
  const { enforcement } = availability;
  const trusted = work.trusted === true;
  const limits = limitsOf(work.limits, claim.job.resources, enforcement, trusted);

  const inputs = await mountInputs(work.inputs, driver.name, artifacts);
  // Check it now: a command would take an unreadable file for an empty stdin.
  if (work.stdin !== undefined) await artifacts.pathOf(work.stdin);
  refuseStale(lease);
  const { job, token, attempt } = claim;
  const opened = driver.open({
    image: work.image,
    mounts: inputs.mounts,
    limits: sessionLimits(work, limits),
    network: networkOf(work, trusted, enforcement.network.none),
    report: (what) => void log.write(Buffer.from(`${what}\n`)),
    untrusted: !trusted,
    attempt: { job: job.id, number: attempt, token, priority: job.priority, gang: job.gang },
    signal: AbortSignal.any([lease.ended, lease.preempted]),
  });
  const session = await opened.catch((error: unknown) => {
    if (lease.preempted.aborted) return undefined;
    throw error;
  });
  if (session === undefined) return preempted('Preempted before it had a place in the cluster.');
  try {
    await inputs.link(session);
    if (claim.job.checkpoint !== undefined && work.checkpoint !== undefined) {
      await restoreCheckpoint(session, claim.job.checkpoint, tools);
    }
    refuseStale(lease);
    const lastWords = createLastWords();
    const running = session.start({
      argv: work.argv,
      env: { ...work.env, ...gangEnvironment(claim, session.master) },
      workspace: 'writable',
      limits,
      ...(work.stdin === undefined
        ? {}
        : { stdin: Readable.from(artifacts.read(work.stdin), { objectMode: false }) }),
    });
    const keeper =
      work.checkpoint === undefined
        ? undefined
        : keepCheckpoints({
            path: work.checkpoint,
            maxBytes: limits.diskBytes,
            collect: collectWhileRunning(session),
            tools,
          });
    let ending: Ending;
    try {
      ending = await watch(running, tools, lastWords.take, () => keeper?.announced());
    } finally {
      await keeper?.stop();
    }
    refuseStale(lease);

    if (lease.preempted.aborted) {
      const kept = await keep(session, work, limits.diskBytes, tools);
      const message = kept
        ? 'Preempted; its checkpoint is kept.'
        : 'Preempted, without a checkpoint.';
      return { ...preempted(message), usage: { ...ending.usage } };
    }
    const failed = async (failure: Failure): Promise<Failure> => {
      await keep(session, work, limits.diskBytes, tools);
      // By the caller's word a retry would fail again; a lost worker is retried all the same.
      const final = work.retryFailure === false;
      return final ? { ...failure, retryable: false } : failure;
    };
    const failure = failureOf(ending, work.argv[0]!, limits, lastWords.text());
    if (failure !== undefined) return await failed(failure);
    const { exitCode, usage } = ending;
    try {
      const outputs = await collectOutputs(session, work.outputs, limits.diskBytes, tools);
      return { kind: 'succeeded', result: { value: { exitCode }, outputs }, usage: { ...usage } };
    } catch (error) {
      // Other errors belong to the sandbox or the store.
      if (!isOfCommand(error)) throw error;
      return await failed({ ...failureFrom(error), usage: { ...usage } });
    }
  } finally {
    await session.close();
  }
}

function preempted(message: string): Failure {
  return { kind: 'failed', cause: 'preempted', message, retryable: true };
}

/**
 * Programs of the worker that run before or during the command may need more than the command may
 * have.
 */
function sessionLimits(work: CommandWork, limits: Limits): Limits {
  if (work.checkpoint !== undefined) return withSpaceForReading(limits);
  return work.inputs.length === 0 ? limits : withSpaceForLinks(limits);
}

/**
 * Reads the output, and stops the command when its lease ends; resolves when all processes are dead
 * and all output is read.
 */
async function watch(
  running: RunningCommand,
  { lease, log, progress, graceMs }: AttemptTools,
  take: (chunk: Uint8Array) => void,
  onCheckpoint: () => void,
): Promise<Ending> {
  let killer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    void running.kill().catch(() => undefined);
  };
  const stop = (): void => {
    running.signal('SIGTERM');
    killer = setTimeout(kill, graceMs);
  };
  lease.ended.addEventListener('abort', kill, { once: true });
  lease.preempted.addEventListener('abort', stop, { once: true });
  if (lease.ended.aborted) kill();
  else if (lease.preempted.aborted) stop();

  const lines = readGuestLines({ onProgress: progress.report, onCheckpoint });
  const out = async (): Promise<void> => {
    for await (const chunk of running.stdout) await log.write(chunk as Uint8Array);
  };
  const errors = async (): Promise<void> => {
    for await (const chunk of running.stderr) {
      const rest = lines.pass(chunk as Uint8Array);
      take(rest);
      await log.write(rest);
    }
    await log.write(lines.flush());
  };
  try {
    const [ending] = await Promise.all([running.ended, out(), errors()]);
    return ending;
  } finally {
    clearTimeout(killer);
    lease.ended.removeEventListener('abort', kill);
    lease.preempted.removeEventListener('abort', stop);
  }
}

/** A failed checkpoint costs work, not the outcome. */
async function keep(
  session: SandboxSession,
  work: CommandWork,
  maxBytes: number,
  tools: AttemptTools,
): Promise<boolean> {
  if (work.checkpoint === undefined) return false;
  try {
    const digest = await keepCheckpoint(session, work.checkpoint, maxBytes, tools);
    return digest !== undefined && (await tools.saveCheckpoint(digest));
  } catch (error) {
    refuseStale(tools.lease);
    tools.note('warn', 'A checkpoint could not be kept.', { job: tools.claim.job.id, err: error });
    return false;
  }
}

/**
 * The variables by which the members of a gang find each other; PyTorch and other frameworks read
 * them.
 * @param placed where rank 0 is, when the sandbox has an address of its own; else on its worker.
 */
function gangEnvironment(
  { job, master }: Claim,
  placed: SandboxSession['master'],
): Readonly<Record<string, string>> {
  const at = placed ?? master;
  if (job.gang === undefined || at === undefined) return {};
  return {
    MASTER_ADDR: at.host,
    MASTER_PORT: String(at.port),
    RANK: String(job.gang.rank),
    WORLD_SIZE: String(job.gang.size),
  };
}

const KEPT_BYTES = 2048;
const MAX_CHARACTERS = 300;

/** Returns the last line that a program wrote to stderr: usually the reason why it failed. */
export function createLastWords() {
  let tail = Buffer.alloc(0);
  return {
    take: (chunk: Uint8Array): void => {
      tail = Buffer.concat([tail, chunk.subarray(-KEPT_BYTES)]).subarray(-KEPT_BYTES);
    },
    text(): string {
      const lines = tail.toString().split('\n');
      const last = lines.findLast((line) => line.trim() !== '') ?? '';
      return last.trim().slice(0, MAX_CHARACTERS);
    },
  };
}
