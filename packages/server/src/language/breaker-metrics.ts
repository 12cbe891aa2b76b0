/** Which routes of language models are not asked, for `/metrics`: the breakers of this node. */
import type { ModelView } from '@skein/generative';
import { type Exposition, labelled } from '@skein/http';

export function exposeBreakers(models: readonly ModelView[], into: Exposition): void {
  const routes = models.flatMap(({ name, routes: all }) =>
    all.map((route) => ({
      route,
      labels: { model: name, provider: route.provider, route: route.model },
    })),
  );
  if (routes.length === 0) return;
  into.family(
    'skein_language_route_closed_seconds',
    'gauge',
    'Until a route is asked again, by all tenants or by those whose own requests have failed; 0: it is asked now.',
  );
  for (const { route, labels } of routes) {
    into.sample(labelled(labels), route.closedInMs / 1000);
  }
  into.family(
    'skein_language_quota_reset_seconds',
    'gauge',
    'Until a spent quota that keeps a route away is reset.',
  );
  for (const { route, labels } of routes) {
    for (const [quota, inMs] of Object.entries(route.quotas)) {
      into.sample(labelled({ ...labels, quota }), inMs / 1000);
    }
  }
}
