/** The console: wires the node's events to what the page shows. */
import { addDecision } from './decisions.js';
import { remove, sample, update, views } from './deployments.js';
import { byId, h } from './dom.js';
import { call, follow } from './feed.js';
import { duration, percent, perSecond } from './format.js';
import { showJob } from './jobs/job.js';
import { showJobs } from './jobs/jobs.js';
import { showQueues } from './jobs/queues.js';
import { askForKey } from './key.js';
import { openReader, reads } from './reader.js';
import { isServing, openRouter } from './router.js';
import { showComparison } from './runs/compare.js';
import { showRun } from './runs/run.js';
import { showRuns } from './runs/runs.js';

const STATES = {
  live: 'Live',
  lost: 'Reconnecting',
  connecting: 'Connecting',
  limited: 'Jobs only',
};

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

openRouter({
  jobs: {
    title: 'Jobs',
    show: (root, route, signal) =>
      (route.parts.length === 0 ? showJobs : showJob)(root, route, signal),
  },
  queues: { title: 'Queues', show: showQueues },
  runs: {
    title: 'Runs',
    show: (root, route, signal) =>
      [showRuns, showRun, showComparison][Math.min(route.parts.length, 2)](root, route, signal),
  },
});

/** A key for jobs alone is good for their views; only the serving view needs another. */
async function locked(error) {
  while (error.status === 403 && !isServing()) {
    showState('limited');
    await new Promise((resolve) => {
      for (const change of ['hashchange', 'skein-key']) {
        addEventListener(change, resolve, { once: true });
      }
    });
    if (!isServing()) return;
  }
  await askForKey(error);
}

function showState(state) {
  const pill = byId('connection');
  pill.dataset.state = state;
  pill.textContent = STATES[state];
}

void follow('/api/v1/events', {
  state(state) {
    showState(state);
    if (state === 'live') void onceLive().catch(() => {});
  },
  event(type, data) {
    if (type === 'deployment') update(data);
    else if (type === 'undeployed') remove(data.name);
    else if (type === 'history') addDecision(data);
    else if (type === 'run') dispatchEvent(new CustomEvent('skein-run', { detail: data }));
    byId('reader').hidden = !views().some(reads);
  },
  locked,
});
