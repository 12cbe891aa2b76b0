/** The list of problems. */
import { get } from './api.js';
import { h } from './dom.js';
import { memory, points, time } from './format.js';

export async function problemsPage() {
  const [{ problems }, judge] = await Promise.all([get('problems'), get('judge')]);
  const list =
    problems.length === 0
      ? h('p', { class: 'panel empty' }, 'There are no problems yet.')
      : h('ul', { class: 'problems' }, problems.map(row));
  return {
    title: 'Problems',
    content: [h('h1', {}, 'Problems'), list, brokenPackages(judge.brokenPackages)],
  };
}

function row({ id, name, types, timeMs, memoryBytes, mine }) {
  return h(
    'li',
    { class: 'panel' },
    h(
      'a',
      { href: `#/problems/${encodeURIComponent(id)}` },
      h('strong', {}, name),
      h('code', { class: 'muted' }, id),
    ),
    h(
      'span',
      { class: 'tags' },
      types.map((type) => h('span', { class: 'tag' }, type)),
    ),
    h(
      'span',
      { class: 'limits muted' },
      timeMs === undefined ? '' : `${time(timeMs)} · `,
      memory(memoryBytes),
    ),
    mark(mine),
  );
}

function mark(mine) {
  if (mine === undefined || mine.submissions === 0) return h('span', { class: 'mark' });
  if (mine.pending) return h('span', { class: 'mark chip' }, 'judging …');
  if (mine.score !== undefined) {
    return h(
      'span',
      { class: 'mark chip', 'data-verdict': mine.accepted ? 'AC' : 'TLE' },
      `${points(mine.score)} points`,
    );
  }
  return mine.accepted
    ? h('span', { class: 'mark chip', 'data-verdict': 'AC' }, 'solved')
    : h('span', { class: 'mark chip', 'data-verdict': 'WA' }, `${mine.submissions} tried`);
}

function brokenPackages(broken) {
  if (broken === undefined || broken.length === 0) return null;
  return h(
    'section',
    { class: 'panel broken' },
    h('h2', {}, 'Packages that were left out'),
    h(
      'ul',
      {},
      broken.map(({ name, reason }) => h('li', {}, h('code', {}, name), ' ', reason)),
    ),
  );
}
