/** The jobs, newest first: what waits, runs and has ended, as it happens. */
import { h } from '../dom.js';
import { ask } from '../feed.js';
import { ago, percent, took } from '../format.js';
import { keepFresh, whileSeen } from '../live.js';
import { bar, heading, trouble } from '../parts.js';
import { linkTo } from '../router.js';
import { STATES, stateChip, tookMs } from './state.js';

const PAGE = 50;
const MOST = 1000;

export function showJobs(root, route, signal) {
  let query = route.query;
  let limit = PAGE;
  /** By id: the job, its row, and how it was drawn last. */
  const rows = new Map();

  const state = h(
    'select',
    { onchange: filter },
    h('option', { value: '' }, 'every state'),
    STATES.map((name) => h('option', { value: name }, name)),
  );
  const queues = h('datalist', { id: 'queue-names' });
  const queue = h('input', {
    type: 'search',
    placeholder: 'every queue',
    list: queues.id,
    size: 16,
    onchange: filter,
  });
  const group = h('p', { class: 'group' });
  const body = h('tbody');
  const panel = h(
    'div',
    { class: 'panel scroll' },
    h(
      'table',
      { class: 'list jobs' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          ['Job', 'State', 'Queue', 'Attempts', 'Took', 'Enqueued'].map((title) =>
            h('th', { scope: 'col' }, title),
          ),
        ),
      ),
      body,
    ),
  );
  const none = h('div', { class: 'panel empty', hidden: true });
  const more = h('button', { type: 'button', class: 'act', hidden: true, onclick: older }, 'Older');
  const problem = trouble();
  root.append(
    h(
      'section',
      null,
      heading('Jobs'),
      h(
        'form',
        { class: 'filters', onsubmit: (event) => event.preventDefault() },
        h('label', null, 'State', state),
        h('label', null, 'Queue', queue, queues),
      ),
      group,
      problem.box,
      panel,
      none,
      more,
    ),
  );

  function filter() {
    const next = { ...query, state: state.value, queue: queue.value.trim() };
    location.replace(linkTo('jobs', [], next));
  }

  function older() {
    limit = Math.min(limit + 2 * PAGE, MOST);
    poke(true);
  }

  async function load() {
    const asked = query;
    const wanted = new URLSearchParams({ ...asked, limit: String(limit) });
    const { jobs, next } = await ask(`/api/v1/jobs?${wanted}`);
    if (signal.aborted || asked !== query) return;
    draw(jobs);
    more.hidden = next === undefined || limit === MOST;
    const { queues: known } = await ask('/api/v1/queues').catch(() => ({ queues: [] }));
    queues.replaceChildren(...known.map((each) => h('option', { value: each.queue })));
  }

  function draw(jobs) {
    const ids = new Set(jobs.map(({ id }) => id));
    for (const [id, { row }] of rows) {
      if (ids.has(id)) continue;
      row.remove();
      rows.delete(id);
    }
    jobs.forEach((job, index) => {
      const entry = rows.get(job.id) ?? { row: h('tr', { 'data-id': job.id }) };
      rows.set(job.id, entry);
      update(entry, job);
      // Moved only when it must be, so that what has the focus keeps it.
      if (body.children[index] !== entry.row) body.insertBefore(entry.row, body.children[index]);
    });
    panel.hidden = jobs.length === 0;
    none.hidden = jobs.length > 0;
    const filtered = Object.values(query).some((value) => value !== '');
    none.replaceChildren(
      h('p', null, filtered ? 'There are no such jobs.' : 'There are no jobs yet.'),
      filtered ? '' : h('pre', null, h('code', null, 'skein run -- echo hello')),
    );
  }

  function heard(event) {
    const entry = event && rows.get(event.job);
    if (entry !== undefined) {
      const { state, cause, progress } = event;
      update(entry, { ...entry.job, state, cause, progress: progress ?? entry.job.progress });
    }
    if (event === undefined || event.kind === 'state' || event.kind === 'attempt') poke();
  }

  function setQuery(next) {
    query = { state: '', queue: '', ...next };
    state.value = query.state;
    queue.value = query.queue;
    group.hidden = query.group === undefined;
    group.replaceChildren(
      h('span', { class: 'muted' }, 'Of the group '),
      query.group ?? '',
      ' ',
      h('a', { href: linkTo('jobs', [], { ...query, group: '' }) }, 'Show all'),
    );
    for (const name of Object.keys(query)) if (query[name] === '') delete query[name];
  }

  setQuery(route.query);
  const poke = keepFresh(load, { everyMs: 15_000, signal, failed: problem.show });
  void whileSeen({}, heard, signal);
  const clock = setInterval(() => {
    for (const entry of rows.values()) if (entry.job.state === 'running') update(entry, entry.job);
  }, 1000);
  signal.addEventListener('abort', () => clearInterval(clock));
  return (next) => {
    setQuery(next.query);
    limit = PAGE;
    poke(true);
  };
}

function update(entry, job) {
  const now = Date.now();
  const time = tookMs(job, now);
  const { id: _id, work: _work, ...seen } = job;
  const look = JSON.stringify([seen, time, ago(job.enqueuedAt, now)]);
  entry.job = job;
  if (entry.look === look) return;
  entry.look = look;
  const { progress, attempts } = job;
  const running = job.state === 'running' && progress !== undefined;
  const cells = [
    [stateChip(job), running ? bar(progress.fraction, progress.message) : ''],
    [job.queue],
    [attempts.length === 0 ? '–' : `${attempts.length} of ${job.retry.maxAttempts}`],
    [time === undefined ? '–' : took(time)],
    [h('time', { datetime: job.enqueuedAt, title: job.enqueuedAt }, ago(job.enqueuedAt, now))],
  ];
  const note = running ? `${percent(progress.fraction)} ${progress.message}` : (job.message ?? '');
  const link = h('a', { href: linkTo('jobs', [job.id]) }, job.name);
  if (entry.cells === undefined) {
    entry.note = h('small', { class: 'note' });
    const head = h('th', { scope: 'row' }, link, h('small', { class: 'id' }, job.id), entry.note);
    entry.cells = cells.map(() => h('td'));
    entry.row.append(head, ...entry.cells);
  }
  entry.note.textContent = note;
  entry.row.dataset.state = job.state;
  entry.cells.forEach((cell, index) => cell.replaceChildren(...cells[index]));
}
