/** Reloads the data of a view, without asking the server more often than needed. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export interface Freshness {
  /** Time between two loads without an event. */
  readonly everyMs: number;
  /** Least time between two loads. Default: 1000. */
  readonly gapMs?: number;
}

/** @param now whether a person has just changed something and should see the result at once. */
export type Poke = (now?: boolean) => void;

/**
 * Loads at once, on an event, and every `everyMs`; never two loads at a time, never in a hidden
 * tab, and after a slow load not before three times its duration has passed.
 */
export function keepFresh(
  load: (signal: AbortSignal) => Promise<void>,
  { everyMs, gapMs = 1000 }: Freshness,
  signal: AbortSignal,
): Poke {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let state: 'idle' | 'loading' | 'resting' = 'idle';
  let wanted = false;

  async function run(): Promise<void> {
    if (signal.aborted || state !== 'idle') return;
    clearTimeout(timer);
    wanted = document.hidden;
    if (wanted) return;
    state = 'loading';
    const begun = performance.now();
    await load(signal);
    state = 'resting';
    const rest = Math.max(gapMs, 3 * (performance.now() - begun));
    timer = setTimeout(() => {
      state = 'idle';
      if (wanted) void run();
      else timer = setTimeout(() => void run(), Math.max(everyMs - rest, 0));
    }, rest);
  }

  document.addEventListener('visibilitychange', () => wanted && void run(), { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  void run();
  return (now = false) => {
    wanted = true;
    if (now && state === 'resting') state = 'idle';
    void run();
  };
}

export interface Loaded<Value> {
  /** Undefined before the first load. */
  readonly value: Value | undefined;
  /** Why the last load failed; undefined when it succeeded. */
  readonly error: unknown;
  readonly poke: Poke;
}

/**
 * The result of `load`, reloaded by the rules of `keepFresh`, and whenever the identity changes; the old
 * result is shown until then.
 */
export function useFresh<Value>(
  { everyMs, gapMs, identity = '' }: Freshness & { readonly identity?: string },
  load: (signal: AbortSignal) => Promise<Value>,
): Loaded<Value> {
  const [value, setValue] = useState<Value>();
  const [error, setError] = useState<unknown>();
  const newest = useRef(load);
  newest.current = load;
  const poke = useRef<Poke>(() => {});
  useEffect(() => {
    const leave = new AbortController();
    const once = async (signal: AbortSignal): Promise<void> => {
      try {
        const loaded = await newest.current(signal);
        if (signal.aborted) return;
        setValue(() => loaded);
        setError(undefined);
      } catch (failure) {
        if (!signal.aborted) setError(failure);
      }
    };
    const settings = gapMs === undefined ? { everyMs } : { everyMs, gapMs };
    poke.current = keepFresh(once, settings, leave.signal);
    return () => leave.abort();
  }, [identity, everyMs, gapMs]);
  const stable = useCallback<Poke>((now) => poke.current(now), []);
  return { value, error, poke: stable };
}

/** Renders the component again every `everyMs`, for texts that depend on the time. */
export function useClock(everyMs: number): void {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) tick((count) => count + 1);
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}
