/**
 * What a process holds at most of payloads that are on their way, over all of its channels: it asks for
 * no bytes, and hands none to a socket, before there is room for them. Runs in Node and in the browser.
 *
 * A peer that stalls keeps its room for `leaseMs` while others wait. After that its bytes are beyond the bound,
 * by one window at most, so that no number of stalled peers holds up the others.
 */
export interface Pace {
  /**
   * Waits for room, in the order of calls. A callback, because thousands wait, and what waits outlives
   * collections of garbage.
   * @param bytes that are left to send or to ask for, above 0.
   */
  take(bytes: number, start: (room: Room) => void): void;
}

export interface Room {
  /** As many of the bytes as there is room for. */
  readonly bytes: number;
  /** Gives the room back; again it does nothing. */
  free(): void;
}

/** Shares the event loop: runs what takes time of it when a turn has time left, in the order of calls. */
export interface Turns {
  run<T>(work: () => T): Promise<T>;
}

export const unshared: Turns = { run: async (work) => work() };

/** For a site, which has one channel. */
export const unpaced: Pace = {
  take: (bytes, start) => start({ bytes, free() {} }),
};

export interface PaceOptions {
  /** Of all channels together. */
  readonly totalBytes: number;
  /** Smallest room that is waited for. */
  readonly leastBytes: number;
  /** After which a room counts as given back where others wait, in milliseconds. */
  readonly leaseMs: number;
}

export function createPace({ totalBytes, leastBytes, leaseMs }: PaceOptions): Pace {
  let left = totalBytes;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waiting: { readonly bytes: number; readonly start: (room: Room) => void }[] = [];
  /** When each was taken, oldest first. */
  const held = new Map<Room, number>();

  function release(room: Room): void {
    if (!held.delete(room)) return;
    left += room.bytes;
    grant();
  }
  function grant(): void {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (left < Math.min(leastBytes, next.bytes)) return expireLater();
      waiting.shift();
      // A quarter of what is left: one peer has large windows, many have small ones.
      const bytes = Math.min(next.bytes, Math.max(leastBytes, Math.floor(left / 4)));
      left -= bytes;
      const room = { bytes, free: () => release(room) };
      held.set(room, performance.now());
      next.start(room);
    }
  }
  function expireLater(): void {
    const [oldest] = held.values();
    if (timer !== undefined || oldest === undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        const [first] = held;
        if (waiting.length === 0 || first === undefined) return;
        if (performance.now() - first[1] >= leaseMs) release(first[0]);
        else expireLater();
      },
      Math.max(1, oldest + leaseMs - performance.now()),
    );
  }
  return {
    take(bytes, start) {
      waiting.push({ bytes, start });
      grant();
    },
  };
}
