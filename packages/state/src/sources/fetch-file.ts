/**
 * Downloads a file of a source into a folder, and continues where an earlier download ended.
 *
 * `NAME.part` holds the bytes so far, and `NAME.part.tag` the entity tag under which they came. A
 * download continues only while the server still has this tag. It asks for the last byte again, so
 * that a file that is complete is checked too.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unwritable } from '@skein/api/file-errors';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import { pause } from '../artifacts/gcs-requests.ts';
import { FOLDER_MODE } from '../disk/private-files.ts';
import type { Opened, Source } from './source.ts';

export interface FetchOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** @param totalBytes undefined where the server does not state it. */
  readonly onProgress: (receivedBytes: number, totalBytes: number | undefined) => void;
}

/** How often a download may break without a byte of progress in between. */
const BREAKS = 3;

/** @returns the path. @throws SkeinError SOURCE_…, MODEL_UNSUPPORTED (too large), FILE_UNREADABLE. */
export async function fetchFile(
  source: Source,
  name: string,
  folder: string,
  options: FetchOptions,
): Promise<string> {
  const { signal } = options;
  const path = join(folder, name);
  const part = `${path}.part`;
  const tagFile = `${part}.tag`;
  await makeFolders(dirname(path), FOLDER_MODE).catch((error: unknown) => {
    throw unwritable(dirname(path), error);
  });
  let digest: string | undefined;
  for (let breaks = 0; ;) {
    const before = await sizeOf(part);
    try {
      const tag = await readFile(tagFile, 'utf8').catch(() => undefined);
      const start = tag === undefined ? 0 : Math.max(0, before - 1);
      const opened = await source.open(name, { start, tag }, signal);
      digest = opened.digest;
      await receive(opened, name, part, tagFile, options);
      break;
    } catch (error) {
      if (error instanceof SkeinError || signal.aborted) throw error;
      if (isOfDisk(error)) throw unwritable(part, error);
      breaks = (await sizeOf(part)) > before ? 1 : breaks + 1;
      if (breaks <= BREAKS) {
        await pause(breaks);
        continue;
      }
      throw new SkeinError(
        'SOURCE_UNREACHABLE',
        `${source.address}: the download of ${name} broke off after ${await sizeOf(part)} bytes: ${(error as Error).message}.`,
        { cause: error },
      );
    }
  }
  if (digest !== undefined) await requireDigest(part, digest, source.address);
  await rename(part, path);
  await rm(tagFile, { force: true });
  return path;
}

async function receive(
  { start, tag, totalBytes, body }: Opened,
  name: string,
  part: string,
  tagFile: string,
  { maxBytes, onProgress }: FetchOptions,
): Promise<void> {
  const requireSize = (bytes: number): void => {
    if (bytes <= maxBytes) return;
    throw new SkeinError(
      'MODEL_UNSUPPORTED',
      `${name} has at least ${bytes} bytes; ${maxBytes} are taken. Export the model with its weights in files of their own, or with float16 weights.`,
    );
  };
  requireSize(totalBytes ?? 0);
  const file = await open(part, 'a', 0o600);
  let at = start;
  try {
    // A part without its tag is never continued.
    if (tag === undefined) await rm(tagFile, { force: true });
    else await writeFile(tagFile, tag, { mode: 0o600 });
    await file.truncate(start);
    for await (const chunk of body) {
      requireSize(at + chunk.byteLength);
      await file.appendFile(chunk);
      at += chunk.byteLength;
      onProgress(at, totalBytes);
    }
    if (totalBytes !== undefined && at !== totalBytes) {
      throw new Error(`${at} of ${totalBytes} bytes arrived`);
    }
  } finally {
    await file.close();
  }
}

/** The digest that the server states. @throws SkeinError SOURCE_CHANGED; the bytes are removed. */
async function requireDigest(path: string, stated: string, address: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const found = hash.digest('hex');
  if (found === stated) return;
  await rm(path);
  throw new SkeinError(
    'SOURCE_CHANGED',
    `${address}: the server states the sha-256 ${stated}, but what arrived has ${found}.`,
  );
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function isOfDisk(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return [
    'ENOSPC',
    'EACCES',
    'EROFS',
    'EDQUOT',
    'EISDIR',
    'ENOTDIR',
    'EEXIST',
    'ENAMETOOLONG',
  ].includes(code);
}
