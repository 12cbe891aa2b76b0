/**
 * Ends a connection over which nothing comes any more. A network that is gone ends no connection by itself:
 * a site that only waits for its next task would wait for ever. The coordinator therefore says each
 * `STATUS_MS` how the federation stands. Runs in Node and in the browser, which shows no ping to a page.
 */
import type { Connection } from './connection.ts';

/** How often a coordinator tells each site its status, in milliseconds. */
export const STATUS_MS = 20_000;
/** A coordinator of which nothing comes for this long is not there any more, in milliseconds. */
export const SILENT_MS = 70_000;

/** @param ms without a frame; a tenth more for frames that wait while the process was busy or asleep. */
export function endingWhenSilent(connection: Connection, ms = SILENT_MS): Connection {
  return {
    ...connection,
    listen(listener) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      let ended = false;
      function end(): void {
        clearTimeout(timer);
        if (ended) return;
        ended = true;
        listener.onClose();
      }
      function silent(): void {
        // The other side cannot say that it has closed.
        connection.close();
        end();
      }
      function heard(): void {
        clearTimeout(timer);
        if (ended) return;
        timer = setTimeout(() => {
          timer = setTimeout(silent, ms / 10);
        }, ms);
      }
      heard();
      connection.listen({
        onFrame(frame) {
          heard();
          if (!ended) listener.onFrame(frame);
        },
        onClose: end,
      });
    },
    close() {
      connection.close();
    },
  };
}
