/**
 * A connection that carries whole frames in order, and may break. Runs in Node and in the browser:
 * the client of `ws` and a browser's WebSocket have the same events.
 */

export interface Connection {
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** Resolves when the memory of all frames that were sent is not needed any more. Absent: `send` copies it. */
  flushed?(): Promise<void>;
  /** Frames that came before the call are kept for it. */
  listen(listener: ConnectionListener): void;
  close(): void;
  /** Lifts the bounds of a stranger, where there are some: the other side has proved its key. */
  admit?(): void;
}

export interface ConnectionListener {
  onFrame(frame: Uint8Array<ArrayBuffer>): void;
  /** Once; nothing comes after it. */
  onClose(): void;
}

/** The part of a WebSocket that is used, of `ws` or of a browser. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close' | 'error', listener: () => void): void;
}

const OPEN = 1;

/** @param socket is open. */
export function connectionOver(socket: SocketLike): Connection {
  const mailbox = createMailbox();
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('message', ({ data }) => {
    mailbox.deliver(bytesOf(data));
  });
  socket.addEventListener('close', () => mailbox.end());
  socket.addEventListener('error', () => mailbox.end());
  return {
    send(frame) {
      if (socket.readyState === OPEN) socket.send(frame);
    },
    listen: (listener) => mailbox.listen(listener),
    close: () => socket.close(1000),
  };
}

/** The protocol has no texts: an empty frame is refused by the decoder. */
function bytesOf(data: unknown): Uint8Array<ArrayBuffer> {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (!(data instanceof Uint8Array)) return new Uint8Array(0);
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** Two ends of one connection inside a process. */
export function connectionPair(): [Connection, Connection] {
  const boxes = [createMailbox(), createMailbox()] as const;
  const end = (own: 0 | 1): Connection => ({
    send(frame) {
      const copy = frame.slice();
      queueMicrotask(() => boxes[own === 0 ? 1 : 0].deliver(copy));
    },
    listen: (listener) => boxes[own].listen(listener),
    close: () => queueMicrotask(() => boxes.forEach((box) => box.end())),
  });
  return [end(0), end(1)];
}

function createMailbox() {
  let listener: ConnectionListener | undefined;
  let early: Uint8Array<ArrayBuffer>[] = [];
  let ended = false;
  return {
    deliver(frame: Uint8Array<ArrayBuffer>): void {
      if (ended) return;
      if (listener === undefined) early.push(frame);
      else listener.onFrame(frame);
    },
    end(): void {
      if (ended) return;
      ended = true;
      listener?.onClose();
    },
    listen(by: ConnectionListener): void {
      listener = by;
      for (const frame of early) by.onFrame(frame);
      early = [];
      if (ended) by.onClose();
    },
  };
}
