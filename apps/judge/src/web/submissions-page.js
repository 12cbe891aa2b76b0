/** What was handed in: one's own, or for admins everybody's; and one submission with its source. */
import { get, post } from './api.js';
import { h, replace } from './dom.js';
import { ago, LANGUAGES, memory, moment, time, verdictText } from './format.js';
import { createJudging } from './judging.js';
import { askForKey, signedIn } from './session.js';

const LOOK_AGAIN_MS = 3000;
const NUMBERS = new Set(['Cpu', 'Memory']);

export async function submissionsPage(query, signal) {
  const user = signedIn();
  if (user === undefined) return signInFirst();
  const body = h('tbody');
  const more = h(
    'button',
    { class: 'quiet', hidden: true, onclick: () => void load(true) },
    'Older',
  );
  const filter = new URLSearchParams(query);
  let rows = [];
  let next;

  async function load(older) {
    const page = new URLSearchParams(filter);
    if (older) page.set('before', next);
    else if (rows.length > 50) page.set('limit', Math.min(500, rows.length));
    const answer = await get(`submissions?${page}`);
    rows = older ? [...rows, ...answer.submissions] : answer.submissions;
    next = answer.next;
    more.hidden = next === undefined;
    replace(
      body,
      rows.map((row) => rowOf(row, user)),
    );
  }

  // Live enough for a list: as long as something in it is being judged.
  async function watch() {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      if (signal.aborted || document.hidden) continue;
      if (rows.some(({ state }) => state !== 'judged')) await load(false).catch(() => undefined);
    }
  }

  await load(false);
  void watch();
  const columns = [
    '',
    'Problem',
    user.admin ? 'Who' : null,
    'Verdict',
    'Language',
    'Cpu',
    'Memory',
    'When',
  ];
  const problem = filter.get('problem');
  return {
    title: 'Submissions',
    content: [
      h('h1', {}, user.admin ? 'Submissions' : 'Your submissions'),
      problem === null ? null : filtered(problem, user, () => void load(false)),
      rows.length === 0
        ? h('p', { class: 'panel empty' }, 'Nothing was handed in yet.')
        : h(
            'div',
            { class: 'panel scroll' },
            h(
              'table',
              { class: 'submissions' },
              h(
                'thead',
                {},
                h(
                  'tr',
                  {},
                  columns
                    .filter((name) => name !== null)
                    .map((name) =>
                      h('th', { scope: 'col', class: NUMBERS.has(name) ? 'number' : null }, name),
                    ),
                ),
              ),
              body,
            ),
          ),
      h('p', { class: 'buttons' }, more),
    ],
  };
}

function filtered(problem, user, reload) {
  const said = h('span', { role: 'status' });
  const rejudge = async () => {
    const { submissions, skipped } = await post(`problems/${encodeURIComponent(problem)}/rejudge`);
    const again = submissions.length === 1 ? '1 is' : `${submissions.length} are`;
    const already =
      skipped === 0 ? '' : `, ${skipped === 1 ? '1 is' : `${skipped} are`} being judged already`;
    said.textContent = `${again} judged again${already}.`;
    reload();
  };
  return h(
    'p',
    { class: 'bar' },
    h('span', {}, 'To ', h('strong', {}, problem), '. ', h('a', { href: '#/submissions' }, 'All')),
    said,
    user.admin
      ? h(
          'button',
          {
            class: 'quiet',
            onclick: () => void rejudge().catch((error) => (said.textContent = error.message)),
          },
          'Judge all again',
        )
      : null,
  );
}

function rowOf(row, viewer) {
  const { id, problem, user, language, cpuMs, memoryBytes, submittedAt, verdict } = row;
  const link = encodeURIComponent(problem);
  return h(
    'tr',
    {},
    h('td', {}, h('a', { href: `#/submissions/${id}` }, String(id))),
    h(
      'td',
      {},
      h('a', { href: `#/problems/${link}` }, problem),
      ' ',
      h(
        'a',
        {
          class: 'only muted',
          href: `#/submissions?problem=${link}`,
          'aria-label': `Only those to ${problem}`,
        },
        'only',
      ),
    ),
    viewer.admin ? h('td', {}, user) : null,
    h('td', {}, h('span', { class: 'chip', 'data-verdict': verdict }, verdictText(row))),
    h('td', {}, LANGUAGES[language] ?? language ?? ''),
    h('td', { class: 'number' }, memoryBytes ? time(cpuMs) : ''),
    h('td', { class: 'number' }, memory(memoryBytes)),
    h(
      'td',
      { class: 'muted' },
      h('time', { datetime: submittedAt, title: moment(submittedAt) }, ago(submittedAt)),
    ),
  );
}

export async function submissionPage(id, signal) {
  if (signedIn() === undefined) return signInFirst();
  const [submission, { files }] = await Promise.all([
    get(`submissions/${id}`),
    get(`submissions/${id}/source`),
  ]);
  return {
    title: `Submission ${id}`,
    content: [
      h('h1', {}, `Submission ${id}`),
      createJudging(submission, { signal, linked: false }),
      files.map(({ path, content }) =>
        h(
          'figure',
          { class: 'source' },
          h('figcaption', {}, path),
          h('pre', { tabindex: '0' }, content ?? '(not text)'),
        ),
      ),
    ],
  };
}

function signInFirst() {
  return {
    title: 'Submissions',
    content: [
      h('h1', {}, 'Submissions'),
      h(
        'p',
        { class: 'panel empty' },
        'Programs are shown to their authors. ',
        h('button', { class: 'link', onclick: () => askForKey() }, 'Sign in'),
      ),
    ],
  };
}
