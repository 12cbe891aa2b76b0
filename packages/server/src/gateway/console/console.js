/** The console: wires the node's events to what the page shows. */
import { addDecision } from './decisions.js';
import { remove, sample, update, views } from './deployments.js';
import { byId, h } from './dom.js';
import { call, follow, storeKey } from './feed.js';
import { duration, percent, perSecond } from './format.js';
import { openReader, reads } from './reader.js';

const STATES = { live: 'Live', lost: 'Reconnecting', connecting: 'Connecting' };

function totals() {
  const all = views().map((view) => view.last);
  const sum = (key) => all.reduce((total, last) => total + last[key], 0);
  const requests = sum('requestsPerSecond');
  const kept = all.reduce(
    (total, last) => total + (last.sloAttainment ?? 0) * last.requestsPerSecond,
    0,
  );
  const figure = (value, unit, label) =>
    h('div', null, h('strong', null, value, h('small', null, unit)), h('span', null, label));
  byId('totals').replaceChildren(
    figure(perSecond(requests), ' /s', 'requests'),
    figure(perSecond(sum('goodputPerSecond')), ' /s', 'answered in time'),
    figure(percent(requests === 0 ? null : kept / requests), '', 'of requests in time'),
    figure(perSecond(sum('shedPerSecond')), ' /s', 'shed'),
  );
}

async function showNode() {
  const node = await (await call('/api/v1/node')).json();
  byId('node').textContent =
    `${node.version}, up ${duration(node.uptimeMs)}, ` +
    (node.access === 'open' ? 'open on this machine' : 'keys required') +
    (node.draining ? ', draining' : '');
  byId('cores').replaceChildren(
    h(
      'span',
      {
        class: 'pips',
        role: 'img',
        'aria-label': `${node.coresInUse} threads of replicas on ${node.cores} cores`,
      },
      Array.from({ length: Math.min(node.cores, 32) }, (_, index) =>
        h('i', { 'data-used': index < node.coresInUse }),
      ),
    ),
    h('small', { class: 'muted' }, `${node.coresInUse} threads, ${node.cores} cores`),
  );
}

/** Resolves when a person has entered a key. */
async function askForKey(error) {
  byId('key-message').textContent = error.message;
  const dialog = byId('key-dialog');
  if (!dialog.open) dialog.showModal();
  await new Promise((resolve) => {
    byId('key-form').addEventListener(
      'submit',
      (event) => {
        event.preventDefault();
        storeKey(byId('key').value.trim());
        dialog.close();
        resolve();
      },
      { once: true },
    );
  });
}

async function onceLive() {
  const { entries } = await (await call('/api/v1/history?limit=60')).json();
  for (const entry of entries) addDecision(entry);
  await showNode();
}

openReader(() => views().find(reads));
totals();
setInterval(() => {
  sample();
  totals();
}, 1000);
setInterval(() => void showNode().catch(() => {}), 5000);

void follow({
  state(state) {
    const pill = byId('connection');
    pill.dataset.state = state;
    pill.textContent = STATES[state];
    if (state === 'live') void onceLive().catch(() => {});
  },
  event(type, data) {
    if (type === 'deployment') update(data);
    else if (type === 'undeployed') remove(data.name);
    else if (type === 'history') addDecision(data);
    byId('reader').hidden = !views().some(reads);
  },
  locked: askForKey,
});
