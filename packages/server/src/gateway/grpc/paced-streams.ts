/**
 * Bounds how long the calls of strangers hold up everything else: a read of one connection brings as many as it
 * may have open, and one turn of the event loop a read of each. Beyond the time of a turn they wait, unread.
 */
import { constants, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { TurnTime } from '@skein/http';

/** Calls that wait; above it, the oldest is refused. A stream takes some kilobytes. */
const MAX_WAITING = 256;

type OnStream = (stream: ServerHttp2Stream, ...rest: unknown[]) => void;

/**
 * Call it when all listeners of the server's streams are there.
 * @param isKnown whether the call is on a connection that carried a valid key: it does not wait.
 */
export function paceStreams(
  server: Http2Server,
  isKnown: (stream: ServerHttp2Stream) => boolean,
  time = new TurnTime(),
): void {
  const listeners = server.listeners('stream') as OnStream[];
  /** Oldest first. */
  const waiting = new Set<ServerHttp2Stream>();
  server.removeAllListeners('stream');
  server.on('stream', (stream: ServerHttp2Stream, ...rest: unknown[]) => {
    const serve = (): void => {
      for (const listener of listeners) listener.call(server, stream, ...rest);
    };
    if (isKnown(stream)) serve();
    else if (!time.isSpent) time.spend(serve);
    else {
      if (waiting.size >= MAX_WAITING) refuseOldest();
      waiting.add(stream);
      stream.once('close', () => waiting.delete(stream));
      // Its client may cancel it, and nothing else listens yet.
      stream.on('error', () => {});
      time.wait(() => {
        if (waiting.delete(stream)) time.spend(serve);
      });
    }
  });

  /** Its client may send it again: it has not been looked at. */
  function refuseOldest(): void {
    const [oldest] = waiting;
    waiting.delete(oldest!);
    oldest!.close(constants.NGHTTP2_REFUSED_STREAM);
  }
}
