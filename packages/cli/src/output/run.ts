/** Training runs as text. Pure: the time is a parameter. */
import type { Run, RunReport, RunSummary } from '@skein/api';
import { formatAge, formatDuration, formatShare } from '@skein/api/units';
import { formatMetric, metricTitle } from '../train/progress.ts';
import type { Style } from './style.ts';
import { type Column, type Field, renderFields, renderTable } from './table.ts';

const STATUS_COLOURS = {
  running: 'cyan',
  finished: 'green',
  interrupted: 'yellow',
  failed: 'red',
} as const satisfies Record<Run['status'], keyof Style>;

export function runStatus({ status }: Pick<Run, 'status'>, style: Style): string {
  return style[STATUS_COLOURS[status]](status);
}

/** The numbers of a run that fit into a list. */
export function headlineOf({ result, last }: Pick<RunSummary, 'result' | 'last'>): string {
  const report = result?.report;
  if (report?.kind === 'classification') {
    const auc = report.auc === undefined ? '' : `, AUC ${formatMetric(report.auc)}`;
    return `accuracy ${formatMetric(report.accuracy)}${auc}`;
  }
  if (report?.kind === 'regression') {
    return `RMSE ${formatMetric(report.rmse)}, R² ${formatMetric(report.r2)}`;
  }
  return last === undefined ? '' : `loss ${formatMetric(last.loss)}`;
}

export function versionsOf({ versions }: Pick<Run, 'versions'>): string {
  return versions.map(({ model, version }) => `${model} v${version}`).join(', ');
}

export function renderRuns(runs: readonly RunSummary[], style: Style, now: number): string {
  return renderTable(style, runs, [
    ['RUN', ({ id }) => style.bold(id)],
    ['STATUS', (run) => runStatus(run, style)],
    ['TASK', ({ task }) => task],
    ['EPOCH', ({ last, plan }) => `${last?.epoch ?? 0}/${String(plan['epochs'] ?? '?')}`, 'right'],
    ['RESULT', headlineOf],
    ['STARTED', ({ startedAt }) => formatAge(startedAt, now)],
    ['VERSION', versionsOf],
  ]);
}

export function renderReport(report: RunReport, style: Style): string {
  const rows = `${report.rows.toLocaleString('en')} validation rows`;
  if (report.kind === 'regression') {
    const fields: Field[] = [
      ['loss', formatMetric(report.loss)],
      ['MAE', formatMetric(report.mae)],
      ['RMSE', formatMetric(report.rmse)],
      ['R²', formatMetric(report.r2)],
    ];
    return `${style.bold('On')} ${rows}\n${renderFields(style, fields)}`;
  }
  const { calibration } = report;
  const fields: Field[] = [
    ['loss', formatMetric(report.loss)],
    ['accuracy', formatShare(report.accuracy)],
    ['macro F1', formatMetric(report.macroF1)],
    ['AUC', report.auc === undefined ? undefined : formatMetric(report.auc)],
    [
      'calibration',
      `error ${formatMetric(calibration.error)}, Brier ${formatMetric(calibration.brier)}`,
    ],
  ];
  const matrix = confusionTable(report, style);
  return [
    `${style.bold('On')} ${rows}`,
    renderFields(style, fields),
    ...(matrix === '' ? [] : ['', matrix]),
  ].join('\n');
}

/** More classes than this fit no terminal. */
const WIDEST_MATRIX = 12;

function confusionTable(
  { confusion, classes }: RunReport & { kind: 'classification' },
  style: Style,
): string {
  if (confusion.length === 0 || confusion.length > WIDEST_MATRIX) return '';
  return renderTable(
    style,
    confusion.map((counts, i) => ({ name: classes[i] ?? String(i), counts })),
    [
      ['TRUE ↓ PREDICTED →', ({ name }) => name],
      ...classes.map((name, i): Column<{ counts: readonly number[] }> => [
        name,
        ({ counts }) => String(counts[i]),
        'right',
      ]),
    ],
  );
}

const ROLES: Readonly<Record<Run['lineage']['data'][number]['role'], string>> = {
  training: 'data',
  labels: 'labels',
  validation: 'validation',
  validationLabels: 'validation labels',
};

export function renderRun(run: Run, style: Style, now: number): string {
  const { lineage, result, steps } = run;
  const { code, environment, parent } = lineage;
  const fields: Field[] = [
    ['started', formatAge(run.startedAt, now)],
    ['steps', `${steps.done.toLocaleString('en')} of ${steps.planned.toLocaleString('en')}`],
    ['best epoch', result?.bestEpoch?.toString()],
    ['deployed as', versionsOf(run) || undefined],
    ...lineage.data.map(({ role, path, digest, rows, version }): Field => [
      ROLES[role],
      `${path}, ${rows.toLocaleString('en')} rows, ${version === undefined ? '' : 'manifest '}sha-256 ${(version?.manifest ?? digest).slice(0, 12)}…`,
    ]),
    ['parent', `${parent.path}, sha-256 ${parent.digest.slice(0, 12)}…`],
    ['result', result && `sha-256 ${result.digest.slice(0, 12)}…`],
    [
      'code',
      `Skein ${code.skein}${code.commit === undefined ? '' : `, commit ${shortCommit(code.commit)}`}`,
    ],
    [
      'environment',
      `${environment.cpu}, ${environment.platform}, Node ${environment.node}, ONNX Runtime ${environment.onnxRuntime}`,
    ],
    [
      'plan',
      Object.entries(run.plan)
        .map(([key, value]) => `${key} ${String(value)}`)
        .join(', '),
    ],
  ];
  const reason = run.reason === '' ? '' : style.dim(`  ${run.reason}`);
  return [
    `${style.bold(run.id)}  ${runStatus(run, style)}${reason}`,
    renderFields(style, fields),
    ...(run.epochs.length === 0 ? [] : [epochTable(run, style)]),
    ...(result?.report === undefined ? [] : [renderReport(result.report, style)]),
  ].join('\n\n');
}

function shortCommit(commit: string): string {
  return `${commit.slice(0, 10)}${commit.endsWith('+') ? ' with changes' : ''}`;
}

/** Lines of the table; more are thinned out. */
const LONGEST_TABLE = 24;

function epochTable({ epochs, result }: Run, style: Style): string {
  const names = Object.keys(epochs[0]?.metrics ?? {});
  const every = Math.ceil(epochs.length / LONGEST_TABLE);
  const shown = epochs.filter(
    ({ epoch }, i) => i % every === 0 || i === epochs.length - 1 || epoch === result?.bestEpoch,
  );
  return renderTable(style, shown, [
    [
      'EPOCH',
      ({ epoch }) => (epoch === result?.bestEpoch ? style.green(`${epoch}`) : `${epoch}`),
      'right',
    ],
    ['LOSS', ({ loss }) => formatMetric(loss), 'right'],
    ...names.map((name): Column<Run['epochs'][number]> => [
      metricTitle(name).toUpperCase(),
      ({ metrics }) => formatMetric(metrics[name]),
      'right',
    ]),
    ['RATE', ({ learningRate }) => formatMetric(learningRate), 'right'],
    ['TOOK', ({ tookMs }) => formatDuration(tookMs), 'right'],
  ]);
}
