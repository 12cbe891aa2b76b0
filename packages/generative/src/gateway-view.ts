/** The gateway as it stands, for the console and for metrics. */
import type { GatewayView, RouteView } from './contract.ts';
import type { Model } from './execute.ts';
import type { BudgetStanding } from './money/ledger.ts';
import type { Route } from './routing/route.ts';

export function viewOf(
  models: readonly Model[],
  budgets: readonly BudgetStanding[],
  now: number,
): GatewayView {
  return {
    models: models.map(({ settings: { name, ttftMs }, routes }) => ({
      name,
      ttftMs,
      routes: routes.map((route) => routeView(route, now)),
    })),
    budgets,
  };
}

function routeView(route: Route, now: number): RouteView {
  const { settings, places, circuit, times } = route;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((quantile) => times.predict(0, quantile));
  const quotas = Object.entries(circuit.quotas).filter(([, until]) => until > now);
  return {
    provider: settings.provider,
    model: settings.model,
    running: places.running,
    waiting: places.waiting,
    failures: circuit.failures,
    closedInMs: route.closedIn(now),
    quotas: Object.fromEntries(quotas.map(([id, until]) => [id, until - now])),
    ttft: p50 === undefined ? undefined : { p50, p95: p95!, p99: p99! },
    msPerPromptToken: times.msPerToken,
  };
}
