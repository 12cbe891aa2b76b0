/**
 * The live view of one submission as events:
 *
 *     submission   the whole submission: first, and when anything but a test has changed
 *     test         one more result
 *     running      the test that has started
 *     judged       the whole submission with the verdict; the stream ends
 *
 * It begins with the whole submission, so a reader that reconnects needs no position. A reader that
 * is too slow for single steps is sent the current state when it has caught up.
 */
import type { EventSource, ServerEvent } from '@skein/http';
import type { User } from '../accounts/accounts.ts';
import type { SubmissionEvent } from '../api/schemas.ts';
import type { JudgeService } from '../judge-service.ts';
import type { LiveListener, LiveMessage } from './live.ts';
import { testView } from '../api/views.ts';

/** Steps that wait for a slow reader; a step is some kilobytes at most. */
const MAX_WAITING = 64;

/** @throws SkeinError SUBMISSION_UNKNOWN, SCOPE_MISSING. */
export function submissionEvents(
  service: Pick<JudgeService, 'submission' | 'follow'>,
  id: number,
  caller: User,
): EventSource {
  const listen = service.follow(id, caller);
  return (ended) => read(listen, () => service.submission(id, caller), caller, ended);
}

async function* read(
  listen: (listener: LiveListener) => () => void,
  current: () => ReturnType<JudgeService['submission']>,
  caller: User,
  ended: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const steps: ServerEvent[] = [];
  /** Whether the whole submission must be sent before single steps make sense. */
  let behind = true;
  let reading = false;
  let wake = (): void => {};
  const stop = listen((message) => {
    const step = stepOf(message, caller);
    // Steps that arrive while the whole submission is read would be out of order.
    if (step === undefined || reading || steps.length >= MAX_WAITING) behind = true;
    else if (!behind) steps.push(step);
    wake();
  });
  const onEnd = (): void => wake();
  ended.addEventListener('abort', onEnd, { once: true });
  try {
    while (!ended.aborted) {
      const step = behind ? undefined : steps.shift();
      if (step !== undefined) yield step;
      else if (behind) {
        behind = false;
        reading = true;
        steps.length = 0;
        const data = await current();
        reading = false;
        const judged = data.state === 'judged';
        yield eventOf({ type: judged ? 'judged' : 'submission', data });
        if (judged) return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stop();
  }
}

/** @returns undefined for a change that only the whole submission shows. */
function stepOf(message: LiveMessage, { admin }: User): ServerEvent | undefined {
  if (message.type === 'test') {
    const { index, total, result } = message;
    return eventOf({ type: 'test', data: { index, total, test: testView(result, admin) } });
  }
  if (message.type !== 'test-started') return undefined;
  const { index, total, name } = message;
  return eventOf({ type: 'running', data: { index, total, name } });
}

function eventOf({ type, data }: SubmissionEvent): ServerEvent {
  return { type, data: JSON.stringify(data) };
}
