/** One job: what it is, how its attempts went, what it printed and left behind. */
import { h } from '../dom.js';
import { ask, call, send, storedKey } from '../feed.js';
import { ago, bytes, clock, cores, percent, took } from '../format.js';
import { confirmed } from '../confirm.js';
import { keepFresh, whileSeen } from '../live.js';
import { bar, button, facts, heading, trouble } from '../parts.js';
import { linkTo } from '../router.js';
import { followLog } from './log.js';
import { hasEnded, stateChip, tookMs, toneOf } from './state.js';

/** A result is shown to be looked at; more than this is for programs. */
const RESULT_CHARACTERS = 20_000;

/** Endings that are nobody's failure; of all others the work is to blame. */
const OUTCOMES = { succeeded: 'good', preempted: 'warn', 'lease-lost': 'warn', cancelled: 'warn' };

export function showJob(root, { parts: [id] }, signal) {
  const path = `/api/v1/jobs/${encodeURIComponent(id)}`;
  const problem = trouble();
  const head = h('div', { class: 'head' });
  const about = h('div', { class: 'panel about' });
  const attempts = h('div');
  const outputs = h('div');
  const log = h('div');
  root.append(
    h(
      'section',
      null,
      h('p', { class: 'back' }, h('a', { href: linkTo('jobs') }, 'All jobs')),
      head,
      problem.box,
      about,
    ),
    outputs,
    attempts,
    log,
  );
  /** Which attempt's log is shown, who reads it, and whether somebody chose it. */
  let reading;

  const title = heading();
  const status = h('span', { role: 'status' });
  const actions = h('span', { class: 'actions' });
  head.append(title, status, actions);

  async function load() {
    const job = await ask(path);
    if (signal.aborted) return;
    title.textContent = job.name;
    status.replaceChildren(stateChip(job));
    setActions(job);
    about.replaceChildren(...aboutOf(job));
    attempts.replaceChildren(...attemptsOf(job));
    outputs.replaceChildren(...outputsOf(job, problem));
    const last = job.attempts.at(-1)?.number;
    if (last !== undefined && !(reading?.chosen || reading?.attempt === last)) read(last, job);
    else if (reading !== undefined && reading.of !== last) drawLogHead(job);
  }

  /** Buttons are made once, so that the one in use does not vanish under the finger. */
  let offered;
  function setActions(job) {
    const offer = hasEnded(job) ? (job.state === 'succeeded' ? '' : 'Revive') : 'Cancel';
    if (offer === offered) return;
    offered = offer;
    actions.replaceChildren(
      ...(offer === ''
        ? []
        : [button(offer, () => (offer === 'Cancel' ? cancel : revive)(job), problem, 'danger')]),
    );
  }

  async function cancel({ name }) {
    const reason = await confirmed({
      title: 'Cancel this job?',
      text: `${name}: what runs is stopped within a second, and what it has not stored is lost.`,
      action: 'Cancel the job',
      reason: 'Reason, for the record',
    });
    if (reason === undefined) return;
    await send('POST', `${path}/cancel`, { reason: reason || 'asked for in the console' });
    poke(true);
  }

  async function revive({ name }) {
    const text = `${name} is tried again from its last checkpoint, with fresh attempts, and so are the jobs that failed because of it.`;
    if ((await confirmed({ title: 'Revive this job?', text, action: 'Revive' })) === undefined) {
      return;
    }
    await send('POST', `${path}/revive`);
    poke(true);
  }

  function read(attempt, job, chosen = false) {
    reading?.stop.abort();
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    reading = { ...followLog(id, attempt, both, problem.show), attempt, stop, chosen };
    drawLogHead(job);
  }

  function drawLogHead(job) {
    reading.of = job.attempts.at(-1).number;
    const choose = ({ target }) => {
      const attempt = Number(target.value);
      read(attempt, job, attempt !== job.attempts.at(-1).number);
    };
    const choice = h(
      'select',
      { onchange: choose, 'aria-label': 'Attempt' },
      job.attempts.map(({ number }) =>
        h('option', { value: number, selected: number === reading.attempt }, `attempt ${number}`),
      ),
    );
    log.replaceChildren(
      h(
        'section',
        null,
        h('div', { class: 'head' }, h('h3', null, 'Log'), job.attempts.length > 1 ? choice : ''),
        reading.element,
      ),
    );
  }

  const poke = keepFresh(load, { everyMs: 15_000, gapMs: 500, signal, failed: problem.show });
  void whileSeen(
    { job: id },
    (event) => {
      if (event === undefined || event.kind !== 'log') poke();
      if (event === undefined || event.kind !== 'progress') reading?.poke();
    },
    signal,
  );
}

