/**
 * Writes tar archives for a trusted program in a sandbox to unpack: regular files and their folders.
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

/** @throws SkeinError REQUEST_INVALID for a path that leaves the workspace, or is a folder of another one too. */
export function archiveOf(files: Iterable<FileToPut>): Uint8Array {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  const paths = new Set<string>();
  for (const { path, content, executable = false } of files) {
    paths.add(path);
    parts.push(headersOf({ path, bytes: content.length, executable }, folders));
    parts.push(content, paddingOf(content.length));
  }
  // The program that unpacks them would replace the file by the folder.
  for (const folder of folders) {
    if (!paths.has(folder)) continue;
    const message = `${JSON.stringify(folder)} cannot be both a file and a folder`;
    throw new SkeinError('REQUEST_INVALID', message);
  }
  parts.push(archiveEnd());
  return Buffer.concat(parts);
}

/**
 * The headers before the content of a file: its own, and one for each folder that is not in
 * `folders` yet.
 * @throws SkeinError REQUEST_INVALID for a path that leaves the workspace.
 */
export function headersOf(
  { path, bytes, executable }: { path: string; bytes: number; executable: boolean },
  folders: Set<string>,
): Uint8Array {
  checkPath(path);
  const parts: Uint8Array[] = [];
  for (const folder of parentsOf(path)) {
    // Entries for the folders, so that a link in their place is replaced instead of followed.
    if (!folders.has(folder)) parts.push(entry(`${folder}/`, 0, 0o755, '5'));
    folders.add(folder);
  }
  parts.push(entry(path, bytes, executable ? 0o755 : 0o644, '0'));
  return Buffer.concat(parts);
}

/** The padding after the content of a file of that size. */
export function paddingOf(bytes: number): Uint8Array {
  return new Uint8Array((BLOCK - (bytes % BLOCK)) % BLOCK);
}

export function archiveEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

function entry(path: string, size: number, mode: number, type: string): Uint8Array {
  const name = Buffer.from(path);
  const own = header(name.subarray(0, NAME_BYTES), size, mode, type);
  if (name.length <= NAME_BYTES) return own;
  const record = paxRecord('path', name);
  const before = header(Buffer.from('pax'), record.length, 0o644, 'x');
  return Buffer.concat([before, record, paddingOf(record.length), own]);
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
