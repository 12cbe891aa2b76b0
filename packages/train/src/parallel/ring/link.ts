/**
 * A connection to one peer after mutual authentication. A failure is a `RankLost` of the peer, or
 * of the rank that the peer reports as lost.
 */
import { connect, type Socket } from 'node:net';
import { RankLost } from '../collective.ts';
import { frameReader, frameWriter, KIND, type Frame } from './frame.ts';
import {
  answer,
  call,
  HELLO_BYTES,
  type Credentials,
  type Hello,
  type ReadBytes,
  type SessionKeys,
} from './handshake.ts';

export interface Link {
  /** Rank of the peer. */
  readonly peer: number;
  readonly purpose: Hello['purpose'];
  /** Address of the peer. */
  readonly host: string;
  /** Address under which the peer sees this rank. */
  readonly localHost: string;
  send(tag: number, data: Uint8Array): void;
  /** Notifies the peer that this rank is alive and waits for another rank. */
  sendWaiting(): void;
  /**
   * Returns the data of the next frame. The timeout doubles for a peer that reports that it waits,
   * so that the rank that caused the delay is named, not the peer.
   * @throws RankLost when no frame arrives in time, or an invalid one.
   */
  receive(tag: number, timeoutMs: number): Promise<Uint8Array>;
  /** The error to throw when the peer sent an invalid message. */
  wrong(): RankLost;
  /** @param lost the rank whose loss is reported to the peer. */
  close(lost?: number): void;
}

/** Milliseconds for a handshake. */
const HANDSHAKE_MS = 10_000;
/** Unread bytes above which the sender is paused. */
const MOST_UNREAD = 32 << 20;

/** Calls a rank. @throws Error when no rank of this training answers. */
export async function callRank(
  address: { readonly host: string; readonly port: number },
  hello: Hello,
  peer: number,
  credentials: Credentials,
): Promise<Link> {
  const socket = connect(address);
  const bytes = byteReader(socket, HANDSHAKE_MS);
  try {
    const keys = await call(hello, credentials, bytes.read, (data) => socket.write(data));
    return openLink(socket, { peer, purpose: hello.purpose, keys, rest: bytes.rest() });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Answers a caller. @throws Error when the caller is not a rank of this training. */
export async function answerRank(socket: Socket, credentials: Credentials): Promise<Link> {
  const bytes = byteReader(socket, HANDSHAKE_MS);
  try {
    const { keys, rank, purpose } = await answer(credentials, bytes.read, (data) =>
      socket.write(data),
    );
    return openLink(socket, { peer: rank, purpose, keys, rest: bytes.rest() });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface ByteReader {
  readonly read: ReadBytes;
  /** Stops reading; returns bytes beyond the handshake. */
  readonly rest: () => Uint8Array;
}

function byteReader(socket: Socket, timeoutMs: number): ByteReader {
  let held = Buffer.alloc(0);
  let failed: Error | undefined;
  let wake = () => {};
  const fail = (reason: string) => {
    failed ??= new Error(reason);
    wake();
  };
  const onData = (data: Buffer) => {
    held = Buffer.concat([held, data]);
    // Before the proof a caller sends at most a hello; frames follow only after it.
    if (held.length > HELLO_BYTES) socket.pause();
    wake();
  };
  const onError = (error: Error) => fail(error.message);
  const onClose = () => fail('it has closed the connection');
  const timer = setTimeout(() => fail('it does not answer'), timeoutMs);
  socket.on('data', onData).on('error', onError).on('close', onClose);
  return {
    async read(count) {
      while (held.length < count) {
        if (failed !== undefined) {
          clearTimeout(timer);
          throw failed;
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const taken = held.subarray(0, count);
      held = held.subarray(count);
      socket.resume();
      return taken;
    },
    rest() {
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onClose);
      return held;
    },
  };
}

interface Opened {
  readonly peer: number;
  readonly purpose: Hello['purpose'];
  readonly keys: SessionKeys;
  readonly rest: Uint8Array;
}

function openLink(socket: Socket, { peer, purpose, keys, rest }: Opened): Link {
  const write = frameWriter(keys.send);
  const read = frameReader(keys.receive);
  const frames: Frame[] = [];
  let unread = 0;
  let lost: RankLost | undefined;
  let wake = () => {};
  /** Whether the peer has reported that it waits since its last data. */
  let waits = false;
  const lose = (what: string, rank = peer) => {
    lost ??= new RankLost(rank, what);
    wake();
  };
  const wrong = () => new RankLost(peer, 'does something else than this rank.');
  const take = (bytes: Uint8Array) => {
    if (lost !== undefined) return;
    try {
      for (const frame of read(bytes)) {
        waits = frame.kind === KIND.waiting;
        if (waits) continue;
        if (frame.kind === KIND.lost) lose(`is gone, reports rank ${peer}.`, frame.tag);
        frames.push(frame);
        unread += frame.data.byteLength;
      }
    } catch (error) {
      lose(`sent ${(error as Error).message}.`);
      socket.destroy();
    }
    if (unread > MOST_UNREAD) socket.pause();
    wake();
  };
  socket.setNoDelay(true);
  socket.on('data', take);
  socket.on('error', (error) => lose(`has gone away: ${error.message}.`));
  socket.on('close', () => lose('has gone away.'));
  if (socket.destroyed) lose('has gone away.');
  const { remoteAddress = '', localAddress = '' } = socket;
  take(rest);
  socket.resume();
  return {
    peer,
    purpose,
    host: remoteAddress,
    localHost: localAddress,
    send(tag, data) {
      if (!socket.destroyed) socket.write(write({ kind: KIND.data, tag, data }));
    },
    sendWaiting() {
      if (!socket.destroyed) {
        socket.write(write({ kind: KIND.waiting, tag: 0, data: new Uint8Array(0) }));
      }
    },
    async receive(tag, timeoutMs) {
      let late = false;
      let timer: NodeJS.Timeout | undefined;
      const wait = (once: () => void) => setTimeout(once, timeoutMs);
      const end = () => {
        late = true;
        wake();
      };
      try {
        while (frames.length === 0) {
          if (lost !== undefined) throw lost;
          if (late) throw new RankLost(peer, `has not answered for ${timeoutMs / 1000} s.`);
          timer ??= wait(() => {
            if (waits) timer = wait(end);
            else end();
          });
          await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        clearTimeout(timer);
      }
      const frame = frames.shift()!;
      unread -= frame.data.byteLength;
      if (unread <= MOST_UNREAD && socket.isPaused()) socket.resume();
      if (frame.kind === KIND.lost) throw lost!;
      if (frame.kind !== KIND.data || frame.tag !== tag) {
        throw wrong();
      }
      return frame.data;
    },
    wrong,
    close(gone) {
      if (gone !== undefined && !socket.destroyed) {
        socket.write(write({ kind: KIND.lost, tag: gone, data: new Uint8Array(0) }));
      }
      socket.destroySoon();
    },
  };
}
