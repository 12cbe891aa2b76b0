/** One request on a connection between nodes, and the frames of its answer. */
import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { OwnedMemory } from '@skein/api/owned-memory';
import { type Frame, FrameReader } from './frame.ts';

export interface Bounds {
  /** Bound of one frame, in bytes. */
  readonly maxBytes: number;
  /** Counts the bytes that have arrived of frames that are not decoded. */
  readonly hold: BudgetHold;
}

export class Exchange<Meta> {
  readonly #stream: ClientHttp2Stream;
  readonly #reader: FrameReader<Meta>;
  readonly #hold: BudgetHold;
  /** Waits for its reader; the peer is slowed down, and what follows is not decoded. */
  #frame: Frame<Meta> | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;
  #isEnded = false;

  /** @throws Error if the connection takes no requests any more. */
  constructor(
    session: ClientHttp2Session,
    path: string,
    parts: readonly Buffer[],
    { maxBytes, hold }: Bounds,
    memory?: OwnedMemory,
  ) {
    const stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false });
    this.#stream = stream;
    this.#reader = new FrameReader(maxBytes, hold);
    this.#hold = hold;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      this.#isOver = true;
      hold.release();
      this.#wake?.();
    });
    if (memory !== undefined) retainUntilSent(memory, stream);
    // One write for all of them.
    stream.cork();
    for (const part of parts) stream.write(part);
    stream.end();
  }

  /** Whether the peer reports that it has not read the request. */
  get wasRefused(): boolean {
    return this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  /** The next frame; undefined once the connection or the answer has ended. */
  async next(): Promise<Frame<Meta> | undefined> {
    while (this.#frame === undefined && !this.#isOver) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const frame = this.#frame;
    this.#frame = undefined;
    this.#decode();
    if (this.#frame === undefined) this.#stream.resume();
    return frame;
  }

  /** The peer ends what it does for the request. */
  cancel(): void {
    this.#isOver = true;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#reader.drop();
    this.#wake?.();
  }

  /** No further frame is read. A peer that sends more is cut off; else the stream ends normally. */
  end(): void {
    this.#isEnded = true;
    this.#frame = undefined;
    if (this.#reader.heldBytes > 0) this.cancel();
    else this.#stream.resume();
  }

  #read(chunk: Buffer): void {
    if (this.#isEnded) return this.cancel();
    if (this.#isOver) return;
    this.#reader.add(chunk);
    this.#decode();
    if (this.#frame === undefined) return;
    this.#stream.pause();
    this.#wake?.();
  }

  /** Decodes the next frame if none waits, and counts what is left. */
  #decode(): void {
    try {
      this.#frame ??= this.#reader.next();
      this.#hold.release();
      if (!this.#stream.closed) this.#hold.take(this.#reader.heldBytes);
    } catch {
      this.cancel();
    }
  }
}

/** @param memory of what the stream writes. */
function retainUntilSent(memory: OwnedMemory, stream: ClientHttp2Stream): void {
  const release = memory.retain();
  stream.once('finish', release);
  stream.once('close', () => {
    // The connection may still write what it has of a stream that is cut.
    if (!stream.writableFinished) memory.leaveToV8();
    release();
  });
}
