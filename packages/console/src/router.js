/**
 * The view that the address names after its `#`, such as `#/jobs?state=dead` or `#/jobs/ID`, so that
 * a view can be bookmarked and the back button works.
 *
 * A view is `(root, route, signal) => update`: it fills the root and stops when the signal is aborted.
 * `update`, where there is one, is called when only the query has changed.
 */
import { byId } from './dom.js';

export function routeOf(hash) {
  const [path, search = ''] = hash.replace(/^#\/?/, '').split('?');
  const [name = '', ...parts] = path.split('/').map(decoded);
  return { name, parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** @returns the `#…` of a route; parts may hold anything. */
export function linkTo(name, parts = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== undefined);
  const search = new URLSearchParams(given).toString();
  const path = [name, ...parts.map(encodeURIComponent)].join('/');
  return `#/${path}${search === '' ? '' : `?${search}`}`;
}

export function isServing() {
  return routeOf(location.hash).name === '';
}

/** @param views by name; what is not there is the serving view, which is always alive. */
export function openRouter(views) {
  const root = byId('other');
  let leave = new AbortController();
  let shown = '';
  let update;

  function show(again) {
    const route = routeOf(location.hash);
    const view = Object.hasOwn(views, route.name) ? views[route.name] : undefined;
    const address = JSON.stringify([route.name, route.parts]);
    if (!again && address === shown && update !== undefined) return update(route);
    leave.abort();
    leave = new AbortController();
    const moved = shown !== '' && shown !== address;
    shown = address;
    update = undefined;
    root.replaceChildren();
    root.hidden = view === undefined;
    byId('serving').hidden = view !== undefined;
    mark(view === undefined ? '' : route.name);
    document.title = view === undefined ? 'Skein' : `${view.title} – Skein`;
    if (view === undefined) return;
    update = view.show(root, route, leave.signal);
    if (!moved) return;
    scrollTo(0, 0);
    // A reader of the screen hears where it is now.
    root.querySelector('h2')?.focus({ preventScroll: true });
  }

  addEventListener('hashchange', () => show(false));
  addEventListener('skein-key', () => show(true));
  show(true);
}

function mark(name) {
  for (const link of byId('views').children) {
    const here = routeOf(link.hash).name === name;
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
