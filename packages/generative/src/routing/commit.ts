/**
 * Sends a request to one route after another until one has content, and commits to that one.
 *
 *        ┌──────── failed: the next route ◀───────┐
 *   send ┤                                        ├─▶ first content: committed, the others end
 *        └─ slower than its p95: one more (hedge) ┘
 *
 * For a caller that does not stream, the whole answer takes the place of the first content, but for
 * the hedge: one that has begun in time is not hedged.
 *
 * An error that another provider would repeat, or must not see, ends it: a refused request, a
 * content filter. While another route is left, an attempt gets a part of the time only, so that the
 * last one still has some.
 */
import { SkeinError } from '@skein/api/errors';

export interface Running<Result> {
  /** Its first content, or the whole answer for a caller that reads nothing before. */
  readonly content: Promise<Result>;
  /** Resolves with the first content in both cases: an attempt that has begun needs no hedge. */
  readonly begun?: Promise<void>;
  cancel(reason: Error): void;
}

export interface CommitOptions<Route, Result> {
  /** In the order in which they are tried. */
  readonly routes: readonly Route[];
  /** @param firstMs longest wait for the first content. */
  start(route: Route, firstMs: number, isHedge: boolean): Running<Result>;
  /** After how long a hedge is worth it, in milliseconds; undefined: never. */
  hedgeAfterMs(route: Route): number | undefined;
  /** Whether another route may do better. Default: `fallsBack`. */
  fallsBack?(route: Route, error: unknown): boolean;
  /** Whether the share of hedges allows one; it is spent then. */
  mayHedge(): boolean;
  /** In milliseconds from now. */
  readonly deadlineMs: number;
  readonly clock: { now(): number };
}

export interface Committed<Result> {
  readonly result: Result;
  readonly attempts: number;
}

/** Whether another provider may do better. */
export function fallsBack(error: unknown): boolean {
  if (!(error instanceof SkeinError)) return true;
  if (error.code === 'GENERATION_UNSUPPORTED') return true;
  return error.code !== 'BUDGET_SPENT' && error.row.kind !== 'user';
}

export function commit<Route, Result>(
  options: CommitOptions<Route, Result>,
): Promise<Committed<Result>> {
  const { routes, clock } = options;
  const endsAt = clock.now() + options.deadlineMs;
  const running = new Set<Running<Result>>();
  let nextRoute = 0;
  let attempts = 0;
  let hedgeTimer: NodeJS.Timeout | undefined;
  let isHedged = false;

  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(hedgeTimer);
      for (const each of running)
        each.cancel(new SkeinError('CANCELLED', 'Another provider was faster.'));
      running.clear();
    };

    function launch(route: Route, isHedge: boolean): void {
      attempts += 1;
      const leftMs = endsAt - clock.now();
      const others = isHedge ? 0 : routes.length - nextRoute;
      const attempt = options.start(route, leftMs / (1 + others), isHedge);
      running.add(attempt);
      attempt.content.then(
        (result) => {
          if (!running.delete(attempt)) return;
          finish();
          resolve({ result, attempts });
        },
        (error: unknown) => {
          if (running.delete(attempt)) failed(route, error, isHedge);
        },
      );
      armHedge(route, isHedge);
      void attempt.begun?.then(() => {
        if (running.has(attempt)) clearTimeout(hedgeTimer);
      });
    }

    function failed(failing: Route, error: unknown, isHedge: boolean): void {
      // A hedge that fails, also for want of a place or money, leaves the first one alone.
      if (isHedge && running.size > 0) return;
      if (!(options.fallsBack?.(failing, error) ?? fallsBack(error))) {
        finish();
        return reject(error);
      }
      if (running.size > 0) return;
      clearTimeout(hedgeTimer);
      const route = routes[nextRoute];
      if (route === undefined || clock.now() >= endsAt) return reject(error);
      nextRoute += 1;
      launch(route, false);
    }

    function armHedge(route: Route, isHedge: boolean): void {
      clearTimeout(hedgeTimer);
      const afterMs = isHedge || isHedged ? undefined : options.hedgeAfterMs(route);
      if (afterMs === undefined) return;
      const hedge = (): void => {
        if (running.size === 0) return;
        if (!options.mayHedge()) {
          // Other requests earn the next one.
          hedgeTimer = setTimeout(hedge, afterMs);
          return;
        }
        isHedged = true;
        // With one route, another connection to it may still find a faster machine.
        const other = routes[nextRoute] ?? route;
        if (nextRoute < routes.length) nextRoute += 1;
        launch(other, true);
      };
      hedgeTimer = setTimeout(hedge, afterMs);
    }

    nextRoute = 1;
    launch(routes[0]!, false);
  });
}
