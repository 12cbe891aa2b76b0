/** One problem: its statement and samples, and the place to hand in. */
import { get, post } from './api.js';
import { h, replace, statementElement } from './dom.js';
import { createEditor } from './editor.js';
import { memory, size, time } from './format.js';
import { createJudging } from './judging.js';
import { askForKey, signedIn } from './session.js';

const LANGUAGE = 'skein-judge-language';

export async function problemPage(id, signal) {
  const at = `problems/${encodeURIComponent(id)}`;
  const problem = await get(at);
  const statement = h('div', {}, h('p', { class: 'muted' }, 'Loading …'));
  const show = async (language) => {
    const query = language === undefined ? '' : `?language=${encodeURIComponent(language)}`;
    replace(statement, statementOf(await get(`${at}/statement${query}`)));
  };
  await show(preferred(problem.statements));
  return {
    title: problem.name,
    content: h(
      'div',
      { class: 'columns' },
      h(
        'article',
        { class: 'problem' },
        heading(problem, show),
        statement,
        samples(problem.samples),
        attachments(problem.attachments),
      ),
      handIn(problem, signal),
    ),
  };
}

function preferred(statements) {
  const known = statements.map(({ language }) => language);
  return navigator.languages.map((tag) => tag.split('-')[0]).find((tag) => known.includes(tag));
}

function heading({ id, name, types, timeMs, memoryBytes, tests, statements }, show) {
  const facts = [
    ...types,
    timeMs === undefined ? undefined : time(timeMs),
    memory(memoryBytes),
    `${tests} tests`,
  ];
  return [
    h('h1', {}, name),
    h(
      'p',
      { class: 'facts muted' },
      facts.filter(Boolean).map((text) => h('span', { class: 'fact' }, text)),
      statements.length > 1
        ? h(
            'span',
            { class: 'fact' },
            statements.map(({ language }) =>
              h('button', { class: 'link', onclick: () => void show(language) }, language),
            ),
          )
        : null,
      signedIn() === undefined
        ? null
        : h(
            'span',
            { class: 'fact' },
            h(
              'a',
              { href: `#/submissions?problem=${encodeURIComponent(id)}` },
              signedIn().admin ? 'submissions' : 'your submissions',
            ),
          ),
    ),
  ];
}

function statementOf(given) {
  if (given.format === 'html') return statementElement(given.html);
  if (given.format === 'pdf') {
    return h(
      'p',
      {},
      h('a', { href: given.url, target: '_blank', rel: 'noopener' }, 'The statement, as PDF'),
    );
  }
  return h('pre', { class: 'tex' }, given.text);
}

function samples(those) {
  return those.map((sample, index) =>
    h(
      'section',
      { class: 'sample' },
      h('h3', {}, `Sample ${index + 1}`),
      sample.interaction === undefined
        ? h('div', { class: 'pair' }, shown('Input', sample.input), shown('Output', sample.output))
        : conversation(sample.interaction),
    ),
  );
}

function shown(title, text) {
  const copy = h(
    'button',
    {
      class: 'link',
      type: 'button',
      onclick: () =>
        void navigator.clipboard.writeText(text).then(() => {
          copy.textContent = 'Copied';
        }),
    },
    'Copy',
  );
  return h('figure', {}, h('figcaption', {}, title, copy), h('pre', { tabindex: '0' }, text));
}

function conversation(text) {
  if (text === '')
    return h('p', { class: 'muted' }, 'The judge’s side of this sample is not shown.');
  return h(
    'ol',
    { class: 'conversation' },
    text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const who = { '<': 'judge', '>': 'you' }[line[0]];
        return h(
          'li',
          { 'data-who': who ?? 'pass' },
          who === undefined ? 'next pass' : line.slice(1),
        );
      }),
  );
}

function attachments(those) {
  if (those.length === 0) return null;
  return h(
    'section',
    {},
    h('h3', {}, 'Files'),
    h(
      'ul',
      {},
      those.map(({ path, url }) => h('li', {}, h('a', { href: url, download: true }, path))),
    ),
  );
}

