/** The queues, who works on them, and what isolates the work. */
import { confirmed } from '../confirm.js';
import { h } from '../dom.js';
import { ask, send } from '../feed.js';
import { ago, bytes, cores } from '../format.js';
import { keepFresh, whileSeen } from '../live.js';
import { button, chip, heading, trouble } from '../parts.js';
import { linkTo } from '../router.js';
import { sandboxCards } from './sandboxes.js';
import { STATES } from './state.js';

const MODES = {
  open: { action: 'Open' },
  paused: {
    action: 'Pause',
    tone: 'warn',
    text: 'Nothing of it starts until it is opened again. What runs goes on, and new jobs are accepted.',
  },
  draining: {
    action: 'Drain',
    tone: 'warn',
    text: 'New jobs are refused. What waits still starts, and what runs goes on.',
  },
};

export function showQueues(root, _route, signal) {
  const problem = trouble();
  const queues = h('tbody');
  const workers = h('tbody');
  const sandboxes = h('div', { class: 'cards' });
  const none = h('div', { class: 'panel empty', hidden: true }, h('p', null, 'No queue yet.'));
  root.append(
    h(
      'section',
      null,
      heading('Queues'),
      problem.box,
      table(['Queue', ...STATES, ''], queues),
      none,
    ),
    h(
      'section',
      null,
      h('h2', null, 'Workers'),
      table(['Worker', 'Queues', 'Running', 'Offers', 'Labels', 'Seen'], workers),
    ),
    h('section', null, h('h2', null, 'Sandboxes of this node'), sandboxes),
  );
  /** By queue: the cells and buttons, which stay while one uses them. */
  const rows = new Map();

  async function load() {
    const [found, { workers: working }] = await Promise.all([
      ask('/api/v1/queues'),
      ask('/api/v1/workers'),
    ]);
    if (signal.aborted) return;
    drawQueues(found.queues);
    workers.replaceChildren(...working.map(workerRow));
    if (working.length === 0) workers.append(noWorkers());
  }

  function drawQueues(found) {
    const names = new Set(found.map(({ queue }) => queue));
    for (const [name, { row }] of rows) {
      if (names.has(name)) continue;
      row.remove();
      rows.delete(name);
    }
    for (const view of found) {
      if (!rows.has(view.queue)) rows.set(view.queue, addRow(view.queue));
      rows.get(view.queue).draw(view);
    }
    queues.closest('.panel').hidden = found.length === 0;
    none.hidden = found.length > 0;
  }

  function addRow(name) {
    const mode = h('span', { class: 'mode' });
    const oldest = h('small', { class: 'note' });
    const cells = STATES.map((state) => h('td', { 'data-count': state }));
    const buttons = Object.keys(MODES).map((next) =>
      button(MODES[next].action, () => change(name, next), problem),
    );
    const link = h('a', { href: linkTo('jobs', [], { queue: name }) }, name);
    const row = h(
      'tr',
      { 'data-queue': name },
      h('th', { scope: 'row' }, link, mode, oldest),
      cells,
      h('td', { class: 'actions' }, buttons),
    );
    queues.append(row);
    return {
      row,
      draw({ counts, mode: now, oldestReadyAt }) {
        mode.replaceChildren(chip(now, MODES[now]?.tone ?? 'good'));
        oldest.textContent = oldestReadyAt
          ? `the oldest waits for ${ago(oldestReadyAt).replace(' ago', '')}`
          : '';
        STATES.forEach((state, index) => {
          const count = counts[state] ?? 0;
          const href = linkTo('jobs', [], { queue: name, state });
          cells[index].replaceChildren(
            count === 0
              ? h('span', { class: 'muted' }, '0')
              : h('a', { href }, count.toLocaleString('en')),
          );
        });
        Object.keys(MODES).forEach((next, index) => (buttons[index].hidden = next === now));
      },
    };
  }

  async function change(queue, mode) {
    const { action, text } = MODES[mode];
    if (text !== undefined) {
      const title = `${action} the queue ${queue}?`;
      if ((await confirmed({ title, text, action })) === undefined) return;
    }
    await send('PUT', `/api/v1/queues/${encodeURIComponent(queue)}/mode`, { mode });
    poke(true);
  }

  const poke = keepFresh(load, { everyMs: 10_000, gapMs: 1000, signal, failed: problem.show });
  void whileSeen({}, (event) => (event === undefined || event.kind === 'state') && poke(), signal);
  ask('/api/v1/sandboxes')
    .then((found) => sandboxes.replaceChildren(...sandboxCards(found.sandboxes)))
    .catch((error) => signal.aborted || problem.show(error));
}

function table(titles, body) {
  const head = h(
    'tr',
    null,
    titles.map((title) => h('th', { scope: 'col' }, title)),
  );
  return h(
    'div',
    { class: 'panel scroll' },
    h('table', { class: 'list' }, h('thead', null, head), body),
  );
}

function workerRow({ worker, host, queues, labels, total, running, mode, seenAt }) {
  return h(
    'tr',
    null,
    h(
      'th',
      { scope: 'row' },
      worker,
      mode === 'draining' ? chip('draining', 'warn') : '',
      h('small', { class: 'id' }, host),
    ),
    h('td', null, queues.join(', ')),
    h('td', { 'data-count': 'running' }, String(running)),
    h('td', null, `${cores(total.cores)}, ${bytes(total.memoryBytes)}`),
    h(
      'td',
      { class: 'labels' },
      labels.map((label) => chip(label, 'plain')),
    ),
    h('td', null, ago(seenAt)),
  );
}

function noWorkers() {
  const text = 'Nobody works: jobs wait until a worker comes.';
  return h('tr', null, h('td', { colspan: 6, class: 'muted' }, text));
}
