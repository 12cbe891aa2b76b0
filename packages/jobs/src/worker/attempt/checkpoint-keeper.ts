/**
 * Keeps a command's checkpoint while it runs, so that the next attempt can resume when the worker
 * is lost. Whenever the command writes `::checkpoint`, the files at its path become the checkpoint of
 * its job.
 *
 *     announced ──► read ──► changed? ──► read again, into artifacts ──► the same? ──► kept
 *                    ▲                no │                                       no │
 *                    └────── pause ◄────┴──────────────────────────────────────────┘
 *
 * The command runs on meanwhile. Two equal reads in a row show the files of one moment between
 * them, so a kept checkpoint is never a mixture of two (the "double collect" of Afek et al., Atomic
 * Snapshots of Shared Memory, 1993). The command has to make sure that its files are a complete
 * checkpoint at each moment: it puts files in place by renaming them.
 *
 * A program with the command's rights reads the files while the command runs, not a program of the
 * worker that may read more: whatever the command does to its files meanwhile, it can only show
 * files that it may read itself.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { collectFiles, type Limits, type SandboxSession } from '@skein/sandbox';
import type { ArtifactStore } from '@skein/state';
import { StaleAttempt, type AttemptTools } from './attempt-tools.ts';
import { keepListing } from './checkpoint.ts';
import { withSpaceForLinks } from './inputs.ts';
import { collectOutputs } from './outputs.ts';

export interface CheckpointKeeper {
  /** The command has announced that its checkpoint is complete. */
  readonly announced: () => void;
  /** Stops keeping: the command has ended. Resolves when no read is running. */
  stop(): Promise<void>;
}

export interface CheckpointKeeperOptions {
  readonly path: string;
  /** Bound of all of its files together. */
  readonly maxBytes: number;
  /** Reads the files until the signal aborts it. */
  readonly collect: (
    path: string,
    maxBytes: number,
    signal: AbortSignal,
  ) => ReturnType<SandboxSession['collect']>;
  /** Waits that long, in milliseconds, or until the signal. Default: a timer. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly tools: Pick<AttemptTools, 'artifacts' | 'lease' | 'saveCheckpoint' | 'note' | 'claim'>;
}

/**
 * The pause after a read, as a multiple of its duration: a command that announces checkpoints all
 * the time costs little.
 */
const PAUSE_FACTOR = 20;
const SHORTEST_PAUSE_MS = 1000;
/** Bytes of a tar file without contents. */
const HEADERS_BYTES = 64 * 2 ** 20;
/** Reads that find changed files each time, before the keeper waits for the next announcement. */
const MAX_READS = 4;

/** Reads a workspace while a command runs in it, with another command of the guest. */
export function collectWhileRunning(
  session: Pick<SandboxSession, 'start'>,
): CheckpointKeeperOptions['collect'] {
  return (path, maxBytes, signal) =>
    collectFiles([path], maxBytes, (argv) => {
      signal.throwIfAborted();
      const reader = session.start({ argv, workspace: 'writable' });
      const kill = (): void => void reader.kill().catch(() => undefined);
      signal.addEventListener('abort', kill, { once: true });
      const removeListener = (): void => signal.removeEventListener('abort', kill);
      reader.ended.then(removeListener, removeListener);
      return reader;
    });
}

/** The limits of a session in which `collectWhileRunning` reads up to its disk. */
export function withSpaceForReading(limits: Limits): Limits {
  const enough = withSpaceForLinks(limits);
  return { ...enough, outputBytes: Math.max(enough.outputBytes, limits.diskBytes + HEADERS_BYTES) };
}

export function keepCheckpoints(options: CheckpointKeeperOptions): CheckpointKeeper {
  const { path, maxBytes, collect, tools, pause = byTheClock } = options;
  const stopped = new AbortController();
  let wanted = false;
  let running: Promise<void> | undefined;
  /** The kept checkpoint, as a listing; undefined: none yet. */
  let kept: string | undefined;

  const read = (artifacts: Pick<ArtifactStore, 'put'>) =>
    collectOutputs(
      { collect: (_, leftBytes) => collect(path, leftBytes, stopped.signal) },
      [{ path, optional: true }],
      maxBytes,
      { artifacts, lease: tools.lease },
    );

  async function keepOnce(): Promise<void> {
    let before = JSON.stringify(await read(HASHING));
    for (let reads = 1; reads < MAX_READS && before !== kept && before !== '[]'; reads++) {
      stopped.signal.throwIfAborted();
      const files = await read(tools.artifacts);
      const found = JSON.stringify(files);
      if (found === before) {
        stopped.signal.throwIfAborted();
        if (await tools.saveCheckpoint(await keepListing(files, tools))) kept = found;
        return;
      }
      before = found;
    }
  }

  async function drain(): Promise<void> {
    while (wanted && !stopped.signal.aborted) {
      wanted = false;
      const began = performance.now();
      try {
        await keepOnce();
      } catch (error) {
        if (stopped.signal.aborted || error instanceof StaleAttempt) return;
        const { id } = tools.claim.job;
        tools.note('warn', 'A checkpoint could not be kept.', { job: id, err: error });
        // Later reads cannot succeed either.
        if (error instanceof SkeinError && error.code === 'SANDBOX_UNSUPPORTED') return;
      }
      const pauseMs = Math.max(SHORTEST_PAUSE_MS, PAUSE_FACTOR * (performance.now() - began));
      await pause(pauseMs, stopped.signal);
    }
    running = undefined;
  }

  return {
    announced() {
      wanted = true;
      if (!stopped.signal.aborted) running ??= drain();
    },
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

async function byTheClock(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Reads content only to compute its digest. */
const HASHING: Pick<ArtifactStore, 'put'> = {
  async put(content) {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
    }
    return { digest: hash.digest('hex'), sizeBytes };
  },
};
