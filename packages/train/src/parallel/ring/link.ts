/**
 * A connection to one other rank, after both have proved who they are. What goes wrong with it is a
 * `RankLost` of that rank, or of the one that the other side has lost.
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
  /** The rank on the other side. */
  readonly peer: number;
  readonly purpose: Hello['purpose'];
  /** Address of the other side. */
  readonly host: string;
  /** Address that the other side sees. */
  readonly localHost: string;
  send(tag: number, data: Uint8Array): void;
  /** Tells the other side that what it waits for has to wait for somebody else. */
  sendWaiting(): void;
  /**
   * The data of the next frame. The time is twice as long for one that waits itself: whoever it waits
   * for is to be named, not it.
   * @throws RankLost when there is none within the time, or a wrong one.
   */
  receive(tag: number, timeoutMs: number): Promise<Uint8Array>;
  /** What to throw when the other side sent what it should not have. */
  wrong(): RankLost;
  /** @param lost the rank to tell the other side of. */
  close(lost?: number): void;
}

/** Milliseconds for a handshake. */
const HANDSHAKE_MS = 10_000;
/** Bytes that lie unread before the other side is made to wait. */
const MOST_UNREAD = 32 << 20;

/** Calls a rank. @throws Error when nobody answers, or whoever does is no rank of this training. */
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

/** Answers whoever has called. @throws Error when it is no rank of this training. */
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
  /** Ends reading; what has come beyond. */
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
    // Nothing longer than a hello comes before frames do, and those only after a proof.
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
  /** Whether the other side has said that it waits, since its last data. */
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
        if (frame.kind === KIND.lost) lose(`is gone, says rank ${peer}.`, frame.tag);
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
