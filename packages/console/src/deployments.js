/** The table of deployments: one group of rows each, brought up to date in place. */
import { decisionsOf, words } from './decisions.js';
import { byId, h } from './dom.js';
import { clock, milliseconds, percent, perSecond } from './format.js';
import { sparkline } from './sparkline.js';

/** Samples kept, one a second. */
const CAPACITY = 60;

/** By name: the last view, the samples, the elements. */
const shown = new Map();

export function views() {
  return [...shown.values()].map((entry) => entry.view);
}

export function update(view) {
  const entry = shown.get(view.name) ?? create(view.name);
  entry.view = view;
  draw(entry);
}

export function remove(name) {
  shown.get(name)?.body.remove();
  shown.delete(name);
  showEmpty();
}

/** Takes a sample of every deployment, so that lines move on also when nothing is sent. */
export function sample() {
  for (const entry of shown.values()) {
    const { last, targets } = entry.view;
    const refused = {};
    for (const target of targets) {
      for (const [code, count] of Object.entries(target.refused)) {
        refused[code] = (refused[code] ?? 0) + count;
      }
    }
    entry.samples.push({ p99: last.p99Ms, rate: last.requestsPerSecond, refused });
    if (entry.samples.length > CAPACITY) entry.samples.shift();
    draw(entry);
  }
}

function create(name) {
  const cells = Object.fromEntries(
    ['versions', 'replicas', 'latency', 'traffic', 'attainment', 'shed'].map((key) => [
      key,
      h('td', { class: key }),
    ]),
  );
  const status = h('span', { class: 'status' });
  const detail = h('div', { class: 'detail', id: `detail-${name}` });
  const detailRow = h('tr', { class: 'detail-row', hidden: true }, h('td', { colspan: 7 }, detail));
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'name',
      'aria-expanded': 'false',
      'aria-controls': detail.id,
      onclick: () => {
        detailRow.hidden = !detailRow.hidden;
        toggle.setAttribute('aria-expanded', String(!detailRow.hidden));
        draw(entry);
      },
    },
    name,
  );
  const kind = h('span', { class: 'muted kind-of' });
  const head = h('th', { scope: 'row' }, toggle, kind, status);
  const row = h('tr', null, head, ...Object.values(cells));
  const body = h('tbody', { 'data-name': name }, row, detailRow);
  const entry = { view: null, samples: [], cells, status, kind, detail, detailRow, body };
  shown.set(name, entry);
  const table = document.querySelector('.deployments');
  const next = [...table.tBodies].find((other) => other.dataset.name > name) ?? null;
  table.insertBefore(body, next);
  showEmpty();
  return entry;
}

function showEmpty() {
  byId('deployments-panel').hidden = shown.size === 0;
  byId('no-deployments').hidden = shown.size > 0;
}

function draw(entry) {
  const { view, samples, cells } = entry;
  const objective = view.settings.objective;
  entry.body.dataset.status = view.status;
  entry.kind.textContent = view.kind === 'composition' ? 'composition' : '';
  entry.status.replaceChildren(
    h('i', { class: 'dot', 'aria-hidden': 'true' }),
    h(
      'span',
      { title: view.reason },
      view.status === 'ready' ? 'ready' : `${view.status}: ${view.reason}`,
    ),
  );
  cells.versions.replaceChildren(versions(view));
  cells.replicas.replaceChildren(...replicas(view));
  const over = view.last.p99Ms !== null && view.last.p99Ms > objective.latencyMs;
  cells.latency.dataset.tone = over ? 'bad' : 'good';
  cells.latency.replaceChildren(
    sparkline(
      samples.map((s) => s.p99),
      {
        capacity: CAPACITY,
        bound: objective.latencyMs,
        label: `p99 latency over the last ${CAPACITY} seconds; the dashed line is the objective`,
      },
    ),
    h(
      'div',
      { class: 'figures' },
      h('strong', null, milliseconds(view.last.p99Ms)),
      h('small', null, ` p99 of ${milliseconds(objective.latencyMs)}`),
      h('br'),
      h('small', null, `${milliseconds(view.last.p50Ms)} p50`),
    ),
  );
  cells.traffic.replaceChildren(
    sparkline(
      samples.map((s) => s.rate),
      {
        capacity: CAPACITY,
        label: `requests per second over the last ${CAPACITY} seconds`,
      },
    ),
    h(
      'div',
      { class: 'figures' },
      h('strong', null, perSecond(view.last.requestsPerSecond)),
      h('small', null, ' /s'),
      h('br'),
      h('small', null, `${perSecond(view.last.goodputPerSecond)} /s in time`),
    ),
  );
  const attainment = view.last.sloAttainment;
  cells.attainment.dataset.tone =
    attainment === null ? 'plain' : attainment >= objective.quantile ? 'good' : 'bad';
  cells.attainment.replaceChildren(h('strong', null, percent(attainment)));
  cells.shed.replaceChildren(...shed(entry));
  if (!entry.detailRow.hidden) entry.detail.replaceChildren(...details(view));
}

