/** Two runs side by side: what differs in what went in, and in what came out. */
import { h } from '../dom.js';
import { ask } from '../feed.js';
import { metric, spaced } from '../format.js';
import { keepFresh } from '../live.js';
import { heading, trouble } from '../parts.js';
import { linkTo } from '../router.js';
import { curvesOf } from './curves.js';
import { headlineOf, statusChip } from './runs.js';

/** Of all others, less is better. */
const MORE_IS_BETTER = new Set(['accuracy', 'macroF1', 'auc', 'r2']);
const NO_CONTEST = new Set(['steps', 'rows']);

export function showComparison(root, { parts }, signal) {
  const ids = parts.slice(0, 2);
  const problem = trouble();
  const content = h('div');
  root.append(
    h(
      'section',
      null,
      h('p', { class: 'back' }, h('a', { href: linkTo('runs') }, 'All runs')),
      heading('Two runs'),
      problem.box,
      content,
    ),
  );
  let seen = '';

  async function load() {
    const runs = await Promise.all(ids.map((id) => ask(`/api/v1/runs/${encodeURIComponent(id)}`)));
    const look = runs.map(({ updatedAt }) => updatedAt).join(' ');
    if (signal.aborted || look === seen) return;
    seen = look;
    content.replaceChildren(
      h('div', { class: 'cards' }, runs.map(card)),
      h('div', { class: 'curves' }, curvesOf(runs)),
      table('Came out', runs, numbersOf, true),
      table('Went in, where it differs', runs, choicesOf, false),
    );
  }

  keepFresh(load, { everyMs: 10_000, signal, failed: problem.show });
}

function card(run, index) {
  return h(
    'article',
    { class: 'panel card', 'data-run': index },
    h(
      'h3',
      null,
      h('i', { class: 'key', 'aria-hidden': 'true' }),
      h('a', { href: linkTo('runs', [run.id]) }, run.id),
    ),
    h('p', null, statusChip(run), ' ', headlineOf(run)),
  );
}

function table(title, runs, valuesOf, scored) {
  const [a, b] = runs.map(valuesOf);
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const shown = scored ? names : names.filter((name) => a[name] !== b[name]);
  if (shown.length === 0) {
    return h('p', { class: 'muted' }, scored ? '' : 'Both were made of the same, in the same way.');
  }
  const better = (name, value, other) =>
    scored &&
    !NO_CONTEST.has(name) &&
    value !== undefined &&
    other !== undefined &&
    value !== other &&
    value > other === MORE_IS_BETTER.has(name);
  const cell = (name, value, other) => {
    const wins = better(name, value, other);
    const text = typeof value === 'number' && scored ? metric(value) : textOf(value);
    return h('td', { 'data-better': wins }, text, wins ? h('small', null, ' better') : '');
  };
  return h(
    'section',
    null,
    h('h3', null, title),
    h(
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
            h('td'),
            runs.map(({ id }) => h('th', { scope: 'col' }, id)),
          ),
        ),
        h(
          'tbody',
          null,
          shown.map((name) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, spaced(name)),
              cell(name, a[name], b[name]),
              cell(name, b[name], a[name]),
            ),
          ),
        ),
      ),
    ),
  );
}

function textOf(value) {
  if (value === undefined) return '–';
  // A digest is told from another by its beginning.
  return /^[0-9a-f]{64}$/.test(String(value)) ? `${String(value).slice(0, 12)}…` : String(value);
}

function choicesOf({ plan, lineage, task }) {
  const { data, parent, code, environment, seed } = lineage;
  return {
    task,
    ...plan,
    seed,
    ...Object.fromEntries(data.map(({ role, digest }) => [`${role} data`, digest])),
    parent: parent.digest,
    commit: code.commit,
    configuration: code.config,
    ...environment,
  };
}

function numbersOf({ epochs, result, steps }) {
  const reported = Object.entries(result?.report ?? {}).filter(
    ([, value]) => typeof value === 'number',
  );
  const loss = epochs.at(-1)?.loss;
  return {
    ...Object.fromEntries(reported),
    ...(loss === undefined ? {} : { trainingLoss: loss }),
    steps: steps.done,
    secondsInEpochs: epochs.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1000,
  };
}
