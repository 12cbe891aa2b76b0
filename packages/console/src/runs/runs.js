/** The training runs, newest first; two of them can be laid side by side. */
import { h } from '../dom.js';
import { ask } from '../feed.js';
import { ago, metric } from '../format.js';
import { keepFresh } from '../live.js';
import { bar, chip, heading, trouble } from '../parts.js';
import { linkTo } from '../router.js';

const TONES = { finished: 'good', interrupted: 'warn', failed: 'bad' };

export function statusChip({ status, reason }) {
  return chip(status, TONES[status] ?? 'accent', reason);
}

/** The numbers of a run that a line has room for. */
export function headlineOf({ result, last, epochs }) {
  const report = result?.report;
  if (report?.kind === 'classification') return `accuracy ${metric(report.accuracy)}`;
  if (report?.kind === 'regression') return `RMSE ${metric(report.rmse)}`;
  const newest = last ?? epochs?.at(-1);
  return newest === undefined ? '–' : `loss ${metric(newest.loss)}`;
}

export function showRuns(root, _route, signal) {
  const problem = trouble();
  const body = h('tbody');
  const none = h(
    'div',
    { class: 'panel empty', hidden: true },
    h('p', null, 'Nothing has been trained yet.'),
    h(
      'pre',
      null,
      h(
        'code',
        null,
        'skein train --model mlp:16 --data train.csv --label diagnosis --deploy risk',
      ),
    ),
  );
  const titles = ['Run', 'Status', 'Result', 'Epochs', 'Served as', 'Started', 'Compare'];
  const panel = h(
    'div',
    { class: 'panel scroll' },
    h(
      'table',
      { class: 'list' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          titles.map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      body,
    ),
  );
  const compare = h('a', { class: 'act', hidden: true }, 'Compare the two');
  root.append(
    h(
      'section',
      null,
      h('div', { class: 'head' }, heading('Runs'), compare),
      problem.box,
      panel,
      none,
    ),
  );
  /** Ids, the one chosen last at the end. */
  let chosen = [];
  const rows = new Map();

  function choose(id, on) {
    chosen = [...chosen.filter((other) => other !== id), ...(on ? [id] : [])].slice(-2);
    for (const [each, { box }] of rows) box.checked = chosen.includes(each);
    compare.hidden = chosen.length < 2;
    if (chosen.length === 2) compare.href = linkTo('runs', chosen);
  }

  async function load() {
    const { runs } = await ask('/api/v1/runs?limit=200');
    if (signal.aborted) return;
    const ids = new Set(runs.map(({ id }) => id));
    for (const [id, { row }] of rows) {
      if (ids.has(id)) continue;
      row.remove();
      rows.delete(id);
      choose(id, false);
    }
    runs.forEach((run, index) => {
      const entry = rows.get(run.id) ?? create(run);
      rows.set(run.id, entry);
      if (entry.updatedAt !== `${run.updatedAt} ${run.status}`) draw(entry, run);
      if (body.children[index] !== entry.row) body.insertBefore(entry.row, body.children[index]);
    });
    panel.hidden = runs.length === 0;
    none.hidden = runs.length > 0;
  }

  function create({ id }) {
    const box = h('input', {
      type: 'checkbox',
      'aria-label': `Compare ${id}`,
      onchange: () => choose(id, box.checked),
    });
    const cells = titles.slice(1, -1).map(() => h('td'));
    const head = h('th', { scope: 'row' });
    return { row: h('tr', { 'data-id': id }, head, cells, h('td', null, box)), head, cells, box };
  }

  const poke = keepFresh(load, { everyMs: 30_000, gapMs: 1000, signal, failed: problem.show });
  addEventListener('skein-run', () => poke(), { signal });
}

function draw(entry, run) {
  const { id, name, plan, last, versions, startedAt, steps, status } = run;
  entry.updatedAt = `${run.updatedAt} ${status}`;
  entry.head.replaceChildren(
    h('a', { href: linkTo('runs', [id]) }, name),
    h('small', { class: 'id' }, id),
  );
  const epochs = `${last?.epoch ?? 0} of ${plan.epochs ?? '?'}`;
  const done = steps.planned === 0 ? 0 : Math.min(steps.done / steps.planned, 1);
  const served = versions.map((each) => `${each.model} v${each.version}`).join(', ');
  const cells = [
    [statusChip(run)],
    [headlineOf(run)],
    [epochs, status === 'running' ? bar(done, 'Steps') : ''],
    [served || '–'],
    [h('time', { datetime: startedAt, title: startedAt }, ago(startedAt))],
  ];
  entry.cells.forEach((cell, index) => cell.replaceChildren(...cells[index]));
}
