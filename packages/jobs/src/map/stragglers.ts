/**
 * Chooses the pieces of a stage that are worth a second copy: pieces that run far longer than the others did,
 * at the end of the stage, where workers are idle. A slow disk or a busy neighbour then delays a
 * stage by no more than the piece takes elsewhere.
 *
 * A piece that is merely larger is copied too. That wastes capacity that is idle, never a result.
 *
 * Follows the backup tasks of MapReduce (OSDI 2004, §3.6).
 */
import type { Resources } from './map-input.ts';

/** A piece in the view of its last attempt. */
export interface PieceRun {
  readonly state: 'waiting' | 'running' | 'ended';
  /** Milliseconds that the attempt has taken so far; absent where there is none, as for a kept result. */
  readonly ms?: number | undefined;
  /** The worker of the attempt. */
  readonly worker?: string | undefined;
  readonly hasCopy: boolean;
}

export interface FreeWorker {
  readonly worker: string;
  /** The capacity that is left. */
  readonly free: Resources;
}

/** Time of a piece over the median of the pieces that have ended. */
const TIMES = 2;
/** A shorter piece would end before its copy has begun. */
const LEAST_MS = 5000;

/** @returns indexes of the pieces, the longest first; none until more than half of the pieces have ended. */
export function stragglers(pieces: readonly PieceRun[]): number[] {
  const ended = pieces.filter(({ state }) => state === 'ended');
  if (2 * ended.length <= pieces.length) return [];
  const times = ended.flatMap(({ ms }) => (ms === undefined ? [] : [ms])).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)];
  if (median === undefined) return [];
  const limit = Math.max(LEAST_MS, TIMES * median);
  const timeOf = (index: number): number => pieces[index]!.ms ?? 0;
  return [...pieces.keys()]
    .filter((index) => {
      const { state, hasCopy } = pieces[index]!;
      return state === 'running' && !hasCopy && timeOf(index) > limit;
    })
    .sort((a, b) => timeOf(b) - timeOf(a));
}

/**
 * @param late from `stragglers`.
 * @returns the pieces for which another worker than their own has capacity.
 */
export function copied(
  late: readonly number[],
  pieces: readonly PieceRun[],
  resources: Resources,
  workers: readonly FreeWorker[],
): number[] {
  const left = workers.map(({ worker, free }) => ({ worker, ...free }));
  return late.filter((index) => {
    const place = left.find(
      ({ worker, cores, memoryBytes }) =>
        worker !== pieces[index]!.worker &&
        cores >= resources.cores &&
        memoryBytes >= resources.memoryBytes,
    );
    if (place === undefined) return false;
    place.cores -= resources.cores;
    place.memoryBytes -= resources.memoryBytes;
    return true;
  });
}
