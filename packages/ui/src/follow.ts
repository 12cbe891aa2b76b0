/** Server-sent events of a view: followed while the tab is seen, and again after a break. */
import { SkeinError } from '@skein/api/errors';
import { readEventStream } from '@skein/api/client';
import { useEffect, useRef } from 'preact/hooks';
import type { Session } from './session.ts';

export interface Listener {
  /** A connection stands; events may have been missed before it, unless they have ids. */
  connected?(): void;
  /** @param data parsed from JSON. */
  event(type: string, data: unknown): void;
  lost?(): void;
  /** Resolves when another try may succeed; default: never tries again. */
  refused?(error: SkeinError): Promise<void>;
}

const PAUSE_MS = 1500;

/** Follows a stream until aborted, and goes on after a break where it left off. */
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
 * Follows a stream while the tab is seen: a browser keeps few connections to a server, and a hidden
 * tab should hold none. A key that may not listen is no failure; the view then lives on what it loads.
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
        const heard: Listener = {
          connected: () => newest.current.connected?.(),
          event: (type, data) => newest.current.event(type, data),
        };
        void follow(session, path, heard, stop.signal);
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
