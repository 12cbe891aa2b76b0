/** `skein show`: all details of one deployment, with the reasons of its decisions. */
import type { DeploymentView, HistoryView, VersionView } from '@skein/api';
import { formatAge, formatBytes, formatDuration, formatRate, formatShare } from '@skein/api/units';
import type { Context } from '../../command-line/command.ts';
import type { Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, flag, integer, withDefault } from '../../command-line/option.ts';
import {
  objectiveText,
  replicasText,
  signatureText,
  statusText,
  versionsText,
} from '../../output/deployment.ts';
import type { Style } from '../../output/style.ts';
import { type Field, renderFields, renderTable } from '../../output/table.ts';
import { pause } from '../../pause.ts';
import { usageError } from '../../command-line/usage.ts';
import { rolloutLine } from './rollout.ts';

const REDRAW_MS = 1000;
const CLEAR_SCREEN = '\u001B[H\u001B[2J\u001B[3J';

export const show = nodeCommand({
  name: 'show',
  summary: 'Show a deployment: versions, replicas, latencies, history with reasons.',
  examples: {
    'skein show ocr': 'Now',
    'skein show ocr --watch': 'Redrawn every second until Ctrl-C',
  },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    history: withDefault(integer('N', 'Entries of the history to show.', [1, 1000]), '10'),
    watch: flag('Redraw every second until Ctrl-C.'),
  },
  async run(connection, { name, history, watch }, context): Promise<DeploymentDetails> {
    if (watch && context.json) {
      throw usageError('--watch and --json exclude each other; ask again with --json instead.');
    }
    if (watch) return redrawForever(context, connection, name, history);
    return load(context, connection, name, history);
  },
  render: (details, style) => renderDeployment(details, style, Date.now()),
});

/** Ends by Ctrl-C alone. */
async function redrawForever(
  context: Context,
  connection: Connection,
  name: string,
  history: number,
): Promise<never> {
  for (;;) {
    const details = await load(context, connection, name, history);
    const screen = renderDeployment(details, context.style, Date.now());
    context.print(CLEAR_SCREEN, 'raw');
    context.print(`${screen}\n`);
    await pause(REDRAW_MS, context.signal);
  }
}

async function load(
  context: Context,
  { client }: Connection,
  name: string,
  limit: number,
): Promise<DeploymentDetails> {
  const [deployment, { entries }, { versions }] = await Promise.all([
    client.getDeployment({ name }),
    client.deploymentHistory({ name, limit }),
    client.listVersions({ name }),
  ]);
  return { deployment, history: entries, versions };
}

export interface DeploymentDetails {
  readonly deployment: DeploymentView;
  /** Newest first. */
  readonly history: readonly HistoryView[];
  readonly versions: readonly VersionView[];
}

export function renderDeployment(details: DeploymentDetails, style: Style, now: number): string {
  const { deployment, history, versions } = details;
  const sections = [
    heading(deployment, style),
    renderFields(style, summaryFields(deployment)),
    ...(deployment.rollout === undefined
      ? []
      : [`${style.bold('Rollout')}  ${rolloutLine(deployment.rollout, style)}`]),
    section('Versions', versionsTable(deployment, versions, style, now), style),
    section('Replicas', replicasTable(deployment, style), style),
    section('Run time by rows of a batch', latencyTable(deployment, style), style),
    section('History', historyTable(history, style, now), style),
  ];
  return sections.filter((part) => part !== '').join('\n\n');
}

function heading(view: DeploymentView, style: Style): string {
  const reason = view.reason === '' ? '' : style.dim(`  ${view.reason}`);
  return `${style.bold(view.name)}  ${statusText(view, style)}${reason}`;
}

