/** One request on a connection between nodes, and the frames of its answer. */
import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { type Frame, FrameReader } from './frame.ts';

/** Frames that wait for their reader before the peer is slowed down. */
const WAITING_FRAMES = 4;

export class Exchange<Meta> {
  readonly #stream: ClientHttp2Stream;
  readonly #reader: FrameReader<Meta>;
  readonly #frames: Frame<Meta>[] = [];
  #wake: (() => void) | undefined;
  #isOver = false;

  /** @throws Error if the connection takes no requests any more. */
  constructor(
    session: ClientHttp2Session,
    path: string,
    parts: readonly Buffer[],
    maxBytes: number,
  ) {
    const stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false });
    this.#stream = stream;
    this.#reader = new FrameReader(maxBytes);
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      this.#isOver = true;
      this.#wake?.();
    });
    const last = parts.length - 1;
    for (let i = 0; i < last; i++) stream.write(parts[i]);
    stream.end(parts[last]);
  }

  /** Names the request on its connection, once it is sent; undefined: it never was. */
  async streamId(): Promise<number | undefined> {
    if (this.#stream.pending && !this.#isOver) {
      await new Promise((resolve) => {
        this.#stream.once('ready', resolve);
        this.#stream.once('close', resolve);
      });
    }
    return this.#stream.id;
  }

  /** Whether the peer says that it has not looked at the request. */
  get wasRefused(): boolean {
    return this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  /** The next frame; undefined once the connection or the answer has ended. */
  async next(): Promise<Frame<Meta> | undefined> {
    while (this.#frames.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const frame = this.#frames.shift();
    if (this.#frames.length < WAITING_FRAMES) this.#stream.resume();
    return frame;
  }

  /** The peer ends what it does for the request. */
  cancel(): void {
    this.#isOver = true;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#wake?.();
  }

  #read(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.read(chunk)) this.#frames.push(frame);
    } catch {
      this.cancel();
    }
    if (this.#frames.length >= WAITING_FRAMES) this.#stream.pause();
    if (this.#frames.length > 0) this.#wake?.();
  }
}
