/** Places where bundles are published, by how they are written: a folder, a bucket, or an address that devices read. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { httpSource, type Source } from '@skein/edge';
import { folderPlace } from '@skein/edge/node';
import type { Place } from '@skein/edge/publish';
import { isBucket, openBucket, type BucketFiles } from '@skein/state/bucket';
import { usageError } from '../command-line/usage.ts';
import type { Context } from '../command-line/command.ts';

const isWeb = (text: string): boolean => /^https?:\/\//i.test(text);

/** @throws SkeinError USAGE for an address that is only read; STORE_UNREACHABLE, STORE_DENIED. */
export async function openPlace(context: Context, text: string): Promise<Place> {
  if (isWeb(text)) {
    throw usageError(`"${text}" can be read only: give a folder, or a bucket as s3://… or gs://….`);
  }
  if (!isBucket(text)) return folderPlace(resolve(context.cwd, text));
  const bucket = await openBucket(text, context.signal);
  context.signal.addEventListener('abort', () => bucket[Symbol.dispose]());
  return bucketPlace(text, bucket);
}

/** @throws SkeinError as `openPlace`. */
export async function openSource(context: Context, text: string): Promise<Source> {
  return isWeb(text) ? httpSource(text) : openPlace(context, text);
}

function bucketPlace(place: string, bucket: BucketFiles): Place {
  return {
    place,
    async read(path, maxBytes) {
      const found = await bucket.read(path);
      if (found === undefined || found.byteLength <= maxBytes)
        return found && new Uint8Array(found);
      throw new SkeinError(
        'EDGE_UNTRUSTED',
        `${path} of ${place} has more than ${maxBytes} bytes.`,
      );
    },
    async write(path, bytes) {
      // A bucket takes files, which it sends in parts.
      const folder = await mkdtemp(join(tmpdir(), 'skein-edge-'));
      try {
        const file = join(folder, 'content');
        await writeFile(file, bytes);
        await bucket.write(path, file);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