function versions(view) {
  const total = view.targets.reduce((sum, target) => sum + target.weight, 0) || 1;
  const share = (target) => Math.round((target.weight / total) * 100);
  return h(
    'div',
    { class: 'split' },
    h(
      'div',
      { class: 'bar', 'aria-hidden': 'true' },
      view.targets.map((target) =>
        h('i', { style: { 'flex-grow': String(target.weight || 0.001) } }),
      ),
    ),
    view.targets.map((target) =>
      h(
        'span',
        { title: `sha-256 ${target.digest}` },
        `v${target.version} `,
        h('small', null, `${share(target)}%`),
      ),
    ),
    view.rollout === undefined || ['finished', 'rolled-back'].includes(view.rollout.phase)
      ? null
      : h(
          'span',
          { class: 'chip', 'data-tone': 'warn', title: view.rollout.reason },
          `${view.rollout.strategy} ${view.rollout.phase} ${Math.round(view.rollout.share)}%`,
        ),
  );
}

function replicas(view) {
  const all = view.targets.flatMap((target) => target.replicas);
  const live = all.filter((replica) => replica.state !== 'gone');
  const busy = live.filter((replica) => replica.busy).length;
  const queued = view.targets.reduce((sum, target) => sum + target.queuedRequests, 0);
  return [
    h(
      'div',
      { class: 'birds', role: 'img', 'aria-label': `${live.length} replicas, ${busy} busy` },
      live.map((replica) =>
        h('i', {
          'data-state': replica.state,
          'data-busy': replica.busy,
          title: `${replica.id}: ${replica.state}${replica.busy ? ', busy' : ''}, ${replica.runs} runs`,
        }),
      ),
    ),
    h('small', null, live.length === 0 ? 'none' : `${live.length}, ${busy} busy`),
    queued === 0 ? null : h('small', null, `, ${queued} waiting`),
  ].filter((part) => part !== null);
}

/** What was refused since the oldest sample, by reason. */
function shed({ view, samples }) {
  const before = samples[0]?.refused ?? {};
  const now = samples.at(-1)?.refused ?? {};
  const reasons = Object.entries(now)
    .map(([code, count]) => [code, count - (before[code] ?? 0)])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3);
  const rate = view.last.shedPerSecond;
  if (rate === 0 && reasons.length === 0) return [h('span', { class: 'muted' }, 'none')];
  return [
    h('strong', null, perSecond(rate)),
    h('small', null, ' /s'),
    ...reasons.map(([code, count]) =>
      h(
        'span',
        { class: 'chip', 'data-tone': 'warn' },
        `${words(code.toLowerCase().replaceAll('_', '-'))} ${count}`,
      ),
    ),
  ];
}

function details(view) {
  const decisions = decisionsOf(view.name, 6);
  const { settings } = view;
  const shape = (spec) =>
    `${spec.name}: ${spec.type} [${spec.shape.map((size) => size ?? '?').join(', ')}]`;
  const facts = [
    [
      'Objective',
      `${milliseconds(settings.objective.latencyMs)} at p${settings.objective.quantile * 100}`,
    ],
    [
      'Replicas',
      settings.replicas === undefined
        ? 'as the cores carry'
        : `${settings.replicas.min} to ${settings.replicas.max}`,
    ],
    ['Threads', `${settings.threads} each, in a ${settings.isolation}, on ${settings.device}`],
    ['Batches', `up to ${settings.batching.maxRows} rows`],
    ['Takes', view.signature.inputs.map(shape).join('\n')],
    ['Gives', view.signature.outputs.map(shape).join('\n')],
  ];
  const learnt = view.targets.find((target) => target.latencies.length > 0)?.latencies ?? [];
  return [
    h(
      'dl',
      null,
      facts.map(([term, text]) => [h('dt', null, term), h('dd', null, text)]),
    ),
    learnt.length === 0
      ? null
      : h(
          'table',
          { class: 'learnt' },
          h('caption', null, 'Run time as learnt'),
          h(
            'tbody',
            null,
            learnt.map((row) =>
              h(
                'tr',
                null,
                h('th', { scope: 'row' }, `${row.rows} row${row.rows === 1 ? '' : 's'}`),
                h('td', null, milliseconds(row.p50Ms)),
                h('td', null, milliseconds(row.p99Ms)),
              ),
            ),
          ),
        ),
    h(
      'ol',
      { class: 'recent' },
      decisions.length === 0
        ? h('li', { class: 'muted' }, 'No decisions yet.')
        : decisions.map((entry) =>
            h(
              'li',
              null,
              h('small', null, `${clock(entry.at)} ${words(entry.kind)}`),
              h('span', null, entry.reason),
            ),
          ),
    ),
  ].filter((part) => part !== null);
}
