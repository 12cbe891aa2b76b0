/** Unpacks one package, posts its folder or an error, and exits. */
import { parentPort, workerData } from 'node:worker_threads';
import { SkeinError } from '@skein/api';
import { unpackArchive, type UnpackBounds } from './unpack-archive.ts';

export interface UnpackJob {
  readonly archive: string;
  readonly into: string;
  readonly bounds: UnpackBounds;
}

export type UnpackReply = { readonly folder: string } | { readonly refused: string };

async function unpack({ archive, into, bounds }: UnpackJob): Promise<UnpackReply> {
  try {
    return { folder: await unpackArchive(archive, into, bounds) };
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'PROBLEM_INVALID') {
      return { refused: error.message };
    }
    throw error;
  }
}

parentPort?.postMessage(await unpack(workerData as UnpackJob), []);
