/**
 * Ends a connection that has become silent. A lost network does not end a connection:
 * a site that only waits for its next task would wait for ever. The coordinator therefore sends each
 * `STATUS_MS` the status of the federation. Runs in Node and in the browser, which shows no ping to a page.
 */
import type { Connection } from './connection.ts';

/** How often a coordinator sends each site its status, in milliseconds. */
export const STATUS_MS = 20_000;
/** A coordinator that sends nothing for this long is gone, in milliseconds. */
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
        // The other side cannot report that it has closed.
        connection.close();
        end();
      }
      function restart(): void {
        clearTimeout(timer);
        if (ended) return;
        timer = setTimeout(() => {
          timer = setTimeout(silent, ms / 10);
        }, ms);
      }
      restart();
      connection.listen({
        onFrame(frame) {
          restart();
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
