/**
 * Model files by address, for `skein deploy`: downloaded into the data folder, with the files of
 * weights next to them. A download that broke off stays there, and the same command continues it.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { formatBytes } from '@skein/api/units';
import { externalTensors, readModel } from '@skein/onnx';
import { lockFolder } from '@skein/state/folder-lock';
import { fetchFile, type Source } from '@skein/state/sources';
import { makeDataFolder } from '../connection/connection.ts';
import type { Context } from '../command-line/command.ts';
import { uploadNotes } from './upload.ts';

/** The limit of protocol buffers, and so of the file of a model. */
const MOST_FILE_BYTES = 2 ** 31 - 1;
/** Bytes of a model with its weights. */
const MOST_BYTES = 2 ** 36;
/** Files of weights; exporters write one, or one for each tensor of a layer. */
const MOST_FILES = 1000;

export interface Fetched {
  readonly path: string;
  /** Removes the files. */
  readonly remove: () => Promise<void>;
}

/**
 * @param folder the data folder.
 * @throws SkeinError SOURCE_…, MODEL_UNSUPPORTED, FILE_UNREADABLE, DATA_FOLDER_UNUSABLE.
 */
export async function fetchModel(
  { notes, signal }: Pick<Context, 'notes' | 'signal'>,
  source: Source,
  folder: string,
): Promise<Fetched> {
  const key = createHash('sha256')
    .update(source.address)
    .update(source.revision ?? '');
  const place = join(folder, 'downloads', key.digest('hex').slice(0, 16));
  await makeDataFolder(place);
  const lock = lockFolder(place);
  if (lock === undefined) {
    throw new SkeinError(
      'USAGE',
      `Another process downloads ${source.address}: wait until it ends.`,
    );
  }
  const remove = async (): Promise<void> => {
    lock.release();
    await rm(place, { recursive: true, force: true });
  };
  let received = 0;
  const fetchOne = async (name: string): Promise<string> => {
    const draw = uploadNotes(notes, `Downloading ${name}`);
    let size = 0;
    const path = await fetchFile(source, name, place, {
      maxBytes: name === source.fileName ? MOST_FILE_BYTES : MOST_BYTES - received,
      signal,
      onProgress(bytes, total) {
        size = bytes;
        if (total === undefined) notes.progress(`Downloading ${name} ${formatBytes(bytes)}`);
        else draw(bytes, total);
      },
    });
    received += size;
    return path;
  };
  try {
    const path = await fetchOne(source.fileName);
    const weights = weightsOf(await readFile(path));
    if (weights.size > MOST_FILES) {
      throw new SkeinError(
        'MODEL_UNSUPPORTED',
        `${source.address} keeps its weights in ${weights.size} files; at most ${MOST_FILES} are downloaded. Save the model as one file.`,
      );
    }
    for (const name of weights) await fetchOne(name);
    return { path, remove };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The files next to a model that hold its weights. What is not a model is refused when it is opened. */
function weightsOf(bytes: Uint8Array): ReadonlySet<string> {
  try {
    return new Set(externalTensors(readModel(bytes)).map(({ location }) => location));
  } catch {
    return new Set();
  }
}

/** The sha-256 of what is uploaded, in hex. */
export async function digestOf(content: Blob): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content.stream()) hash.update(chunk);
  return hash.digest('hex');
}

/** @throws SkeinError SOURCE_CHANGED. */
export function requireDigest(found: string, wanted: string, what: string): void {
  if (found === wanted.toLowerCase().replace(/^sha256:/, '')) return;
  throw new SkeinError('SOURCE_CHANGED', `${what} has the sha-256 ${found}, not ${wanted}.`);
}
