/**
 * Bytes of files as a Blob, which is read as it is sent. `openAsBlob` of Node 24 keeps a size in 32 bits: of a file of
 * 10 GB it gives 1.6 GB, without an error.
 */
import { open, stat } from 'node:fs/promises';
import { SkeinError } from '../errors.ts';

/** Bytes in memory, or from start to before end of a file. */
type Part =
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | {
      readonly path: string;
      readonly changedMs: number;
      readonly start: number;
      readonly end: number;
    };

const READ_BYTES = 2 ** 20;

const sizeOf = (part: Part): number =>
  'bytes' in part ? part.bytes.byteLength : part.end - part.start;

/** The part from start to before end, counted in it. */
function cut(part: Part, start: number, end: number): Part {
  if ('bytes' in part) return { bytes: part.bytes.subarray(start, end) };
  return { ...part, start: part.start + start, end: part.start + end };
}

export class FileBlob extends Blob {
  readonly #parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    super();
    this.#parts = parts;
  }

  override get size(): number {
    return this.#parts.reduce((sum, part) => sum + sizeOf(part), 0);
  }

  override slice(start = 0, end = this.size): FileBlob {
    const place = (at: number): number =>
      Math.min(at < 0 ? Math.max(0, this.size + at) : at, this.size);
    const [from, to] = [place(start), place(end)];
    let at = 0;
    const parts = this.#parts.flatMap((part) => {
      const [first, last] = [Math.max(from - at, 0), Math.min(to - at, sizeOf(part))];
      at += sizeOf(part);
      return first < last ? [cut(part, first, last)] : [];
    });
    return new FileBlob(parts);
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const chunks = this.#read();
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const next = await chunks.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        },
        async cancel() {
          await chunks.return(undefined);
        },
      },
      // Nothing is read ahead of the reader.
      { highWaterMark: 0 },
    );
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(this.size);
    let at = 0;
    for await (const chunk of this.#read()) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    return whole;
  }

  override async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  parts(): readonly Part[] {
    return this.#parts;
  }

  async *#read(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (const part of this.#parts) {
      if ('bytes' in part) yield part.bytes;
      else yield* readFile(part);
    }
  }
}

async function* readFile({
  path,
  changedMs,
  start,
  end,
}: Extract<Part, { readonly path: string }>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const changed = (): SkeinError =>
    new SkeinError('FILE_UNREADABLE', `${path} changed while it was read.`);
  const file = await open(path);
  try {
    if ((await file.stat()).mtimeMs !== changedMs) throw changed();
    for (let at = start; at < end;) {
      const chunk = new Uint8Array(Math.min(READ_BYTES, end - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, at);
      if (bytesRead === 0) throw changed();
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/**
 * A file as a Blob. Reading it fails with FILE_UNREADABLE when the file has changed since.
 * @throws an error of the file system.
 */
export async function fileBlob(path: string): Promise<FileBlob> {
  const { size, mtimeMs } = await stat(path);
  return new FileBlob([{ path, changedMs: mtimeMs, start: 0, end: size }]);
}

/** Blobs and bytes one after the other; `new Blob` would take a part of a file for an empty one. */
export function joinedBlob(parts: readonly (FileBlob | Uint8Array<ArrayBuffer>)[]): Blob {
  return new FileBlob(
    parts.flatMap((part) => (part instanceof FileBlob ? part.parts() : [{ bytes: part }])),
  );
}
