/** One job: its work, its attempts, its output and its artifacts. */
import type { AttemptView, JobView } from '@skein/api';
import type { JobEvent } from '@skein/api/client';
import { LIMIT_NAMES } from '@skein/api/implementations';
import { hasEnded } from '@skein/api/job-states';
import { safeLine, safeText } from '@skein/api/safe-text';
import {
  ActionButton,
  ago,
  bytes,
  Chip,
  clock,
  confirmed,
  cores,
  Facts,
  Heading,
  linkTo,
  percent,
  Progress,
  Table,
  took,
  useEvents,
  useFresh,
  type Tone,
  type Changing,
  type Failing,
} from '@skein/ui';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { node, session } from '../node.ts';
import { saveAs } from '../save.ts';
import { Log } from './log.tsx';
import { Steps } from './steps.tsx';
import { StateChip, tookMs, toneOf } from './state.tsx';
import type { ViewProps } from '../view.ts';

/** A result is shown to be read; a larger one is for programs. */
const RESULT_CHARACTERS = 20_000;
const PARENTS = 20;
const COMMAND_CHARACTERS = 2000;

/** Success, and endings that are not the fault of the work; all others are `bad`. */
const OUTCOMES: Readonly<Record<string, Tone>> = {
  succeeded: 'good',
  preempted: 'warn',
  'lease-lost': 'warn',
  cancelled: 'warn',
};

export function Job({ route: { parts }, focus }: ViewProps) {
  const id = parts[0] ?? '';
  const [failure, setFailure] = useState<unknown>();
  /** Why the log cannot be read. */
  const [unread, setUnread] = useState<unknown>();
  const [nudge, setNudge] = useState(0);
  const {
    value: job,
    error,
    poke,
  } = useFresh({ everyMs: 15_000, gapMs: 500, identity: id }, async (signal) => {
    const loaded = await node().getJob({ id }, { signal });
    setUnread(undefined);
    return loaded;
  });
  useEvents(session, `/api/v1/job-events?${new URLSearchParams({ job: id })}`, {
    connected() {
      poke();
      setNudge((count) => count + 1);
    },
    event(_, data) {
      const { kind } = data as JobEvent;
      if (kind !== 'log') poke();
      if (kind !== 'progress') setNudge((count) => count + 1);
    },
  });
  return (
    <>
      <section>
        <p class="back">
          <a href={linkTo('jobs')}>All jobs</a>
        </p>
        <div class="head">
          <Heading focus={focus}>{safeLine(job?.name ?? '')}</Heading>
          <span role="status">
            {job === undefined ? null : <StateChip state={job.state} cause={job.cause} />}
          </span>
          <span class="actions">
            {job === undefined ? null : <Actions job={job} changed={poke} failed={setFailure} />}
          </span>
        </div>
        <Refusal error={failure ?? error ?? unread} />
        {job === undefined ? null : <About job={job} />}
      </section>
      {job === undefined ? null : (
        <>
          <Steps job={job} />
          <Outputs job={job} failed={setFailure} />
          <Attempts of={job.attempts} />
          <Logs job={job} nudge={nudge} failed={setUnread} />
        </>
      )}
    </>
  );
}

interface OfJob {
  readonly job: JobView;
}

type Output = NonNullable<JobView['result']>['outputs'][number];

function Actions({ job, changed, failed }: OfJob & Changing) {
  const { id, name, state } = job;
  async function cancel(): Promise<void> {
    const reason = await confirmed({
      title: 'Cancel this job?',
      text: `${name}: a running attempt is stopped within a second, and results that it has not stored are lost.`,
      action: 'Cancel the job',
      reason: 'Reason, for the record',
    });
    if (reason === undefined) return;
    await node().cancelJob({ id, reason: reason || 'asked for in the console' });
    changed(true);
  }
  async function revive(): Promise<void> {
    const text = `${name} is tried again from its last checkpoint, with fresh attempts, and so are the jobs that failed because of it.`;
    const answer = await confirmed({ title: 'Revive this job?', text, action: 'Revive' });
    if (answer === undefined) return;
    await node().reviveJob({ id });
    changed(true);
  }
  if (state === 'succeeded') return null;
  return (
    <ActionButton action={hasEnded(job.state) ? revive : cancel} failed={failed} tone="danger">
      {hasEnded(job.state) ? 'Revive' : 'Cancel'}
    </ActionButton>
  );
}

