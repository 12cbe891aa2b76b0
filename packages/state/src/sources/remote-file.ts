/**
 * Ranges of a file that lies in a bucket or on a server. Each answer must have the identity and the size
 * under which the file was found, so that bytes of two versions never meet. A range that breaks off is
 * continued where it ended.
 */
import { SkeinError } from '@skein/api/errors';
import { pause } from '../artifacts/gcs-requests.ts';
import { unknownSource, type Source } from './source.ts';

export interface RemoteFile {
  readonly address: string;
  readonly sizeBytes: number;
  /** Differs after a change. */
  readonly identity: string;
}

/** Bytes of a file, end exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** How often a range may break off without a byte of progress in between. */
const BREAKS = 3;

/** @throws SkeinError SOURCE_…: of a server, also where it states no size, or nothing that changes with the file. */
export async function describeFile(
  source: Source,
  address: string,
  signal: AbortSignal,
): Promise<RemoteFile> {
  const first = { start: 0, tag: undefined, end: 1 };
  const opened = await retried(
    source.address,
    () => 0,
    () => source.open(source.fileName, first, signal),
    signal,
  );
  const { totalBytes, identity, body } = opened;
  abandon(body);
  if (totalBytes === undefined) throw unknownSource(source.address, 'has no size that is stated');
  if (identity === undefined) {
    throw unknownSource(
      source.address,
      'has neither an entity tag nor a time of change, so a change would not be noticed: download it first',
    );
  }
  return { address, sizeBytes: totalBytes, identity };
}

/**
 * Receives a range, or the whole file where the server sends no ranges.
 * @param write receives bytes with their place in the file.
 * @returns what was received. @throws SkeinError SOURCE_CHANGED, SOURCE_UNREACHABLE and others; what `write` throws.
 */
export async function fetchRange(
  source: Source,
  { sizeBytes, identity }: RemoteFile,
  range: ByteRange,
  write: (at: number, bytes: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<ByteRange> {
  let at = range.start;
  let received = range;
  await retried(
    source.address,
    () => at,
    async () => {
      const from = { start: at, tag: undefined, end: range.end };
      const opened = await source.open(source.fileName, from, signal);
      const { body, start, totalBytes } = opened;
      try {
        if (opened.identity !== identity || (totalBytes ?? sizeBytes) !== sizeBytes) {
          throw changed(source.address);
        }
        const isWhole = start !== at;
        const end = isWhole ? sizeBytes : range.end;
        let place = start;
        for await (const bytes of body) {
          if (place + bytes.byteLength > end && !isPastRange(start, totalBytes, end)) {
            throw unknownSource(source.address, `sends more than ${end - start} bytes`);
          }
          const wanted = bytes.subarray(0, end - place);
          await write(place, wanted).catch((error: unknown) => {
            throw new WriteFailed(error);
          });
          place += wanted.byteLength;
          if (!isWhole) at = place;
          if (wanted.byteLength < bytes.byteLength) break;
        }
        if (place < end) throw new Error(`${place} of ${end} bytes arrived`);
        if (isWhole) received = { start: 0, end: sizeBytes };
      } finally {
        abandon(body);
      }
    },
    signal,
  );
  return received;
}

/** A server without ranges sends the rest of the file too. */
const isPastRange = (start: number, total: number | undefined, end: number): boolean =>
  start === 0 && total !== undefined && total > end;

class WriteFailed extends Error {
  constructor(cause: unknown) {
    super('The bytes cannot be written.', { cause });
  }
}

/** @param progress grows while bytes arrive: only breaks without any are counted. */
async function retried<T>(
  address: string,
  progress: () => number,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  for (let breaks = 0; ;) {
    const before = progress();
    try {
      return await work();
    } catch (error) {
      if (error instanceof WriteFailed) throw error.cause;
      if (error instanceof SkeinError || signal.aborted) throw error;
      breaks = progress() > before ? 1 : breaks + 1;
      if (breaks > BREAKS) {
        const why = (error as Error).message;
        throw new SkeinError('SOURCE_UNREACHABLE', `"${address}" broke off: ${why}.`, {
          cause: error,
        });
      }
      await pause(breaks);
    }
  }
}

const changed = (address: string): SkeinError =>
  new SkeinError('SOURCE_CHANGED', `"${address}" has changed since the map began.`);

function abandon(body: AsyncIterable<Uint8Array>): void {
  const { destroy } = body as { readonly destroy?: () => void };
  destroy?.call(body);
}
