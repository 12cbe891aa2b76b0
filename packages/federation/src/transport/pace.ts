/**
 * Bounds the payloads on their way through a process, over all of its channels: it asks for no bytes,
 * and hands none to a socket, before there is memory for them. Runs in Node and in the browser.
 *
 * A peer that stalls keeps its reservation for `leaseMs` while others wait. After that its bytes are beyond the bound,
 * by one window at most, so that no number of stalled peers holds up the others.
 */
export interface Pace {
  /**
   * Waits for memory, in the order of calls. A callback, because thousands wait, and what waits outlives
   * collections of garbage.
   * @param bytes that are left to send or to ask for, above 0.
   */
  take(bytes: number, start: (reservation: Reservation) => void): void;
}

export interface Reservation {
  /** The wanted bytes, or the part that fits into memory. */
  readonly bytes: number;
  /** Gives the bytes back; a second call does nothing. */
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
  /** Bytes of all channels together. */
  readonly totalBytes: number;
  /** Smallest reservation that is waited for. */
  readonly leastBytes: number;
  /** Time after which a reservation counts as given back where others wait, in milliseconds. */
  readonly leaseMs: number;
}

export function createPace({ totalBytes, leastBytes, leaseMs }: PaceOptions): Pace {
  let left = totalBytes;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waiting: { readonly bytes: number; readonly start: (reservation: Reservation) => void }[] =
    [];
  /** When each was taken, oldest first. */
  const held = new Map<Reservation, number>();

  function release(reservation: Reservation): void {
    if (!held.delete(reservation)) return;
    left += reservation.bytes;
    grant();
  }
  function grant(): void {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (left < Math.min(leastBytes, next.bytes)) return expireLater();
      waiting.shift();
      // A quarter of what is left: one peer has large windows, many have small ones.
      const bytes = Math.min(next.bytes, Math.max(leastBytes, Math.floor(left / 4)));
      left -= bytes;
      const reservation = { bytes, free: () => release(reservation) };
      held.set(reservation, performance.now());
      next.start(reservation);
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