function About({ job }: OfJob) {
  const { work, resources, gang, progress, group, parents, message, state } = job;
  const time = tookMs(job);
  const link = (id: string) => <a href={linkTo('jobs', [id])}>{id}</a>;
  const after = parents.slice(0, PARENTS).map((id, index) => (
    <span>
      {index === 0 ? '' : ', '}
      {link(id)}
    </span>
  ));
  const groupLink =
    group === undefined ? undefined : <a href={linkTo('jobs', [], { group })}>{group}</a>;
  const code = (text: string) => <code>{text}</code>;
  return (
    <div class="panel about">
      {message === undefined ? null : (
        <p class="why" data-tone={toneOf(state)}>
          {message}
        </p>
      )}
      {progress === undefined || state !== 'running' ? null : (
        <p class="at">
          <Progress fraction={progress.fraction} label="Progress" />
          {` ${percent(progress.fraction)} ${progress.message}`}
        </p>
      )}
      <Facts
        of={[
          ['Id', code(job.id)],
          ['Command', work.kind === 'command' ? code(shell(work.argv)) : undefined],
          ['Task', work.kind === 'task' ? code(work.task) : undefined],
          ['Sandbox', sandboxOf(work)],
          ['Queue', <a href={linkTo('jobs', [], { queue: job.queue })}>{job.queue}</a>],
          ['Tenant', job.tenant],
          ['Group', groupLink],
          ['After', after.length > 0 ? after : undefined],
          ['Gang', gang && `${gang.id}, rank ${gang.rank} of ${gang.size}`],
          ['Needs', `${cores(resources.cores)}, ${bytes(resources.memoryBytes)}`],
          ['Requires', job.requires.join(', ')],
          ['Limits', limitsOf(work.limits)],
          ['Priority', job.priority === 0 ? undefined : String(job.priority)],
          ['Attempts', `${job.attempts.length} of ${job.retry.maxAttempts}`],
          ['Enqueued', `${clock(job.enqueuedAt)}, ${ago(job.enqueuedAt)}`],
          ['Not before', job.notBefore && clock(job.notBefore)],
          ['To finish by', job.deadline && clock(job.deadline)],
          ['Took', time === undefined ? undefined : took(time)],
          ['Result of', job.cachedFrom && link(job.cachedFrom)],
          ['Checkpoint', job.checkpoint && code(`${job.checkpoint.slice(0, 12)}…`)],
        ]}
      />
    </div>
  );
}

function sandboxOf(work: JobView['work']): string {
  if (work.kind === 'task') return 'trusted, in a thread';
  const image = work.image === undefined ? '' : `, image ${work.image}`;
  const network = typeof work.network === 'object' ? work.network.allow.join(', ') : work.network;
  return `${work.sandbox ?? 'the best of the worker'}${work.trusted ? ', trusted' : ''}${image}, network: ${network}`;
}

function limitsOf(limits: JobView['work']['limits']): string {
  const shown = Object.entries(limits).map(([name, value]) => {
    const called = LIMIT_NAMES[name] ?? name;
    if (name.endsWith('Ms')) return `${called} ${took(Number(value))}`;
    if (name.endsWith('Bytes')) return `${called} ${bytes(Number(value))}`;
    return `${called} ${value}`;
  });
  return shown.join(', ');
}

/** The command as a person would type it; only for display: no mark in it turns its text around. */
function shell(argv: readonly string[]): string {
  const quoted = (word: string): string =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  const text = safeText(argv.map(quoted).join(' '));
  return text.length > COMMAND_CHARACTERS ? `${text.slice(0, COMMAND_CHARACTERS)}…` : text;
}

