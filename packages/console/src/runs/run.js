/** One training run: its curves, where it comes from, and how good its result is. */
import { h } from '../dom.js';
import { ask } from '../feed.js';
import { ago, bytes, clock, metric, percent, spaced, took } from '../format.js';
import { keepFresh } from '../live.js';
import { facts, heading, trouble } from '../parts.js';
import { linkTo } from '../router.js';
import { curvesOf } from './curves.js';
import { headlineOf, statusChip } from './runs.js';

export function showRun(root, { parts: [id] }, signal) {
  const problem = trouble();
  const title = heading();
  const status = h('span', { role: 'status' });
  const headline = h('strong', { class: 'headline' });
  const about = h('div');
  root.append(
    h(
      'section',
      null,
      h('p', { class: 'back' }, h('a', { href: linkTo('runs') }, 'All runs')),
      h('div', { class: 'head' }, title, status, headline),
      problem.box,
      about,
    ),
  );
  let seen;
  let stale = false;

  async function load() {
    if (!stale && seen !== undefined && seen.status !== 'running') return;
    stale = false;
    const run = await ask(`/api/v1/runs/${encodeURIComponent(id)}`);
    if (signal.aborted || seen?.updatedAt === run.updatedAt) return;
    seen = run;
    title.textContent = run.name;
    status.replaceChildren(statusChip(run));
    headline.textContent = headlineOf(run);
    about.replaceChildren(
      run.reason === '' ? '' : h('p', { class: 'why' }, run.reason),
      h('div', { class: 'curves' }, curvesOf([run])),
      h('div', { class: 'cards' }, card('Run', runFacts(run)), card('Lineage', lineageOf(run))),
      reportOf(run.result?.report),
      planOf(run.plan),
    );
  }

  const poke = keepFresh(load, { everyMs: 30_000, gapMs: 500, signal, failed: problem.show });
  const heard = ({ detail }) => {
    if (detail.id !== id || detail.updatedAt === seen?.updatedAt) return;
    stale = true;
    poke();
  };
  addEventListener('skein-run', heard, { signal });
}

function card(title, content) {
  return h('article', { class: 'panel card' }, h('h3', null, title), content);
}

const short = (digest) => h('code', { title: digest }, `${digest.slice(0, 12)}…`);

function runFacts(run) {
  const { result, steps, epochs, versions } = run;
  const total = epochs.reduce((sum, { tookMs }) => sum + tookMs, 0);
  return facts([
    ['Id', h('code', null, run.id)],
    ['Task', run.task],
    ['Steps', `${steps.done.toLocaleString('en')} of ${steps.planned.toLocaleString('en')}`],
    ['Loss of late', run.newest && metric(run.newest.loss)],
    ['Best epoch', result?.bestEpoch && String(result.bestEpoch)],
    ['In epochs', took(total)],
    ['Model', result && [short(result.digest), ` ${bytes(result.sizeBytes)}`]],
    ['Served as', versions.map((each) => `${each.model} v${each.version}`).join(', ')],
    ['Started', `${clock(run.startedAt)}, ${ago(run.startedAt)}`],
    ['Process', `${run.process.pid} on ${run.process.host}`],
  ]);
}

function lineageOf({ lineage }) {
  const { data, parent, seed, code, environment } = lineage;
  return facts([
    ...data.map(({ role, path, digest, rows }) => [
      spaced(role),
      [`${path}, ${rows.toLocaleString('en')} rows, sha-256 `, short(digest)],
    ]),
    ['Parent', [`${parent.path}, sha-256 `, short(parent.digest)]],
    ['Seed', String(seed)],
    ['Skein', code.skein],
    ['Commit', code.commit],
    ['Configuration', code.config && short(code.config)],
    ['Machine', `${environment.host}, ${environment.cpu}, ${environment.platform}`],
    ['Runtime', `Node ${environment.node}, ONNX Runtime ${environment.onnxRuntime}`],
  ]);
}

function reportOf(report) {
  if (report === undefined) return '';
  const { kind: _kind, rows, calibration, confusion = [], classes = [], ...numbers } = report;
  const figures = Object.entries(numbers).filter(([, value]) => typeof value === 'number');
  if (calibration !== undefined) figures.push(['calibration error', calibration.error]);
  const table = confusion.length > 0 && confusion.length <= 20 ? matrix(confusion, classes) : '';
  return h(
    'section',
    { class: 'report' },
    h('h3', null, `On ${rows.toLocaleString('en')} validation rows`),
    h(
      'div',
      { class: 'panel card' },
      h(
        'div',
        { class: 'totals' },
        figures.map(([name, value]) =>
          h('div', null, h('strong', null, metric(value)), h('span', null, spaced(name))),
        ),
      ),
      table,
    ),
  );
}

function matrix(confusion, classes) {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { class: 'matrix' },
      h('caption', null, 'Rows by true class (down) and predicted class (across)'),
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('td'),
          classes.map((name) => h('th', { scope: 'col' }, name)),
        ),
      ),
      h(
        'tbody',
        null,
        confusion.map((row, index) => {
          const total = row.reduce((sum, count) => sum + count, 0) || 1;
          return h(
            'tr',
            null,
            h('th', { scope: 'row' }, classes[index] ?? String(index)),
            row.map((count, column) =>
              h(
                'td',
                {
                  'data-right': column === index,
                  style: { '--share': percent(count / total) },
                  title: percent(count / total),
                },
                count.toLocaleString('en'),
              ),
            ),
          );
        }),
      ),
    ),
  );
}

function planOf(plan) {
  return h(
    'details',
    { class: 'panel card' },
    h('summary', null, 'Every choice that it follows'),
    facts(Object.entries(plan).map(([name, value]) => [spaced(name), String(value)])),
  );
}
