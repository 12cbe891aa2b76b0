/**
 * Writes a tar archive in memory, for a trusted program in a sandbox to unpack: regular files and their folders.
 * The format is POSIX ustar, with a pax header where a path does not fit into it.
 */
import { Buffer } from 'node:buffer';
import { SkeinError } from '@skein/api';

const BLOCK = 512;
/** The largest name in a plain header; longer ones take a pax header. */
const NAME_BYTES = 100;

export interface FileToPut {
  /** Relative to the workspace. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly executable?: boolean;
}

/** @throws SkeinError REQUEST_INVALID for a path that leaves the workspace. */
export function archiveOf(files: Iterable<FileToPut>): Uint8Array {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  const entry = (path: string, size: number, mode: number, type: string): void => {
    const name = Buffer.from(path);
    if (name.length > NAME_BYTES) {
      const record = paxRecord('path', name);
      parts.push(header(Buffer.from('pax'), record.length, 0o644, 'x'), padded(record));
    }
    parts.push(header(name.subarray(0, NAME_BYTES), size, mode, type));
  };
  for (const { path, content, executable = false } of files) {
    checkPath(path);
    for (const folder of parentsOf(path)) {
      // Entries for the folders, so that a link in their place is replaced instead of followed.
      if (!folders.has(folder)) entry(`${folder}/`, 0, 0o755, '5');
      folders.add(folder);
    }
    entry(path, content.length, executable ? 0o755 : 0o644, '0');
    parts.push(padded(content));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return Buffer.concat(parts);
}

/** Refuses a path that is not relative and normalised. @throws SkeinError REQUEST_INVALID. */
export function checkPath(path: string): void {
  const segments = path.split('/');
  if (
    segments.some((segment) => segment === '' || segment === '.' || segment === '..') ||
    path.includes('\0')
  ) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `${JSON.stringify(path)} is not a path inside the workspace: relative, without empty parts, "." or ".."`,
    );
  }
}

/** `a/b/c` → `a`, `a/b`. */
export function parentsOf(path: string): string[] {
  const segments = path.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (length !== rest.length + String(length).length)
    length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(name: Uint8Array, size: number, mode: number, type: string): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  block.set(name, 0);
  octal(block, 100, 8, mode);
  octal(block, 108, 8, 0);
  octal(block, 116, 8, 0);
  octal(block, 124, 12, size);
  octal(block, 136, 12, 0);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  // The sum counts its own field as spaces.
  block.fill(' ', 148, 156);
  octal(
    block,
    148,
    7,
    block.reduce((sum, byte) => sum + byte, 0),
  );
  return block;
}

function octal(block: Buffer, at: number, bytes: number, value: number): void {
  block.write(`${value.toString(8).padStart(bytes - 1, '0')}\0`, at, 'latin1');
}

function padded(content: Uint8Array): Uint8Array {
  const padding = (BLOCK - (content.length % BLOCK)) % BLOCK;
  return padding === 0 ? content : Buffer.concat([content, new Uint8Array(padding)]);
}
