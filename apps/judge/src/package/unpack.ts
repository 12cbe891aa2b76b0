/**
 * Unpacks a zipped problem package (`.zip`, `.kpp`) into a fresh folder.
 *
 * Runs in a separate thread, because the library that reads archives throws from a callback of the
 * file system when a number in the archive is out of range. No caller can catch that. It ends the
 * thread, and becomes a refusal here; in this thread it would end the service.
 */
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SkeinError } from '@skein/api';
import { invalid } from './invalid.ts';
import type { UnpackBounds } from './unpack-archive.ts';
import type { UnpackJob, UnpackReply } from './unpack-worker.ts';

const BOUNDS: UnpackBounds = { maxBytes: 4 * 2 ** 30, maxFiles: 50_000 };
/** MiB of JavaScript heap, for names and offsets of the files. */
const DIRECTORY_MIB = 256;

const WORKER_ENTRY = new URL('./unpack-worker.ts', import.meta.url);

/**
 * @param into an existing, empty folder.
 * @returns the package's folder below it.
 * @throws SkeinError PROBLEM_INVALID.
 */
export function unpackPackage(
  archive: string,
  into: string,
  bounds: UnpackBounds = BOUNDS,
): Promise<string> {
  const refuse = (error: Error) =>
    invalid(basename(archive), `it cannot be unpacked: ${error.message}`);
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER_ENTRY, {
      name: 'skein-unpack',
      workerData: { archive, into, bounds } satisfies UnpackJob,
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: DIRECTORY_MIB },
    });
    worker.once('message', (reply: UnpackReply) => {
      if ('folder' in reply) resolve(reply.folder);
      else reject(new SkeinError('PROBLEM_INVALID', reply.refused));
    });
    worker.once('error', (error) => reject(refuse(error as Error)));
    worker.once('exit', () => reject(refuse(new Error('its reader ended without a result'))));
  });
}
