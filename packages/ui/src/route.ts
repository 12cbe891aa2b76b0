/**
 * The view that the address names after its `#`, such as `#/jobs?state=dead` or `#/jobs/ID`, so that
 * a view can be bookmarked and the back button works.
 */
import { Store } from './store.ts';

export interface Route {
  /** The first part; '' for the first view. */
  readonly name: string;
  readonly parts: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?');
  const [name = '', ...parts] = path.replace(/\/+$/, '').split('/').map(decoded);
  return { name, parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** @returns the `#…` of a route; parts and values may hold any text. */
export function linkTo(
  name: string,
  parts: readonly string[] = [],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter(
    (field): field is [string, string] => field[1] !== undefined && field[1] !== '',
  );
  const search = new URLSearchParams(given).toString();
  const path = [name, ...parts.map(encodeURIComponent)].join('/');
  return `#/${path}${search === '' ? '' : `?${search}`}`;
}

let current: Store<Route> | undefined;

/** Follows the address of this page. */
export function currentRoute(): Store<Route> {
  if (current === undefined) {
    const store = new Store(routeOf(location.hash));
    addEventListener('hashchange', () => {
      // `#main` of a skip link is not a view.
      if (location.hash === '' || location.hash.startsWith('#/')) store.set(routeOf(location.hash));
    });
    current = store;
  }
  return current;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
