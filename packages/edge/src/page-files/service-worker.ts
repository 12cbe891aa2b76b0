/**
 * Keeps the listed files of a page, all of one release: a release is cached as a whole before it serves anything, so a page
 * never runs with a worker of another release. Inference cannot live here: a browser ends a service worker at any time.
 *
 * A new release waits until a page that begins asks it to take over, and no other page of the old one is open.
 */
/// <reference lib="webworker" />
declare const self: {
  /** SHA-256 of each file in Base64, by its path below the scope; `serviceWorker` writes it before this script. */
  readonly SKEIN_FILES: Readonly<Record<string, string>>;
} & Scope;

interface Extended extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extended {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Asking extends Extended {
  readonly data: unknown;
}
interface Scope {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: object): Promise<readonly { readonly url: string }[]>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', handle: (event: Extended) => void): void;
  addEventListener(type: 'fetch', handle: (event: Fetching) => void): void;
  addEventListener(type: 'message', handle: (event: Asking) => void): void;
}

const PREFIX = 'skein page ';
const { SKEIN_FILES: files, registration } = self;
const { scope } = registration;
const release = `${PREFIX}${scope} ${Object.values(files).join(' ')}`;

async function keep(): Promise<void> {
  const cache = await caches.open(release);
  for (const [path, digest] of Object.entries(files)) {
    const address = new URL(path, scope);
    if ((await cache.match(address)) !== undefined) continue;
    const integrity = `sha256-${digest}`;
    const response = await fetch(address, { cache: 'no-cache', integrity });
    if (!response.ok) throw new Error(`${address.href}: HTTP status ${response.status}`);
    await cache.put(address, response);
  }
}

async function dropOthers(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(`${PREFIX}${scope} `) && name !== release) await caches.delete(name);
  }
}

async function takeOver(): Promise<void> {
  const pages = await self.clients.matchAll({ includeUncontrolled: true });
  if (pages.filter(({ url }) => url.startsWith(scope)).length < 2) await self.skipWaiting();
}

/** @returns undefined for what is not a file of the page. */
function pathOf({ url, method }: Request): string | undefined {
  if (method !== 'GET' || !url.startsWith(scope)) return undefined;
  const { origin, pathname } = new URL(url);
  const path = `${origin}${pathname}`.slice(scope.length);
  return [path, `${path}index.html`].find((each) => Object.hasOwn(files, each));
}

async function answer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(release);
  return (await cache.match(new URL(path, scope))) ?? fetch(request);
}

self.addEventListener('install', (event) => event.waitUntil(keep()));
self.addEventListener('activate', (event) =>
  event.waitUntil(dropOthers().then(() => self.clients.claim())),
);
self.addEventListener('message', (event) => {
  if (event.data === 'take over') event.waitUntil(takeOver());
});
self.addEventListener('fetch', (event) => {
  const path = pathOf(event.request);
  if (path !== undefined) event.respondWith(answer(event.request, path));
});
