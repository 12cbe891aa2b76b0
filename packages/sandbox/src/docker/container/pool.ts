/**
 * Containers that are started in advance: a session that finds one of its shape does not wait. A
 * container serves one session and is removed with it, so no session sees traces of another;
 * another one of the same shape is started in its place.
 *
 * The trade-off: a waiting container costs about 12 MB and no processor time; a shape that was not
 * requested recently is replaced by a recent one. A shape that binds files of the host is mostly
 * requested once; containers wait for it only when it is requested repeatedly.
 */
import type { SandboxContainer, Shape } from './container.ts';

export interface PoolOptions {
  readonly start: (shape: Shape) => Promise<SandboxContainer>;
  /** Containers that wait, for each of the latest shapes. */
  readonly perShape: number;
  /** Shapes for which containers wait. */
  readonly shapes: number;
}

/** How often a shape that binds files has to be requested before containers wait for it. */
const OFTEN = 3;
/** Shapes that bind files and whose requests are counted. */
const KNOWN = 64;

export class ContainerPool {
  readonly #options: PoolOptions;
  /** By shape, the most recently requested one last. */
  readonly #waiting = new Map<string, Promise<SandboxContainer>[]>();
  /**
   * The number of requests of each shape that binds files, the most recently requested one last.
   */
  readonly #asked = new Map<string, number>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** A started container, which is the caller's to remove. */
  async take(shape: Shape): Promise<SandboxContainer> {
    const key = JSON.stringify(shape);
    if (shape.mounts.length > 0 && !this.#isAskedOften(key))
      return await this.#options.start(shape);
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    this.#waiting.set(key, waiting);
    const first = waiting.shift();
    // The replacement starts now, while the caller works.
    const container =
      first === undefined ? await this.#options.start(shape) : await this.#healthy(first, shape);
    this.#fill(key, shape);
    return container;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    await Promise.all(all.map(removeWhenStarted));
  }

  #isAskedOften(key: string): boolean {
    const times = (this.#asked.get(key) ?? 0) + 1;
    this.#asked.delete(key);
    this.#asked.set(key, times);
    if (this.#asked.size > KNOWN) this.#asked.delete(this.#asked.keys().next().value ?? '');
    return times >= OFTEN;
  }

  async #healthy(started: Promise<SandboxContainer>, shape: Shape): Promise<SandboxContainer> {
    try {
      const container = await started;
      if (container.supervisor.isAlive) return container;
      await container.remove();
    } catch {
      // The start failed in the background; try again, so that the caller gets the reason.
    }
    return await this.#options.start(shape);
  }

  #fill(key: string, shape: Shape): void {
    const waiting = this.#waiting.get(key);
    if (this.#closed || waiting === undefined) return;
    while (waiting.length < this.#options.perShape) {
      const started = this.#options.start(shape);
      started.catch(() => undefined);
      waiting.push(started);
    }
    for (const [old, containers] of this.#waiting) {
      if (this.#waiting.size <= this.#options.shapes) break;
      this.#waiting.delete(old);
      for (const container of containers) void removeWhenStarted(container);
    }
  }
}

async function removeWhenStarted(started: Promise<SandboxContainer>): Promise<void> {
  try {
    await (await started).remove();
  } catch {
    // It never started, or the daemon is gone and has removed it.
  }
}
