/** The queues, the workers of each, and the sandboxes. */
import type { QueueView, WorkerView } from '@skein/api';
import type { JobEvent } from '@skein/api/client';
import {
  ActionButton,
  ago,
  bytes,
  Chip,
  confirmed,
  cores,
  Empty,
  Heading,
  linkTo,
  Table,
  useEvents,
  useFresh,
  type Tone,
  type Changing,
  type Of,
} from '@skein/ui';
import { useState } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { node, session } from '../node.ts';
import { SandboxCard } from './sandboxes.tsx';
import { STATES } from './state.tsx';
import type { ViewProps } from '../view.ts';

type QueueMode = QueueView['mode'];

interface Mode {
  readonly action: string;
  readonly tone: Tone;
  /** The consequence, for actions that need a confirmation. */
  readonly text?: string;
}

const MODES: Readonly<Record<QueueMode, Mode>> = {
  open: { action: 'Open', tone: 'good' },
  paused: {
    action: 'Pause',
    tone: 'warn',
    text: 'None of its jobs starts until it is opened again. Running jobs continue, and new jobs are accepted.',
  },
  draining: {
    action: 'Drain',
    tone: 'warn',
    text: 'New jobs are refused. Queued jobs still start, and running jobs continue.',
  },
};

export function Queues({ focus }: ViewProps) {
  const [failure, setFailure] = useState<unknown>();
  const loaded = useFresh({ everyMs: 10_000 }, async (signal) => {
    const [{ queues }, { workers }] = await Promise.all([
      node().listQueues({}, { signal }),
      node().listWorkers({}, { signal }),
    ]);
    return { queues, workers };
  });
  const { value, error, poke } = loaded;
  const sandboxes = useFresh({ everyMs: 60_000 }, (signal) => node().listSandboxes({}, { signal }));
  useEvents(session, '/api/v1/job-events', {
    connected: () => poke(),
    event(_, data) {
      if ((data as JobEvent).kind === 'state') poke();
    },
  });
  const refused = failure ?? error ?? sandboxes.error;
  return (
    <>
      <section>
        <Heading focus={focus}>Queues</Heading>
        <Refusal error={refused} />
        {value?.queues.length === 0 ? <Empty>No queue yet.</Empty> : null}
        {value === undefined || value.queues.length === 0 ? null : (
          <Table titles={['Queue', ...STATES, '']}>
            <tbody>
              {value.queues.map((view) => (
                <QueueRow key={view.queue} of={view} changed={poke} failed={setFailure} />
              ))}
            </tbody>
          </Table>
        )}
      </section>
      <section>
        <h2>Workers</h2>
        <Table titles={['Worker', 'Queues', 'Running', 'Offers', 'Labels', 'Seen']}>
          <tbody>
            {value?.workers.map((worker) => (
              <WorkerRow key={worker.worker} {...worker} />
            ))}
            {value?.workers.length === 0 ? (
              <tr>
                <td colSpan={6} class="muted">
                  No worker is connected: jobs wait until one connects.
                </td>
              </tr>
            ) : null}
          </tbody>
        </Table>
      </section>
      <section>
        <h2>Sandboxes of this node</h2>
        <div class="cards">
          {sandboxes.value?.sandboxes.map((sandbox) => (
            <SandboxCard key={sandbox.name} sandbox={sandbox} />
          ))}
        </div>
      </section>
    </>
  );
}

function QueueRow({ of, changed, failed }: Of<QueueView> & Changing) {
  const { queue, mode, counts, oldestReadyAt } = of;
  async function change(next: QueueMode): Promise<void> {
    const { action, text } = MODES[next];
    if (text !== undefined) {
      const title = `${action} the queue ${queue}?`;
      if ((await confirmed({ title, text, action })) === undefined) return;
    }
    await node().setQueueMode({ queue, mode: next });
    changed(true);
  }
  return (
    <tr data-queue={queue}>
      <th scope="row">
        <a href={linkTo('jobs', [], { queue })}>{queue}</a>
        <span class="mode">
          <Chip tone={MODES[mode].tone}>{mode}</Chip>
        </span>
        <small class="note">
          {oldestReadyAt === undefined
            ? ''
            : `the oldest waits for ${ago(oldestReadyAt).replace(' ago', '')}`}
        </small>
      </th>
      {STATES.map((state) => {
        const count = counts[state] ?? 0;
        return (
          <td data-count={state}>
            {count === 0 ? (
              <span class="muted">0</span>
            ) : (
              <a href={linkTo('jobs', [], { queue, state })}>{count.toLocaleString('en')}</a>
            )}
          </td>
        );
      })}
      <td class="actions">
        {(Object.keys(MODES) as QueueMode[]).map((next) => (
          <ActionButton
            key={next}
            action={() => change(next)}
            failed={failed}
            hidden={next === mode}
          >
            {MODES[next].action}
          </ActionButton>
        ))}
      </td>
    </tr>
  );
}

function WorkerRow({ worker, host, queues, labels, total, running, mode, seenAt }: WorkerView) {
  return (
    <tr>
      <th scope="row">
        {worker}
        {mode === 'draining' ? <Chip tone="warn">draining</Chip> : null}
        <small class="id">{host}</small>
      </th>
      <td>{queues.join(', ')}</td>
      <td data-count="running">{running}</td>
      <td>{`${cores(total.cores)}, ${bytes(total.memoryBytes)}`}</td>
      <td class="labels">
        {labels.map((label) => (
          <Chip tone="plain">{label}</Chip>
        ))}
      </td>
      <td>{ago(seenAt)}</td>
    </tr>
  );
}
