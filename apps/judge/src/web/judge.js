/** The page: which part of it is shown follows the fragment of the address. */
import { get } from './api.js';
import { byId, h, replace } from './dom.js';
import { problemPage } from './problem-page.js';
import { problemsPage } from './problems-page.js';
import { show, startSession } from './session.js';
import { standingsPage } from './standings-page.js';
import { submissionPage, submissionsPage } from './submissions-page.js';

/** Aborted when another part is shown. */
let shown = new AbortController();

const ROUTES = [
  [/^\/?$/, 'problems', () => problemsPage()],
  [
    /^\/problems\/([^/?]+)$/,
    'problems',
    ([id], signal) => problemPage(decodeURIComponent(id), signal),
  ],
  [
    /^\/submissions(?:\?(.*))?$/,
    'submissions',
    ([query], signal) => submissionsPage(query ?? '', signal),
  ],
  [/^\/submissions\/(\d+)$/, 'submissions', ([id], signal) => submissionPage(id, signal)],
  [/^\/standings$/, 'standings', (_, signal) => standingsPage(signal)],
];

async function navigate(focus) {
  if (location.hash !== '' && !location.hash.startsWith('#/')) return;
  shown.abort();
  const own = new AbortController();
  shown = own;
  const path = location.hash.slice(1);
  const [found] = ROUTES.flatMap(([pattern, page, open]) => {
    const match = pattern.exec(path);
    return match === null ? [] : [{ page, open: () => open(match.slice(1), own.signal) }];
  });
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.page === found?.page) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const main = byId('main');
  // What is still shown belongs to another address.
  main.inert = true;
  try {
    const view = found === undefined ? nothing() : await found.open();
    if (own.signal.aborted) return;
    document.title = `${view.title} · Judge`;
    replace(main, view.content);
  } catch (error) {
    if (own.signal.aborted) return;
    document.title = 'Judge';
    replace(main, refusal(error));
  }
  main.inert = false;
  if (focus) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function nothing() {
  return {
    title: 'Not found',
    content: h('p', { class: 'panel empty' }, 'There is no such page.'),
  };
}

/** The fix is for callers of the API; who looks for what is not there wants the way back. */
function refusal({ message, status, fix }) {
  const way = status === 404 ? h('a', { href: '#/' }, 'All problems') : fix;
  return h('div', { class: 'refusal' }, h('strong', {}, message), way ? h('span', {}, way) : null);
}

/** A judge that cannot judge says so on every page. */
async function explain() {
  const { judges, reason } = await get('judge');
  const banner = byId('banner');
  banner.hidden = judges;
  banner.textContent = judges ? '' : reason;
}

function changed() {
  show(changed);
  void navigate(false);
}

addEventListener('hashchange', () => void navigate(true));
await startSession(changed);
await Promise.all([navigate(false), explain().catch(() => undefined)]);
setInterval(() => {
  if (!document.hidden) void explain().catch(() => undefined);
}, 15_000);
