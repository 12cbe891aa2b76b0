/**
 * Server-sent events of a view: followed while the tab is visible, and reconnected after a break.
 */
import { SkeinError } from '@skein/api/errors';
import { readEventStream } from '@skein/api/client';
import { useEffect, useRef } from 'preact/hooks';
import type { Session } from './session.ts';

export interface Listener {
  /** Connected; events may have been missed before, unless they have ids. */
  connected?(): void;
  /** @param data parsed from JSON. */
  event(type: string, data: unknown): void;
  lost?(): void;
  /** Resolves when a retry may succeed; default: never retries. */
  refused?(error: SkeinError): Promise<void>;
}

const PAUSE_MS = 1500;

/** Follows a stream until aborted, and resumes after a break. */
export async function follow(
  session: Session,
  path: string,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  let lastEventId: string | undefined;
  while (!signal.aborted) {
    try {
      const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
      const response = await session.open(path, { headers, signal });
      listener.connected?.();
      for await (const { type, id, data } of readEventStream(response)) {
        if (signal.aborted) return;
        lastEventId = id ?? lastEventId;
        listener.event(type, JSON.parse(data));
      }
      listener.lost?.();
    } catch (error) {
      if (signal.aborted) return;
      listener.lost?.();
      if (error instanceof SkeinError && error.row.kind === 'user') {
        if (listener.refused === undefined) return;
        await listener.refused(error);
        continue;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/**
 * Follows a stream while the tab is visible: a browser keeps few connections to a server, and a
 * hidden tab should hold none. A key without the right to follow is not an error; the view then
 * only polls.
 */
export function useEvents(
  session: Session,
  path: string,
  listener: Pick<Listener, 'connected' | 'event'>,
): void {
  const newest = useRef(listener);
  newest.current = listener;
  useEffect(() => {
    let stop: AbortController | undefined;
    const adjust = (): void => {
      if (document.hidden) {
        stop?.abort();
        stop = undefined;
      } else if (stop === undefined) {
        stop = new AbortController();
        const latest: Listener = {
          connected: () => newest.current.connected?.(),
          event: (type, data) => newest.current.event(type, data),
        };
        void follow(session, path, latest, stop.signal);
      }
    };
    document.addEventListener('visibilitychange', adjust);
    adjust();
    return () => {
      document.removeEventListener('visibilitychange', adjust);
      stop?.abort();
    };
  }, [session, path]);
}
