/** The thread that unpacks one package. */
import { serve } from '@skein/calls/serve';
import { unpackArchive, type UnpackBounds } from './unpack-archive.ts';

interface UnpackJob {
  readonly archive: string;
  readonly into: string;
  readonly bounds: UnpackBounds;
}

const calls = {
  unpack: ({ archive, into, bounds }: UnpackJob) => unpackArchive(archive, into, bounds),
};
export type UnpackCalls = typeof calls;
serve(calls);
