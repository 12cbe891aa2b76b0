/**
 * Unpacks a zipped problem package (`.zip`, `.kpp`) into a fresh folder.
 *
 * Runs in a separate thread, because the library that reads archives throws from a callback of the
 * file system when a number in the archive is out of range. No caller can catch that. It ends the
 * thread, and becomes a refusal here; in this thread it would end the service.
 */
import { basename } from 'node:path';
import { SkeinError } from '@skein/api';
import { startOnDemand, startThread, WorkerLost, withWorker } from '@skein/calls';
import { invalid } from '../invalid.ts';
import type { UnpackBounds } from './unpack-archive.ts';
import type { UnpackCalls } from './unpack-worker.ts';

const BOUNDS: UnpackBounds = { maxBytes: 4 * 2 ** 30, maxFiles: 50_000 };
/** MiB of JavaScript heap, for names and offsets of the files. */
const DIRECTORY_MIB = 256;

const WORKER_ENTRY = new URL('./unpack-worker.ts', import.meta.url);

/** A thread that unpacks one archive after the other, and is started again after one that ended it. */
export interface Unpacker {
  /**
   * @param into an existing, empty folder.
   * @returns the package's folder below it.
   * @throws SkeinError PROBLEM_INVALID.
   */
  unpack(archive: string, into: string): Promise<string>;
  stop(): Promise<void>;
}

export function openUnpacker(bounds: UnpackBounds = BOUNDS): Unpacker {
  const threads = startOnDemand(() =>
    startThread<UnpackCalls>(WORKER_ENTRY, {
      name: 'skein-unpack',
      errors: [SkeinError],
      env: {},
      heapMib: DIRECTORY_MIB,
    }),
  );
  return {
    async unpack(archive, into) {
      try {
        return await threads.get().call('unpack', { archive, into, bounds });
      } catch (error) {
        if (error instanceof SkeinError && error.code === 'PROBLEM_INVALID') throw error;
        const reason = error instanceof WorkerLost ? (error.cause ?? error) : error;
        const message = reason instanceof Error ? reason.message : String(reason);
        throw invalid(basename(archive), `it cannot be unpacked: ${message}`);
      }
    },
    stop: () => threads.stop(),
  };
}

/** Unpacks one archive in a thread of its own. @throws SkeinError PROBLEM_INVALID. */
export function unpackPackage(
  archive: string,
  into: string,
  bounds: UnpackBounds = BOUNDS,
): Promise<string> {
  return withWorker(openUnpacker(bounds), (unpacker) => unpacker.unpack(archive, into));
}
