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

export function containerPool({ start, perShape, shapes }: PoolOptions) {
  /** By shape, the most recently requested one last. */
  const waiting = new Map<string, Promise<SandboxContainer>[]>();
  /**
   * The number of requests of each shape that binds files, the most recently requested one last.
   */
  const asked = new Map<string, number>();
  let closed = false;

  function isAskedOften(key: string): boolean {
    const times = (asked.get(key) ?? 0) + 1;
    asked.delete(key);
    asked.set(key, times);
    if (asked.size > KNOWN) asked.delete(asked.keys().next().value ?? '');
    return times >= OFTEN;
  }

  async function healthy(
    started: Promise<SandboxContainer>,
    shape: Shape,
  ): Promise<SandboxContainer> {
    try {
      const container = await started;
      if (container.supervisor.isAlive) return container;
      await container.remove();
    } catch {
      // The start failed in the background; try again, so that the caller gets the reason.
    }
    return await start(shape);
  }

  function fill(key: string, shape: Shape): void {
    const here = waiting.get(key);
    if (closed || here === undefined) return;
    while (here.length < perShape) {
      const started = start(shape);
      started.catch(() => undefined);
      here.push(started);
    }
    for (const [old, containers] of waiting) {
      if (waiting.size <= shapes) break;
      waiting.delete(old);
      for (const container of containers) void removeWhenStarted(container);
    }
  }

  return {
    /** A started container, which is the caller's to remove. */
    take: async (shape: Shape): Promise<SandboxContainer> => {
      const key = JSON.stringify(shape);
      if (shape.mounts.length > 0 && !isAskedOften(key)) return await start(shape);
      const here = waiting.get(key) ?? [];
      waiting.delete(key);
      waiting.set(key, here);
      const first = here.shift();
      // The replacement starts now, while the caller works.
      const container = await (first === undefined ? start(shape) : healthy(first, shape));
      fill(key, shape);
      return container;
    },
    async close(): Promise<void> {
      closed = true;
      const all = [...waiting.values()].flat();
      waiting.clear();
      await Promise.all(all.map(removeWhenStarted));
    },
  };
}

async function removeWhenStarted(started: Promise<SandboxContainer>): Promise<void> {
  try {
    await (await started).remove();
  } catch {
    // It never started, or the daemon is gone and has removed it.
  }
}
