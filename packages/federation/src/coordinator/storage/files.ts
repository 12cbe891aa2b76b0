/**
 * Parts of files, for the thousands that a round has. By numbers of open files: an object of
 * `node:fs/promises` is a root for a collection of V8's young generation, and so outlives it with all
 * that it refers to.
 */
import { close, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { usedNative } from './garbage.ts';

const files = {
  open: promisify(open),
  read: promisify(read),
  write: promisify(write),
  close: promisify(close),
};

/** Bytes that the requests of one call keep outside of V8's heap until they are collected, and V8 does not count. */
const REQUESTS_BYTES = 4096;
/** Mode of files that only their owner reads. */
const MODE = 0o600;

async function withFile<T>(
  path: string,
  flags: 'a' | 'r',
  use: (file: number) => Promise<T>,
): Promise<T> {
  const file = await files.open(path, flags, MODE);
  try {
    return await use(file);
  } finally {
    await files.close(file);
    usedNative(REQUESTS_BYTES);
  }
}

export function appendTo(path: string, bytes: Uint8Array): Promise<void> {
  return withFile(path, 'a', async (file) => {
    for (let done = 0; done < bytes.length;) {
      done += (await files.write(file, bytes, done, bytes.length - done, null)).bytesWritten;
    }
  });
}

/** @returns how many bytes there were from `at` on: fewer than `into` takes at the end of the file. */
export function readAt(path: string, into: Uint8Array, at: number): Promise<number> {
  return withFile(path, 'r', async (file) => {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await files.read(file, into, done, into.length - done, at + done);
      if (bytesRead === 0) return done;
      done += bytesRead;
    }
    return done;
  });
}
