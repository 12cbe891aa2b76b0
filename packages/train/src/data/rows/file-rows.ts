/**
 * Files for rows. A temporary file has no name: it is unlinked as soon as it is open, so that the
 * disk space is freed when the process ends, however it ends.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { dataError } from '../../train-error.ts';
import type { RowStore, RowWriter, StoredBytes } from './stored.ts';

export interface FileStore extends RowStore {
  /** Opens a file of the user, which is read in place. */
  open(path: string): StoredBytes;
  /** Closes all files; their rows can no longer be read. */
  close(): void;
}

/** Bytes that are written at once. */
const WRITTEN = 1 << 20;

/** @param folder for the files of rows; created with the first file. */
export function openRowStore(folder: string, limit: number): FileStore {
  const descriptors = new Set<number>();
  return {
    limit,
    create(bufferBytes = WRITTEN) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, `rows-${process.pid}-${randomBytes(4).toString('hex')}`);
      const descriptor = openSync(path, 'wx+', 0o600);
      descriptors.add(descriptor);
      unlinkSync(path);
      return writerTo(descriptor, bufferBytes);
    },
    release({ descriptor }) {
      if (descriptors.delete(descriptor)) closeSync(descriptor);
    },
    open(path) {
      const descriptor = openSync(path, 'r');
      descriptors.add(descriptor);
      return bytesIn(descriptor, fstatSync(descriptor).size);
    },
    close() {
      for (const descriptor of descriptors) closeSync(descriptor);
      descriptors.clear();
    },
  };
}

/** Bytes of a file that this process has open. */
export function bytesIn(descriptor: number, byteLength: number): StoredBytes {
  return {
    descriptor,
    byteLength,
    read(at, into) {
      for (let done = 0; done < into.byteLength;) {
        const read = readSync(descriptor, into, done, into.byteLength - done, at + done);
        if (read === 0) {
          throw dataError('The file of rows has become shorter while it was read.');
        }
        done += read;
      }
    },
  };
}

function writerTo(descriptor: number, bufferBytes: number): RowWriter {
  const buffer = new Uint8Array(bufferBytes);
  let used = 0;
  let written = 0;
  const write = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.byteLength;) {
      done += writeSync(descriptor, bytes, done, bytes.byteLength - done, written + done);
    }
    written += bytes.byteLength;
  };
  const flush = () => {
    write(buffer.subarray(0, used));
    used = 0;
  };
  return {
    append(bytes) {
      if (used + bytes.byteLength > bufferBytes) flush();
      if (bytes.byteLength > bufferBytes) return write(bytes);
      buffer.set(bytes, used);
      used += bytes.byteLength;
    },
    finish() {
      flush();
      return bytesIn(descriptor, written);
    },
  };
}
