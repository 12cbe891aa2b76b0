/**
 * Sockets whose reading stops and starts together, on the side of the system: Node does not document its handle.
 * Neither the stream nor what reads in its place, such as a session of HTTP/2, notices it.
 *
 * The kernel reports sockets with data in its own order, in which those that were just read may come first each time.
 * After a stop they are therefore read again once the others have had their turn.
 */
import type { Socket } from 'node:net';

interface Handle {
  /** Whether the stream wants what arrives. */
  readonly reading: boolean;
  readStop(): void;
  readStart(): void;
}

export class SharedReading {
  readonly #sockets = new Set<Socket>();
  /** The sockets that have been read in this turn, or since a turn without a stop. */
  readonly #recent = new Set<Socket>();
  #isStopped = false;
  #hasLate = false;
  #isScheduled = false;

  add(socket: Socket): void {
    this.#sockets.add(socket);
    if (this.#isStopped) stopReading(socket);
  }

  /** It is read from now on, whatever the others are. */
  release(socket: Socket): void {
    if (!this.#sockets.delete(socket)) return;
    this.#recent.delete(socket);
    if (this.#isStopped) startReading(socket);
  }

  /** Call it for each read of one of them. */
  note(socket: Socket): void {
    if (!this.#sockets.has(socket)) return;
    this.#recent.add(socket);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#endTurn);
  }

  /** @returns false if it has stopped already. */
  stop(): boolean {
    if (this.#isStopped) return false;
    this.#isStopped = true;
    for (const socket of this.#sockets) stopReading(socket);
    return true;
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#hasLate = true;
    for (const socket of this.#sockets) if (!this.#recent.has(socket)) startReading(socket);
    setImmediate(this.#startLate);
  }

  #startLate = (): void => {
    if (this.#isStopped) return;
    this.#hasLate = false;
    for (const socket of this.#recent) startReading(socket);
    this.#recent.clear();
  };

  #endTurn = (): void => {
    this.#isScheduled = false;
    if (!this.#isStopped && !this.#hasLate) this.#recent.clear();
  };
}

/** Its stream does not notice it, and does not start it again. */
export function stopReading(socket: Socket): void {
  handleOf(socket)?.readStop();
}

/** Reads again, where the stream wants what arrives. */
export function startReading(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle?.reading === true) handle.readStart();
}

/** Absent once the socket has closed. */
function handleOf(socket: Socket): Handle | null | undefined {
  return (socket as { _handle?: Handle | null })._handle;
}
