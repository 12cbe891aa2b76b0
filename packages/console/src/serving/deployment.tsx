/** The rows of one deployment: its latency against its objective, and its details when opened. */
import type { DeploymentView } from '@skein/api';
import {
  Chart,
  linkTo,
  milliseconds,
  percent,
  perSecond,
  words,
  type ChartColour,
  type ChartLine,
} from '@skein/ui';
import { useState } from 'preact/hooks';
import { SAMPLES, type Deployed, type Sample } from '../node.ts';
import { RecentDecisions } from './decisions.tsx';
import { Origins } from './origins.tsx';
import { Traffic } from './traffic.tsx';

const SPARK_HEIGHT = 34;
const RECENT = 6;

export function Deployment({ view, samples }: Deployed) {
  const [open, setOpen] = useState(false);
  const { name, kind, status, reason, settings, last } = view;
  const { objective } = settings;
  const over = last.p99Ms !== null && last.p99Ms > objective.latencyMs;
  const kept = last.sloAttainment;
  const detail = `detail-${name}`;
  return (
    <tbody data-name={name} data-status={status}>
      <tr>
        <th scope="row">
          <button
            type="button"
            class="name"
            aria-expanded={open}
            aria-controls={detail}
            onClick={() => setOpen(!open)}
          >
            {name}
          </button>
          <span class="muted kind-of">{kind === 'composition' ? 'composition' : ''}</span>
          <span class="status">
            <i class="dot" aria-hidden="true" />
            <span title={reason}>{status === 'ready' ? 'ready' : `${status}: ${reason}`}</span>
          </span>
        </th>
        <td class="versions">
          <Versions view={view} />
        </td>
        <td class="replicas">
          <Replicas view={view} />
        </td>
        <td class="latency" data-tone={over ? 'bad' : 'good'}>
          <Sparkline
            of={samples.map(({ p99Ms }) => p99Ms)}
            bound={objective.latencyMs}
            colour={over ? 'bad' : 'first'}
            label={`p99 latency over the last ${SAMPLES} seconds; the dashed line is the objective`}
          />
          <div class="figures">
            <strong>{milliseconds(last.p99Ms)}</strong>
            <small>{` p99 of ${milliseconds(objective.latencyMs)}`}</small>
            <br />
            <small>{`${milliseconds(last.p50Ms)} p50`}</small>
          </div>
        </td>
        <td class="traffic">
          <Sparkline
            of={samples.map(({ requestsPerSecond }) => requestsPerSecond)}
            label={`requests per second over the last ${SAMPLES} seconds`}
          />
          <div class="figures">
            <strong>{perSecond(last.requestsPerSecond)}</strong>
            <small> /s</small>
            <br />
            <small>{`${perSecond(last.goodputPerSecond)} /s in time`}</small>
          </div>
        </td>
        <td
          class="attainment"
          data-tone={kept === null ? 'plain' : kept >= objective.quantile ? 'good' : 'bad'}
        >
          <strong>{percent(kept)}</strong>
        </td>
        <td class="shed">
          <Shed rate={last.shedPerSecond} samples={samples} />
        </td>
      </tr>
      <tr class="detail-row" hidden={!open}>
        <td colSpan={7}>
          <div class="detail" id={detail}>
            {open ? <Details view={view} /> : null}
          </div>
        </td>
      </tr>
    </tbody>
  );
}

/** The last minute of one figure. @param of oldest first; null without a measurement. */
function Sparkline({
  of,
  bound,
  label,
  colour = 'first',
}: {
  readonly of: readonly (number | null)[];
  readonly bound?: number;
  readonly label: string;
  readonly colour?: ChartColour;
}) {
  const offset = SAMPLES - of.length;
  const line: ChartLine = {
    label,
    colour,
    points: of.map((value, index) => [offset + index, value] as const),
  };
  return (
    <Chart
      lines={[line]}
      label={label}
      bound={bound}
      height={SPARK_HEIGHT}
      size="small"
      xRange={[0, SAMPLES - 1]}
    />
  );
}

