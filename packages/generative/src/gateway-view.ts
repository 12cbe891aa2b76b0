/** The gateway as it stands, for the console and for metrics. */
import type { Model } from './execution.ts';
import type { Route } from './routing/route.ts';
import type { ModelView, RouteView } from './views.ts';

export const modelView = (
  { settings: { name, ttftMs }, routes }: Model,
  now: number,
): ModelView => ({ name, ttftMs, routes: routes.map((route) => routeView(route, now)) });

function routeView(route: Route, now: number): RouteView {
  const { settings, places, failures, times } = route;
  const closed = route.closed(now);
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((quantile) => times.predict(0, quantile));
  return {
    provider: settings.provider,
    model: settings.model,
    running: places.running,
    waiting: places.waiting,
    failures,
    closedInMs: closed?.inMs ?? 0,
    closedBy: closed?.by,
    quotas: Object.fromEntries(route.quotas(now).map(({ id, until }) => [id, until - now])),
    ttft: p50 === undefined ? undefined : { p50, p95: p95!, p99: p99! },
    msPerPromptToken: times.msPerToken,
  };
}
