/** A submission as it is judged: its verdict, a grid of its tests, and what each test says. */
import { follow, post } from './api.js';
import { h, replace } from './dom.js';
import { ago, LANGUAGES, memory, moment, points, time, verdictText, VERDICTS } from './format.js';
import { signedIn } from './session.js';

/** Cells show their verdict's letters up to this many tests. */
const SPACIOUS = 120;

/**
 * @param options.signal ends the following. @param options.linked whether to lead to its own page.
 * @param options.judged called with the submission when its verdict is there.
 */
export function createJudging(first, options) {
  const element = h('section', { class: 'judging panel', 'aria-label': `Submission ${first.id}` });
  let view = { tests: [], groups: [], earlier: [], ...first };
  let chosen;
  let lost = false;

  function draw() {
    element.dataset.state = view.state;
    if (view.verdict === undefined) delete element.dataset.verdict;
    else element.dataset.verdict = view.verdict;
    replace(
      element,
      headline(view, options.linked),
      note(view, lost),
      progress(view),
      grid(view, chosen, (test) => {
        chosen = chosen === test.name ? undefined : test.name;
        draw();
        element.querySelector(`[data-test="${CSS.escape(test.name)}"]`)?.focus();
      }),
      details(view.tests.find(({ name }) => name === chosen)),
      groups(view.groups),
      compileOutput(view),
      earlier(view.earlier),
      rejudgeButton(view, () => void again()),
    );
  }

  async function again() {
    try {
      const summary = await post(`submissions/${view.id}/rejudge`);
      view = { ...summary, tests: [], groups: [], earlier: view.earlier };
      draw();
      await watch();
    } catch (error) {
      if (!options.signal.aborted) element.append(h('p', { class: 'refusal' }, error.message));
    }
  }

  function hear(event, data) {
    lost = event === 'lost';
    if (event === 'submission' || event === 'judged') view = data;
    else if (event === 'running') {
      view = { ...view, state: 'running', current: data.name, total: data.total };
    } else if (event === 'test') {
      view = { ...view, state: 'running', total: data.total, tests: [...view.tests, data.test] };
    }
    // Many tests a second are drawn once per picture.
    requestAnimationFrame(() => draw());
    if (event === 'judged') options.judged?.(view);
  }

  const watch = () => follow(view.id, hear, options.signal);

  draw();
  if (view.state !== 'judged') {
    watch().catch((error) => {
      if (!options.signal.aborted) element.append(h('p', { class: 'refusal' }, error.message));
    });
  }
  return element;
}

function headline(view, linked) {
  const { id, language, user, problem, submittedAt, cpuMs, memoryBytes } = view;
  const judged = view.state === 'judged';
  const name = `Submission ${id}`;
  return h(
    'div',
    { class: 'headline' },
    h(
      'p',
      { class: 'verdict', role: 'status', 'data-verdict': view.verdict },
      judged ? null : h('span', { class: 'spinner', 'aria-hidden': 'true' }),
      verdictText(view),
    ),
    h(
      'p',
      { class: 'facts muted' },
      fact(linked ? h('a', { href: `#/submissions/${id}` }, name) : name),
      // Where it was just handed in, these go without saying.
      linked ? null : fact(h('a', { href: `#/problems/${encodeURIComponent(problem)}` }, problem)),
      linked ? null : fact(user),
      language === undefined ? null : fact(LANGUAGES[language] ?? language),
      memoryBytes ? [fact(`${time(cpuMs)} cpu`), fact(memory(memoryBytes))] : null,
      fact(h('time', { datetime: submittedAt, title: moment(submittedAt) }, ago(submittedAt))),
    ),
  );
}

function fact(...content) {
  return h('span', { class: 'fact' }, ...content);
}

function note(view, lost) {
  const { state, reason, note: why, failingTest, verdict, compileOutput: said } = view;
  if (lost) return h('p', { class: 'note' }, 'The connection broke; trying again …');
  if (state !== 'judged') return why === undefined ? null : h('p', { class: 'note' }, why);
  if (verdict === 'AC' || reason === undefined || reason === '' || reason === said) return null;
  const at = failingTest === undefined || reason.startsWith(failingTest) ? '' : `${failingTest}: `;
  return h('p', { class: 'note' }, at, reason);
}