function aboutOf(job) {
  const { work, retry, resources, gang, progress } = job;
  const time = tookMs(job);
  const link = (id) => h('a', { href: linkTo('jobs', [id]) }, id);
  const spaced = (items) => items.flatMap((item, index) => (index === 0 ? [item] : [', ', item]));
  return [
    job.message === undefined
      ? ''
      : h('p', { class: 'why', 'data-tone': toneOf(job.state) }, job.message),
    progress !== undefined && job.state === 'running'
      ? h(
          'p',
          { class: 'at' },
          bar(progress.fraction, 'Progress'),
          ` ${percent(progress.fraction)} ${progress.message}`,
        )
      : '',
    facts([
      ['Id', h('code', null, job.id)],
      ['Command', work.kind === 'command' ? h('code', null, shell(work.argv)) : undefined],
      ['Task', work.kind === 'task' ? h('code', null, work.task) : undefined],
      ['Sandbox', sandboxOf(work)],
      ['Queue', h('a', { href: linkTo('jobs', [], { queue: job.queue }) }, job.queue)],
      ['Tenant', job.tenant],
      ['Group', job.group && h('a', { href: linkTo('jobs', [], { group: job.group }) }, job.group)],
      ['After', job.parents.length > 0 ? spaced(job.parents.slice(0, 20).map(link)) : undefined],
      ['Gang', gang && `${gang.id}, rank ${gang.rank} of ${gang.size}`],
      ['Needs', `${cores(resources.cores)}, ${bytes(resources.memoryBytes)}`],
      ['Requires', job.requires.join(', ')],
      ['Limits', limitsOf(work.limits)],
      ['Priority', job.priority === 0 ? undefined : String(job.priority)],
      ['Attempts', `${job.attempts.length} of ${retry.maxAttempts}`],
      ['Enqueued', `${clock(job.enqueuedAt)}, ${ago(job.enqueuedAt)}`],
      ['Not before', job.notBefore && clock(job.notBefore)],
      ['To finish by', job.deadline && clock(job.deadline)],
      ['Took', time === undefined ? undefined : took(time)],
      ['Result of', job.cachedFrom && link(job.cachedFrom)],
      ['Checkpoint', job.checkpoint && h('code', null, `${job.checkpoint.slice(0, 12)}…`)],
    ]),
  ];
}

function sandboxOf(work) {
  if (work.kind === 'task') return 'trusted, in a thread';
  const image = work.image === undefined ? '' : `, image ${work.image}`;
  const network = typeof work.network === 'object' ? work.network.allow.join(', ') : work.network;
  return `${work.sandbox ?? 'the best of the worker'}${work.trusted ? ', trusted' : ''}${image}, network: ${network ?? 'none'}`;
}

function limitsOf(limits) {
  const shown = Object.entries(limits).map(([name, value]) => {
    if (name.endsWith('Ms')) return `${name.slice(0, -2)} ${took(value)}`;
    if (name.endsWith('Bytes')) return `${name.slice(0, -5)} ${bytes(value)}`;
    return `${name} ${value}`;
  });
  return shown.join(', ');
}

/** As one would type it; only to be read. */
function shell(argv) {
  const quoted = (word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  const text = argv.map(quoted).join(' ');
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}

function attemptsOf({ attempts }) {
  if (attempts.length === 0) return [];
  const titles = ['Attempt', 'Outcome', 'Worker', 'Started', 'Took', 'CPU', 'Peak memory'];
  const row = ({ number, outcome, message, worker, startedAt, endedAt, usage = {} }) => {
    const tone = outcome === undefined ? 'accent' : (OUTCOMES[outcome] ?? 'bad');
    const end = endedAt === undefined ? Date.now() : Date.parse(endedAt);
    return h(
      'tr',
      null,
      h('th', { scope: 'row' }, String(number)),
      h(
        'td',
        null,
        h('span', { class: 'chip', 'data-tone': tone }, outcome ?? 'running'),
        message === undefined ? '' : h('small', { class: 'note' }, message),
      ),
      h('td', null, worker),
      h('td', null, clock(startedAt)),
      h('td', null, took(Math.max(end - Date.parse(startedAt), 0))),
      h('td', null, usage.cpuMs === undefined ? '–' : took(usage.cpuMs)),
      h('td', null, usage.peakMemoryBytes === undefined ? '–' : bytes(usage.peakMemoryBytes)),
    );
  };
  return [
    h(
      'section',
      null,
      h('h3', null, 'Attempts'),
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
              titles.map((title) => h('th', { scope: 'col' }, title)),
            ),
          ),
          h('tbody', null, attempts.toReversed().map(row)),
        ),
      ),
    ),
  ];
}

function outputsOf({ result, work }, problem) {
  if (result === undefined) return [];
  const files = result.outputs.map((output) =>
    h(
      'li',
      null,
      download(output, problem),
      h('small', null, `${bytes(output.sizeBytes)}, sha-256 ${output.digest.slice(0, 12)}…`),
    ),
  );
  const value = JSON.stringify(result.value, null, 2) ?? '';
  const shown = work.kind === 'task' && value !== '' && value !== 'null';
  const cut = value.length > RESULT_CHARACTERS ? '…' : '';
  if (files.length === 0 && !shown) return [];
  return [
    h(
      'section',
      null,
      h('h3', null, 'Result'),
      files.length === 0 ? '' : h('ul', { class: 'panel outputs' }, files),
      shown
        ? h('pre', { class: 'log', tabindex: '0' }, value.slice(0, RESULT_CHARACTERS) + cut)
        : '',
    ),
  ];
}

/** Where the node asks for no key the browser streams to the disk; else the page must fetch. */
function download({ path, digest }, problem) {
  const href = `/api/v1/artifacts/${digest}/content`;
  const name = path.split('/').at(-1);
  if (storedKey() === null) return h('a', { href, download: name }, path);
  const fetched = async () => {
    const url = URL.createObjectURL(await (await call(href)).blob());
    h('a', { href: url, download: name }).click();
    // The browser has taken hold of it by then.
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return button(path, fetched, problem);
}