function handIn(problem, signal) {
  const refusal = h('div', { class: 'refusal', role: 'alert', hidden: true });
  const results = h('div', { class: 'results' });
  const form = problem.answerFiles === undefined ? programForm(problem) : answersForm(problem);
  const button = h('button', { type: 'submit', id: 'submit' }, 'Submit');
  const element = h(
    'form',
    { class: 'panel hand-in' },
    form.element,
    h('p', { class: 'buttons' }, form.file, button),
    refusal,
  );

  async function submit() {
    if (signedIn() === undefined) return askForKey('Sign in to hand in a program.');
    button.disabled = true;
    refusal.hidden = true;
    try {
      const submission = await post('submissions', { problem: problem.id, ...(await form.read()) });
      results.prepend(createJudging(submission, { signal, linked: true }));
      results.firstElementChild.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      refusal.hidden = false;
      replace(refusal, h('strong', {}, error.message), error.fix ? h('span', {}, error.fix) : null);
    } finally {
      button.disabled = false;
    }
  }
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit();
  });
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void submit();
  });
  return h('div', { class: 'work' }, element, results);
}

/** A program that is typed, or one file that is read into the editor. */
function programForm({ id, languages, codeBytes }) {
  const draft = (language) => `skein-judge-draft ${id} ${language}`;
  const select = h(
    'select',
    { id: 'language' },
    languages.map(({ code, name, available, reason }) =>
      h('option', { value: code, title: reason }, available ? name : `${name} (not here now)`),
    ),
  );
  const known = languages.some(({ code }) => code === localStorage.getItem(LANGUAGE));
  const first = languages.find(({ available }) => available) ?? languages[0];
  select.value = known ? localStorage.getItem(LANGUAGE) : (first?.code ?? '');
  const counter = h('span', { class: 'muted', id: 'bytes' });
  const editor = createEditor((text) => {
    sessionStorage.setItem(draft(select.value), text);
    count();
  });
  const count = () => {
    const bytes = new TextEncoder().encode(editor.value).length;
    counter.textContent = `${size(bytes)} of ${size(codeBytes)}`;
    counter.classList.toggle('over', bytes > codeBytes);
  };
  const restore = () => {
    editor.value = sessionStorage.getItem(draft(select.value)) ?? '';
    count();
  };
  select.addEventListener('change', () => {
    localStorage.setItem(LANGUAGE, select.value);
    restore();
  });
  restore();
  const file = fileButton(false, async ([chosen]) => {
    if (chosen === undefined) return;
    const dot = chosen.name.lastIndexOf('.');
    const extension = dot === -1 ? '' : chosen.name.slice(dot);
    const spoken = languages.find(({ extensions }) => extensions.includes(extension));
    if (spoken !== undefined) select.value = spoken.code;
    editor.value = await chosen.text();
    sessionStorage.setItem(draft(select.value), editor.value);
    count();
  });
  return {
    element: [
      h('p', { class: 'bar' }, h('label', {}, 'Language ', select), counter),
      editor.element,
    ],
    file,
    read: async () => ({ language: select.value, source: editor.value }),
  };
}

/** Answers that were computed elsewhere. */
function answersForm({ answerFiles }) {
  let chosen = [];
  const list = h('ul', { class: 'answers' });
  const draw = () =>
    replace(
      list,
      answerFiles.map((name) => {
        const file = chosen.find((one) => one.name === name.split('/').at(-1));
        return h(
          'li',
          { 'data-there': file !== undefined },
          h('code', {}, name),
          ' ',
          file === undefined ? 'no file yet' : size(file.size),
        );
      }),
    );
  draw();
  const file = fileButton(true, (files) => {
    chosen = [...chosen.filter(({ name }) => !files.some((one) => one.name === name)), ...files];
    draw();
  });
  return {
    element: [
      h('p', {}, 'This problem takes answers, not programs. Choose a file for each test.'),
      list,
    ],
    file,
    read: async () => ({
      files: await Promise.all(
        chosen.map(async (one) => ({
          path: answerFiles.find((name) => name.split('/').at(-1) === one.name) ?? one.name,
          content: await one.text(),
        })),
      ),
    }),
  };
}

function fileButton(multiple, take) {
  const input = h('input', {
    type: 'file',
    id: 'file',
    multiple,
    class: 'visually-hidden',
    onchange: () => void take([...input.files]),
  });
  return h('label', { class: 'quiet button' }, input, multiple ? 'Choose files' : 'Open a file');
}
