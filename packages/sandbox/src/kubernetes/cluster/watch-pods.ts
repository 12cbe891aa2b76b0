/**
 * Follows the pods of a selector: a list, then a watch from its resource version.
 *
 *     list ──► watch ──► the server ends it: watch again from the last version
 *      ▲         ├─ 410 Gone: its version was dropped ──► list
 *      │         ├─ silence, longer than the watch may last ──► list
 *      └─ pause ─┴─ any other failure: watch again after a pause
 *
 * A watch lasts a minute at most, so a connection that was dropped silently costs a minute and no
 * more (the informers of the client library wait for a TCP timeout).
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { ClusterError, retryMs, type Cluster } from './cluster.ts';

const WATCH_SECONDS = 60;
/** After this, a watch that should have ended is silent. */
const SILENCE_MS = (WATCH_SECONDS + 10) * 1000;

export interface WatchEnd {
  /** Undefined when the server ended the watch as agreed. */
  readonly error: Pick<ClusterError, 'status' | 'retryAfterMs'> | undefined;
  readonly silent: boolean;
  /** Failures in a row, with this one. */
  readonly failures: number;
}

/** The next step after the end of a watch. @param random from 0 to 1. */
export function afterWatch(
  { error, silent, failures }: WatchEnd,
  random: number,
): { readonly relist: boolean; readonly waitMs: number } {
  if (silent) return { relist: true, waitMs: 0 };
  if (error === undefined) return { relist: false, waitMs: 0 };
  const relist = error.status === 410;
  // The first 410 is ordinary; a server that drops versions at once is asked more and more slowly.
  if (relist && failures === 1) return { relist, waitMs: 0 };
  const { retryAfterMs } = error;
  const passing = { status: undefined, retryAfterMs };
  return { relist, waitMs: retryMs(passing, Math.min(failures, 5), random) ?? 0 };
}

export interface WatchedPods {
  /** Resolves with what `find` finds, now or after a change. @throws the reason of `signal`; Error when closed. */
  until<Found>(
    find: (pods: readonly V1Pod[]) => Found | undefined,
    signal: AbortSignal,
  ): Promise<Found>;
  close(): void;
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: V1Pod & { readonly code?: number; readonly message?: string };
}

interface PodList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly V1Pod[];
}

/** @param selector of labels. */
export function watchPods(cluster: Cluster, namespace: string, selector: string): WatchedPods {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const pods = new Map<string, V1Pod>();
  const closing = new AbortController();
  const checks = new Set<() => void>();
  const changed = (): void => {
    for (const check of checks) check();
  };

  const list = async (): Promise<string> => {
    const found = await cluster.request<PodList>('GET', path, {
      query: { labelSelector: selector },
      signal: closing.signal,
    });
    pods.clear();
    for (const pod of found.items) pods.set(pod.metadata?.name ?? '', pod);
    changed();
    return found.metadata.resourceVersion;
  };

  /** @yields the version of each event. */
  async function* events(from: string, signal: AbortSignal): AsyncGenerator<string> {
    const query = {
      labelSelector: selector,
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: from,
      timeoutSeconds: WATCH_SECONDS,
    };
    const body = await cluster.stream(path, query, signal);
    // The interface does not report a failure of its stream; the version decides what follows.
    for await (const line of createInterface({ input: body })) {
      const { type, object } = readJson(line, JSON_BOUNDS.answer) as WatchEvent;
      if (type === 'ERROR') throw new ClusterError(object.message ?? 'watch failed', object.code);
      const name = object.metadata?.name ?? '';
      if (type === 'DELETED') pods.delete(name);
      else if (type !== 'BOOKMARK') pods.set(name, object);
      if (type !== 'BOOKMARK') changed();
      const version = object.metadata?.resourceVersion;
      if (version !== undefined) yield version;
    }
    if (!body.complete && !signal.aborted) throw new ClusterError('the watch was cut off');
  }

  const follow = async (): Promise<void> => {
    let from: string | undefined;
    for (let failures = 0; !closing.signal.aborted;) {
      const silence = AbortSignal.timeout(SILENCE_MS);
      let error: ClusterError | undefined;
      try {
        from ??= await list();
        for await (const version of events(from, AbortSignal.any([closing.signal, silence]))) {
          from = version;
          failures = 0;
        }
      } catch (thrown) {
        error = thrown instanceof ClusterError ? thrown : new ClusterError(String(thrown));
        failures += 1;
      }
      const next = afterWatch({ error, silent: silence.aborted, failures }, Math.random());
      if (next.relist) from = undefined;
      await sleep(next.waitMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };
  void follow();

  return {
    until(find, signal) {
      return new Promise((resolve, reject) => {
        const stops = AbortSignal.any([signal, closing.signal]);
        const end = (): void => {
          checks.delete(check);
          stops.removeEventListener('abort', stopped);
        };
        const stopped = (): void => {
          end();
          reject(signal.aborted ? (signal.reason as Error) : new Error('the watch is closed'));
        };
        const check = (): void => {
          try {
            const found = find([...pods.values()]);
            if (found === undefined) return;
            end();
            resolve(found);
          } catch (error) {
            end();
            reject(error);
          }
        };
        checks.add(check);
        stops.addEventListener('abort', stopped);
        if (stops.aborted) stopped();
        else check();
      });
    },
    close: () => closing.abort(),
  };
}
