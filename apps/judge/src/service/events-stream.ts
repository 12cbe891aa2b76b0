/**
 * The live view of one submission as server-sent events:
 *
 *     submission   the whole submission: first, and when anything but a test has changed
 *     test         one more result
 *     running      the test that has started
 *     judged       the whole submission with the verdict; the stream ends
 *
 * It begins with the whole submission, so a reader that reconnects needs no position. A reader that
 * does not read is sent nothing more until it has drained; then it is sent the current state.
 */
import type { ServerResponse } from 'node:http';
import type { User } from './accounts.ts';
import type { SubmissionView } from './api.ts';
import type { JudgeService } from './judge-service.ts';
import type { LiveMessage } from './live.ts';
import { testView } from './views.ts';

export const HEARTBEAT_MS = 15_000;
/** Unsent bytes of a socket above which its reader counts as slow. */
const BACKLOG_BYTES = 256 * 1024;

export interface EventStreams {
  /** @throws SkeinError SUBMISSION_UNKNOWN, SCOPE_MISSING. */
  open(id: number, caller: User, response: ServerResponse): Promise<void>;
  /** Ends all streams. */
  close(): void;
}

export function createEventStreams(
  service: Pick<JudgeService, 'submission' | 'listen'>,
): EventStreams {
  const open = new Set<ServerResponse>();

  return {
    async open(id, caller, response) {
      let behind = true;
      let showing: Promise<void> | undefined;
      const write = (event: string, data: unknown): void => {
        response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      };
      const show = async (): Promise<void> => {
        while (behind && !response.writableEnded) {
          behind = false;
          const view: SubmissionView = await service.submission(id, caller);
          if (view.state === 'judged') {
            write('judged', view);
            response.end();
          } else write('submission', view);
        }
      };
      const catchUp = (): void => {
        behind = true;
        showing ??= show()
          .catch(() => void response.end())
          .finally(() => {
            showing = undefined;
          });
      };
      const hear = (message: LiveMessage): void => {
        if (response.writableEnded) return;
        // Before the whole submission is sent, single steps would be out of order.
        if (showing !== undefined || response.writableLength > BACKLOG_BYTES) {
          behind = true;
          return;
        }
        if (message.type === 'test') {
          const { index, total, result } = message;
          write('test', { index, total, test: testView(result, caller.admin) });
        } else if (message.type === 'test-started') {
          const { index, total, name } = message;
          write('running', { index, total, name });
        } else catchUp();
      };

      const stop = service.listen(id, caller, hear);
      const heartbeat = setInterval(() => {
        // A slow reader may receive the verdict long after it was written.
        if (!response.writableEnded) response.write(': still here\n\n');
      }, HEARTBEAT_MS);
      response.on('drain', () => {
        if (behind) catchUp();
      });
      response.once('close', () => {
        stop();
        clearInterval(heartbeat);
        open.delete(response);
      });
      open.add(response);
      response.writeHead(200, {
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      response.flushHeaders();
      catchUp();
    },
    close() {
      for (const response of open) response.end();
    },
  };
}
