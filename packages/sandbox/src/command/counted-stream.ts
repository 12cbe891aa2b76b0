/** An output stream of a guest that asks for each chunk how much of it may pass. */
import { Readable } from 'node:stream';

export class CountedStream extends Readable {
  readonly #admit: (bytes: number) => number;
  #source: Readable | undefined;
  #ended = false;
  #settle: (() => void) | undefined;

  /** @param admit gets the size of each chunk, and returns how many bytes of it pass. */
  constructor(admit: (bytes: number) => number) {
    super({ highWaterMark: 256 * 1024 });
    this.#admit = admit;
  }

  attach(source: Readable): void {
    this.#source = source;
    source.on('data', (chunk: Buffer) => {
      const admitted = this.#admit(chunk.length);
      if (admitted === 0 || this.destroyed || this.push(chunk.subarray(0, admitted))) return;
      source.pause();
      this.#settle?.();
    });
    // A source that is destroyed closes without an end.
    source.once('end', () => this.finish());
    source.once('close', () => this.finish());
  }

  /** No more bytes follow. */
  finish(): void {
    if (!this.#ended && !this.destroyed) this.push(null);
    this.#ended = true;
    this.#settle?.();
  }

  /**
   * Call when the writers are dead: resolves when all their output is counted, or when no reader is
   * left.
   */
  async settled(): Promise<void> {
    if (this.#ended || this.destroyed || this.#source?.isPaused() !== false) return;
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
  }

  override _read(): void {
    this.#source?.resume();
  }

  /** The reader has stopped: the writer must not block, so its output is dropped, but counted. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source?.resume();
    this.#settle?.();
    callback(error);
  }
}