const TITLES = ['Attempt', 'Outcome', 'Worker', 'Started', 'Took', 'CPU', 'Peak memory'];

function Attempts({ of }: { readonly of: readonly AttemptView[] }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h3>Attempts</h3>
      <Table titles={TITLES}>
        <tbody>
          {of.toReversed().map((attempt) => (
            <AttemptRow key={attempt.number} {...attempt} />
          ))}
        </tbody>
      </Table>
    </section>
  );
}

function AttemptRow({
  number,
  outcome,
  message,
  worker,
  startedAt,
  endedAt,
  usage = {},
}: AttemptView) {
  const tone = outcome === undefined ? 'accent' : (OUTCOMES[outcome] ?? 'bad');
  const end = endedAt === undefined ? Date.now() : Date.parse(endedAt);
  const { cpuMs, peakMemoryBytes } = usage;
  return (
    <tr>
      <th scope="row">{number}</th>
      <td>
        <Chip tone={tone}>{outcome ?? 'running'}</Chip>
        {message === undefined ? null : <small class="note">{message}</small>}
      </td>
      <td>{worker}</td>
      <td>{clock(startedAt)}</td>
      <td>{took(Math.max(end - Date.parse(startedAt), 0))}</td>
      <td>{cpuMs === undefined ? '–' : took(cpuMs)}</td>
      <td>{peakMemoryBytes === undefined ? '–' : bytes(peakMemoryBytes)}</td>
    </tr>
  );
}

function Outputs({ job: { result, work }, failed }: OfJob & Failing) {
  if (result === undefined) return null;
  const value = JSON.stringify(result.value, null, 2) ?? '';
  const isShown = work.kind === 'task' && value !== '' && value !== 'null';
  if (result.outputs.length === 0 && !isShown) return null;
  return (
    <section>
      <h3>Result</h3>
      {result.outputs.length === 0 ? null : (
        <ul class="panel outputs">
          {result.outputs.map((output) => (
            <li key={output.path}>
              <Download {...output} failed={failed} />
              <small>{`${bytes(output.sizeBytes)}, sha-256 ${output.digest.slice(0, 12)}…`}</small>
            </li>
          ))}
        </ul>
      )}
      {isShown ? (
        <pre class="log" tabIndex={0}>
          {value.slice(0, RESULT_CHARACTERS) + (value.length > RESULT_CHARACTERS ? '…' : '')}
        </pre>
      ) : null}
    </section>
  );
}

/** Without keys the browser streams to the disk; otherwise the page must fetch. */
function Download({ path, digest, failed }: Output & Failing) {
  const href = `/api/v1/artifacts/${digest}/content`;
  const name = path.split('/').at(-1) ?? path;
  if (session.key.value === undefined) {
    return (
      <a href={href} download={name}>
        {path}
      </a>
    );
  }
  const fetched = async (): Promise<void> => saveAs(name, await (await session.open(href)).blob());
  return (
    <ActionButton action={fetched} failed={failed}>
      {path}
    </ActionButton>
  );
}

/** The log of the last attempt, or of the one that a person chose. */
function Logs({ job, nudge, failed }: OfJob & Failing & { readonly nudge: number }) {
  const { id, attempts } = job;
  const [chosen, setChosen] = useState<number>();
  const last = attempts.at(-1)?.number;
  if (last === undefined) return null;
  const attempt = chosen ?? last;
  let choice: ComponentChildren = null;
  if (attempts.length > 1) {
    choice = (
      <select
        aria-label="Attempt"
        value={attempt}
        onChange={({ currentTarget }) => {
          const number = Number(currentTarget.value);
          setChosen(number === last ? undefined : number);
        }}
      >
        {attempts.map(({ number }) => (
          <option value={number}>{`attempt ${number}`}</option>
        ))}
      </select>
    );
  }
  return (
    <section>
      <div class="head">
        <h3>Log</h3>
        {choice}
      </div>
      <Log key={attempt} id={id} attempt={attempt} nudge={nudge} failed={failed} />
    </section>
  );
}