function summaryFields(view: DeploymentView): Field[] {
  const { settings, last } = view;
  const { cache } = settings;
  const isModel = view.kind !== 'composition';
  const replicas = view.targets.flatMap((target) => target.replicas);
  const isolation = replicas.find((replica) => replica.isolation)?.isolation ?? settings.isolation;
  const running = `${settings.device}, ${isolation} isolation, ${settings.threads} thread${settings.threads === 1 ? '' : 's'} each`;
  const traffic = `${formatRate(last.requestsPerSecond)} asked, ${formatRate(last.goodputPerSecond)} answered in time, ${formatRate(last.shedPerSecond)} refused`;
  return [
    ['inputs', signatureText(view.signature.inputs)],
    ['outputs', signatureText(view.signature.outputs)],
    ['objective', objectiveText(view)],
    ['serves', versionsText(view)],
    ['replicas', isModel ? `${replicasText(view)}; ${running}` : undefined],
    ['batching', isModel ? `up to ${settings.batching.maxRows} rows` : undefined],
    ['cache', cache && `${formatBytes(cache.maxBytes)} for ${formatDuration(cache.ttlMs)}`],
    ['last minute', traffic],
    [
      'latency',
      `p50 ${formatDuration(last.p50Ms)}, p99 ${formatDuration(last.p99Ms)}; in time ${formatShare(last.sloAttainment)}`,
    ],
  ];
}

function versionsTable(
  view: DeploymentView,
  versions: readonly VersionView[],
  style: Style,
  now: number,
): string {
  if (versions.length === 0) return '';
  const total = view.targets.reduce((sum, target) => sum + target.weight, 0);
  const rows = versions.toReversed().map((version) => ({
    version,
    target: view.targets.find((candidate) => candidate.version === version.version),
  }));
  return renderTable(style, rows, [
    ['VERSION', ({ version }) => `v${version.version}`],
    [
      'TRAFFIC',
      ({ target }) => (target && total > 0 ? formatShare(target.weight / total) : ''),
      'right',
    ],
    ['ANSWERED', ({ target }) => String(target?.answered ?? ''), 'right'],
    ['REFUSED', ({ target }) => refusedText(target?.refused ?? {})],
    ['SIZE', ({ version }) => formatBytes(version.sizeBytes), 'right'],
    ['DIGEST', ({ version }) => version.digest.slice(0, 12)],
    ['STORED', ({ version }) => formatAge(version.createdAt, now)],
    ...(rows.some(({ version }) => originOf(version) !== '')
      ? [['FROM', ({ version }: { version: VersionView }) => originOf(version)] as const]
      : []),
  ]);
}

/** The run that made a version, and the version of a data set that the run had. */
const originOf = ({ metadata: { run, dataSet } }: VersionView): string =>
  run === undefined ? '' : `run ${run}${dataSet === undefined ? '' : `, data ${dataSet}`}`;

function refusedText(refused: Readonly<Record<string, number>>): string {
  return Object.entries(refused)
    .map(([code, count]) => `${count} ${code}`)
    .join(', ');
}

function replicasTable({ targets }: DeploymentView, style: Style): string {
  const rows = targets.flatMap(({ version, replicas }) =>
    replicas.map((replica) => ({ version, ...replica })),
  );
  if (rows.length === 0) return '';
  return renderTable(style, rows, [
    ['ID', ({ id }) => id],
    ['VERSION', ({ version }) => `v${version}`],
    ['STATE', ({ state, busy }) => (state === 'ready' && busy ? 'ready, busy' : state)],
    ['RUNS', ({ runs }) => String(runs), 'right'],
    ['FAILURE', ({ failure }) => failure ?? ''],
  ]);
}

function latencyTable({ targets }: DeploymentView, style: Style): string {
  const batches = targets.flatMap(({ version, latencies }) =>
    latencies.map((latency) => ({ version, ...latency })),
  );
  if (batches.length === 0) return '';
  return renderTable(style, batches, [
    ['VERSION', ({ version }) => `v${version}`],
    ['ROWS', ({ rows }) => String(rows), 'right'],
    ['RUNS', ({ runs }) => String(runs), 'right'],
    ['P50', ({ p50Ms }) => formatDuration(p50Ms), 'right'],
    ['P99', ({ p99Ms }) => formatDuration(p99Ms), 'right'],
    ['ROWS/S OF ONE REPLICA', ({ rows, p50Ms }) => formatRate((rows * 1000) / p50Ms), 'right'],
  ]);
}

function historyTable(history: readonly HistoryView[], style: Style, now: number): string {
  if (history.length === 0) return '';
  return renderTable(style, history, [
    ['WHEN', ({ at }) => formatAge(at, now)],
    ['WHAT', ({ kind }) => kind],
    ['BY', ({ actor }) => actor],
    ['WHY', ({ reason }) => reason],
  ]);
}

function section(title: string, body: string, style: Style): string {
  return body === '' ? '' : `${style.bold(title)}\n${body}`;
}
