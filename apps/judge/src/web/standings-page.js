/** Who has solved what. */
import { get } from './api.js';
import { h } from './dom.js';
import { points } from './format.js';
import { signedIn } from './session.js';

const LOOK_AGAIN_MS = 15_000;

export async function standingsPage(signal) {
  const place = h('div', { class: 'boards' });
  const load = async () => {
    place.replaceChildren(...boards(await get('standings')));
  };
  await load();
  const timer = setInterval(() => {
    if (!document.hidden) void load().catch(() => undefined);
  }, LOOK_AGAIN_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
  return { title: 'Standings', content: [h('h1', {}, 'Standings'), place] };
}

function boards({ problems, passFail, scores }) {
  const scored = problems.filter(({ scoring }) => scoring);
  const others = problems.filter(({ scoring }) => !scoring);
  if (passFail.length + scores.length === 0) {
    return [h('p', { class: 'panel empty' }, 'Nobody has handed in anything yet.')];
  }
  return [
    passFail.length === 0
      ? ''
      : board(
          'Solved',
          others,
          ['Solved', 'Penalty'],
          passFail,
          (row) => [row.solved, row.penalty],
          passFailCell,
        ),
    scores.length === 0
      ? ''
      : board('Points', scored, ['Points'], scores, (row) => [points(row.score)], scoreCell),
  ];
}

function board(title, problems, totals, rows, totalsOf, cell) {
  const me = signedIn()?.name;
  return h(
    'section',
    {},
    h('h2', {}, title),
    h(
      'div',
      { class: 'panel scroll' },
      h(
        'table',
        { class: 'standings' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', { scope: 'col', class: 'rank' }, 'Rank'),
            h('th', { scope: 'col' }, 'Who'),
            totals.map((name) => h('th', { scope: 'col', class: 'total' }, name)),
            problems.map(({ id, name }) =>
              h(
                'th',
                { scope: 'col', class: 'cell' },
                h('a', { href: `#/problems/${encodeURIComponent(id)}`, title: name }, id),
              ),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          rows.map((row) =>
            h(
              'tr',
              { class: row.user === me ? 'me' : null },
              h('td', { class: 'rank' }, String(row.rank)),
              h('th', { scope: 'row' }, row.user),
              totalsOf(row).map((total) =>
                h('td', { class: 'total' }, h('strong', {}, String(total))),
              ),
              row.cells.map(cell),
            ),
          ),
        ),
      ),
    ),
  );
}

function passFailCell({ solved, rejected, pending, minutes, first }) {
  if (solved) {
    return h(
      'td',
      { class: 'cell', 'data-verdict': 'AC', title: first ? 'the first to solve it' : null },
      h('strong', {}, first ? '★ +' : '+', rejected === 0 ? '' : String(rejected)),
      h('small', {}, `${minutes} min`),
    );
  }
  if (pending > 0)
    return h('td', { class: 'cell', 'data-verdict': 'pending' }, h('strong', {}, '?'));
  return rejected === 0
    ? h('td', { class: 'cell' })
    : h('td', { class: 'cell', 'data-verdict': 'WA' }, h('strong', {}, `−${rejected}`));
}

function scoreCell({ score, submissions, pending }) {
  if (pending > 0 && score === undefined) {
    return h('td', { class: 'cell', 'data-verdict': 'pending' }, h('strong', {}, '?'));
  }
  if (score === undefined) return h('td', { class: 'cell' });
  return h(
    'td',
    { class: 'cell', 'data-verdict': score > 0 ? 'AC' : 'WA' },
    h('strong', {}, points(score)),
    h('small', {}, submissions === 1 ? '1 try' : `${submissions} tries`),
  );
}