function progress({ state, tests, total, current }) {
  if (state === 'judged') return null;
  const text =
    state === 'running' && current !== undefined
      ? `${tests.length} of ${total} tests; running ${current}`
      : { waiting: 'In the queue', compiling: 'Compiling', running: 'Compiled' }[state];
  return h(
    'p',
    { class: 'progress muted' },
    h('progress', {
      max: total ?? 1,
      value: total === undefined ? null : tests.length,
      'aria-label': 'Tests',
    }),
    h('span', {}, text),
  );
}

function grid({ tests, total, state }, chosen, choose) {
  const pending = state === 'judged' ? 0 : Math.max(0, (total ?? 0) - tests.length);
  if (tests.length + pending === 0) return null;
  return h(
    'ol',
    { class: tests.length + pending > SPACIOUS ? 'tests dense' : 'tests', 'aria-label': 'Tests' },
    tests.map((test) => {
      const { name, verdict, cpuMs, memoryBytes, score } = test;
      const facts = [
        `${name}: ${VERDICTS[verdict]}`,
        // Answers that were computed elsewhere used nothing here.
        ...(memoryBytes ? [time(cpuMs), memory(memoryBytes)] : []),
        ...(score === undefined ? [] : [`${points(score)} points`]),
      ];
      const label = facts.join(', ');
      return h(
        'li',
        {},
        h(
          'button',
          {
            type: 'button',
            'data-verdict': verdict,
            'data-test': name,
            'aria-expanded': String(chosen === name),
            'aria-label': label,
            title: label,
            onclick: () => choose(test),
          },
          verdict,
        ),
      );
    }),
    Array.from({ length: Math.min(pending, 2000) }, () =>
      h('li', { class: 'pending', 'aria-hidden': 'true' }, h('i')),
    ),
  );
}

function details(test) {
  if (test === undefined) return null;
  const { name, verdict, reason, cpuMs, wallMs, memoryBytes, passes, score, feedback } = test;
  const row = (term, value) => (value === '' ? null : [h('dt', {}, term), h('dd', {}, value)]);
  return h(
    'div',
    { class: 'details' },
    h(
      'h4',
      {},
      name,
      ' ',
      h('span', { class: 'chip', 'data-verdict': verdict }, VERDICTS[verdict]),
    ),
    h(
      'dl',
      {},
      row('Why', reason),
      row('Cpu time', memoryBytes ? time(cpuMs) : ''),
      row('Wall time', memoryBytes ? time(wallMs) : ''),
      row('Memory', memory(memoryBytes)),
      row('Passes', passes > 1 ? String(passes) : ''),
      row('Points', points(score)),
      row('Hint', test.hint ?? ''),
    ),
    block('The judge says', test.teamMessage),
    block('For the judges', test.judgeMessage),
    feedback === undefined
      ? null
      : [
          block('Input', feedback.input),
          block('Your output', feedback.output),
          block('Expected', feedback.answer),
          block('Your standard error', feedback.error),
        ],
  );
}

function block(title, text) {
  if (text === undefined || text === '') return null;
  return h('figure', {}, h('figcaption', {}, title), h('pre', { tabindex: '0' }, text));
}

function groups(those) {
  const scored = those.filter(({ score }) => score !== undefined);
  if (scored.length === 0) return null;
  return h(
    'ul',
    { class: 'groups', 'aria-label': 'Groups of tests' },
    scored.map(({ name, verdict, score, maxScore, skipped }) =>
      h(
        'li',
        {},
        h('span', {}, name),
        skipped
          ? h('span', { class: 'chip' }, 'not run')
          : h('span', { class: 'chip', 'data-verdict': verdict }, verdict),
        h('strong', {}, points(score), maxScore === undefined ? '' : ` of ${points(maxScore)}`),
      ),
    ),
  );
}

function compileOutput({ compileOutput: output, verdict }) {
  if (output === undefined) return null;
  return h(
    'details',
    { class: 'compiler', open: verdict === 'CE' },
    h('summary', {}, 'What the compiler says'),
    h('pre', { tabindex: '0' }, output),
  );
}

function earlier(judgings) {
  if (judgings.length === 0) return null;
  const said = judgings.map(({ verdict, score }) =>
    score === undefined ? verdict : `${points(score)} points`,
  );
  return h('p', { class: 'muted earlier' }, `Judged before: ${said.join(', ')}`);
}

function rejudgeButton({ state }, again) {
  if (signedIn()?.admin !== true || state !== 'judged') return null;
  return h(
    'p',
    { class: 'buttons' },
    h('button', { class: 'quiet', onclick: again }, 'Judge again'),
  );
}