function Versions({ view: { targets, rollout } }: { readonly view: DeploymentView }) {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0) || 1;
  const isOver = rollout === undefined || ['finished', 'rolled-back'].includes(rollout.phase);
  return (
    <div class="split">
      <div class="bar" aria-hidden="true">
        {targets.map(({ weight }) => (
          <i style={{ flexGrow: String(weight || 0.001) }} />
        ))}
      </div>
      {targets.map(({ version, digest, weight }) => (
        <span title={`sha-256 ${digest}`}>
          {`v${version} `}
          <small>{`${Math.round((weight / total) * 100)}%`}</small>
        </span>
      ))}
      {isOver ? null : (
        <span class="chip" data-tone="warn" title={rollout.reason}>
          {`${rollout.strategy} ${rollout.phase} ${Math.round(rollout.share)}%`}
        </span>
      )}
    </div>
  );
}

function Replicas({ view: { targets } }: { readonly view: DeploymentView }) {
  const live = targets.flatMap(({ replicas }) => replicas).filter(({ state }) => state !== 'gone');
  const busy = live.filter((replica) => replica.busy).length;
  const queued = targets.reduce((sum, { queuedRequests }) => sum + queuedRequests, 0);
  return (
    <>
      <div class="birds" role="img" aria-label={`${live.length} replicas, ${busy} busy`}>
        {live.map((replica) => (
          <i
            data-state={replica.state}
            data-busy={replica.busy ? '' : undefined}
            title={`${replica.id}: ${replica.state}${replica.busy ? ', busy' : ''}, ${replica.runs} runs`}
          />
        ))}
      </div>
      <small>{live.length === 0 ? 'none' : `${live.length}, ${busy} busy`}</small>
      {queued === 0 ? null : <small>{`, ${queued} waiting`}</small>}
    </>
  );
}

/** The refusals since the oldest sample, by reason. */
function Shed({ rate, samples }: { readonly rate: number; readonly samples: readonly Sample[] }) {
  const before = samples[0]?.refused ?? {};
  const reasons = Object.entries(samples.at(-1)?.refused ?? {})
    .map(([code, count]) => [code, count - (before[code] ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3);
  if (rate === 0 && reasons.length === 0) return <span class="muted">none</span>;
  return (
    <>
      <strong>{perSecond(rate)}</strong>
      <small> /s</small>
      {reasons.map(([code, count]) => (
        <span class="chip" data-tone="warn">
          {`${words(code.toLowerCase().replaceAll('_', '-'))} ${count}`}
        </span>
      ))}
    </>
  );
}

type Spec = DeploymentView['signature']['inputs'][number];

function shapeOf({ name, type, shape }: Spec): string {
  return `${name}: ${type} [${shape.map((size) => size ?? '?').join(', ')}]`;
}

function Details({ view }: { readonly view: DeploymentView }) {
  const { name, settings, signature, targets } = view;
  const { objective, replicas, threads, isolation, device, batching } = settings;
  const running = targets.flatMap((target) => target.replicas).find((each) => each.isolation);
  const place = isolation === 'auto' ? 'thread or a process' : isolation;
  const facts = [
    ['Objective', `${milliseconds(objective.latencyMs)} at p${objective.quantile * 100}`],
    [
      'Replicas',
      replicas === undefined ? 'as the cores carry' : `${replicas.min} to ${replicas.max}`,
    ],
    ['Threads', `${threads} each, in a ${running?.isolation ?? place}, on ${device}`],
    ['Batches', `up to ${batching.maxRows} rows`],
    ['Takes', signature.inputs.map(shapeOf).join('\n')],
    ['Gives', signature.outputs.map(shapeOf).join('\n')],
  ] as const;
  const learnt = targets.find(({ latencies }) => latencies.length > 0)?.latencies ?? [];
  return (
    <>
      <dl>
        {facts.map(([term, text]) => (
          <>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </>
        ))}
        <Origins view={view} />
        <dt>Try it</dt>
        <dd>
          <a href={linkTo('try', [name])}>in the playground</a>
        </dd>
      </dl>
      {learnt.length === 0 ? null : (
        <table class="learnt">
          <caption>Measured run time</caption>
          <tbody>
            {learnt.map(({ rows, p50Ms, p99Ms }) => (
              <tr>
                <th scope="row">{`${rows} row${rows === 1 ? '' : 's'}`}</th>
                <td>{milliseconds(p50Ms)}</td>
                <td>{milliseconds(p99Ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <RecentDecisions deployment={name} count={RECENT} />
      <Traffic view={view} />
    </>
  );
}
