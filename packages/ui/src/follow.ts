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

/**
 * Follows a stream while the tab is visible, until aborted, and resumes after a break. A browser keeps
 * six connections to a server, over all tabs: one that is hidden holds none.
 */
export async function follow(
  session: Session,
  path: string,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  let lastEventId: string | undefined;
  while (!signal.aborted) {
    await untilShown(signal);
    const hiding = new AbortController();
    const whileShown = AbortSignal.any([signal, hiding.signal]);
    const leave = (): void => hiding.abort();
    document.addEventListener('visibilitychange', leave, { signal: whileShown });
    try {
      const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
      const response = await session.open(path, { headers, signal: whileShown });
      listener.connected?.();
      for await (const { type, id, data } of readEventStream(response)) {
        if (whileShown.aborted) break;
        lastEventId = id ?? lastEventId;
        listener.event(type, JSON.parse(data));
      }
      if (!whileShown.aborted) listener.lost?.();
    } catch (error) {
      if (signal.aborted) return;
      if (!hiding.signal.aborted) {
        listener.lost?.();
        if (error instanceof SkeinError && error.row.kind === 'user') {
          if (listener.refused === undefined) return;
          await listener.refused(error);
          continue;
        }
      }
    } finally {
      document.removeEventListener('visibilitychange', leave);
    }
    // The events that a hidden tab has missed may be many; the view loads the current state.
    if (hiding.signal.aborted) lastEventId = undefined;
    else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function untilShown(signal: AbortSignal): Promise<void> {
  while (document.hidden && !signal.aborted) {
    await new Promise<void>((resolve) => {
      const changed = (): void => resolve();
      document.addEventListener('visibilitychange', changed, { once: true, signal });
      signal.addEventListener('abort', changed, { once: true });
    });
  }
}

/** The same for a view. A key without the right to follow is not an error; the view then only polls. */
export function useEvents(
  session: Session,
  path: string,
  listener: Pick<Listener, 'connected' | 'event'>,
): void {
  const newest = useRef(listener);
  newest.current = listener;
  useEffect(() => {
    const stop = new AbortController();
    const latest: Listener = {
      connected: () => newest.current.connected?.(),
      event: (type, data) => newest.current.event(type, data),
    };
    void follow(session, path, latest, stop.signal);
    return () => stop.abort();
  }, [session, path]);
}
