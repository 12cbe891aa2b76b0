/** `skein train`: trains a model on rows on this machine; the result can be deployed as a version. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Client, DeploymentView, Run, VersionView } from '@skein/api';
import { unwritable } from '@skein/api/file-errors';
import { formatBytes, formatDuration } from '@skein/api/units';
import { lineageMetadata } from '@skein/state/run-versions';
import { fileStore } from '@skein/train/files';
import { gangOf, type TrainedRun } from '@skein/train/run';
import { defineCommand, optionName, type Context } from '../../command-line/command.ts';
import { connect, connectionOptions, type ConnectionChoice } from '../../connection/connection.ts';
import { serveVersion } from '../../deploying/deploying.ts';
import { duration, flag, integer, optionalArgument, text } from '../../command-line/option.ts';
import { renderReport } from '../../output/run.ts';
import { type Field, renderFields } from '../../output/table.ts';
import { quoted, tryLines } from '../../deploying/sample-request.ts';
import { begin, requireOneWay } from '../../train/begin.ts';
import { flagsOf, inOptions, trainingOptions } from '../../train/options.ts';
import { recordDeployed } from '../../train/runs.ts';
import { usageError } from '../../command-line/usage.ts';
import { trustOptions } from '../../connection/trust.ts';

export interface Trained {
  readonly run: Run;
  /** Absolute path of the trained model. */
  readonly model: string;
  readonly tookMs: number;
  readonly deployment?: DeploymentView;
  /** Commands to continue with. */
  readonly try: readonly string[];
}

/** Result of a member of a gang that is not its leader. */
export interface Followed {
  readonly rank: number;
  readonly size: number;
  readonly tookMs: number;
}

export const train = defineCommand({
  name: 'train',
  summary: 'Train an ONNX model, or a network that is built, on rows of a file.',
  details:
    'Rows are split, encoded and shuffled by the seed; the encoding is fitted on the training rows and becomes part of the model, which therefore takes raw rows. The epoch with the best result on the validation rows is kept. Every run is kept under runs/ of the data folder with its checkpoint, and shown by skein runs ls; it is reported to a running node, but training needs none. Ctrl-C keeps a checkpoint and prints the command that resumes the run, which ends with the same bits as a run that was never stopped. A configuration file sets the same options in TypeScript: export const training = defineTraining({ … }) from @skein/train; flags override it.',
  examples: {
    'skein train --model mlp:16 --data train.csv --label diagnosis --deploy risk':
      'Build a network, train it, serve it',
    "skein train model.onnx --data images/ --freeze '^features' --lr 1e-4":
      'Train the last layers of a model on folders of images',
    'skein train --model cnn:16,32 --data images/ --workers 4':
      'Share every batch among four threads',
    'skein train --model mlp:64 --data rows.parquet --label y --gang 4 --server URL':
      'Train on four workers of a fleet, as a gang of jobs',
    'skein train --resume last': 'Resume a run that was stopped',
  },
  arguments: {
    file: optionalArgument('MODEL', 'An .onnx file to begin with.', { completes: 'file' }),
  },
  options: {
    ...trainingOptions,
    config: text('FILE', 'TypeScript file that exports a training.'),
    resume: text(
      'RUN',
      'Resume a run from its checkpoint, with its settings; --workers may differ. Give --out and --deploy again.',
    ),
    retried: flag(
      'Resume the newest run of the folder, or start one; for a job, which repeats its command after a failure.',
    ),
    gang: integer('N', 'Train on N ranks that are jobs of the node, started together.', [2, 1024]),
    arrival: duration(
      'Time that the ranks of a gang wait for each other; default: 1m.',
      [1, 86_400_000],
    ),
    name: text('NAME', 'Name of the run; default: after the model.'),
    out: text(
      'FILE',
      'File for a copy of the trained model; the run’s folder keeps it in any case.',
    ),
    deploy: text('NAME', 'Serve the result under this name.'),
    server: connectionOptions.server,
    key: connectionOptions.key,
    ...trustOptions,
    folder: text('FOLDER', 'Folder that keeps runs (or SKEIN_DATA; default .skein).'),
  },
  async run(
    context,
    { server, key, folder, ca, cert, certKey, ...all },
  ): Promise<Trained | Followed> {
    const { file, config, resume, retried, gang: ranks, arrival, ...more } = all;
    const { name, out, deploy, ...choices } = more;
    const began = performance.now();
    const options: ConnectionChoice = { server, key, ca, cert, certKey, data: folder };
    const gang = await gangOf(context.env, arrival);
    if (arrival !== undefined && gang === undefined) throw usageError(NO_RANK);
    const way = { resume, retried, ranks, gang };
    const given = { flags: flagsOf(choices, file, name), config };
    requireOneWay(way, given);
    const leads = gang === undefined || gang.rank === 0;
    // A refusal of the node is reported now rather than after hours of training.
    if (leads && deploy !== undefined) {
      const { client } = await connect(context, options);
      await client.checkDeploy({ name: deploy, kind: 'onnx' });
    }
    if (leads && out !== undefined) await assertWritable(context, out);
    const work = begin(context, options, way, given).catch((error: unknown) => {
      throw inOptions(error);
    });
    const again = withOptions({ out, deploy, ...nodeOf(options), folder });
    context.onInterrupt(async () => sayHowToGoOn(context, (await work)?.run, again));
    const outcome = await work;
    if (outcome === undefined) {
      return { rank: gang!.rank, size: gang!.size, tookMs: performance.now() - began };
    }
    const model = await written(context, outcome, out);
    const done = { run: outcome.run, model, tookMs: performance.now() - began };
    if (outcome.model === undefined || context.signal.aborted) return { ...done, try: [] };
    if (deploy === undefined) {
      const { id } = outcome.run;
      const where = withOptions({ data: folder });
      const next = [
        `skein deploy --run ${id} --name NAME${withOptions({ ...nodeOf(options), data: folder })}`,
      ];
      return { ...done, try: [`skein runs show ${id}${where}`, ...next] };
    }
    return { ...done, ...(await served(context, options, outcome, deploy)) };
  },
  render(outcome, style) {
    if ('rank' in outcome) {
      const { rank, size } = outcome;
      return `${style.green('✓')} rank ${rank} of ${size} has done its part ${style.dim(`(${formatDuration(outcome.tookMs)})`)}`;
    }
    const { run, model, tookMs, deployment, try: lines } = outcome;
    const { result, steps } = run;
    const best = result?.bestEpoch === undefined ? '' : `, best in epoch ${result.bestEpoch}`;
    const fields: Field[] = [
      ['run', run.id],
      ['steps', `${steps.done.toLocaleString('en')}${best}`],
      ['model', `${model} (${formatBytes(result?.sizeBytes ?? 0)})`],
    ];
    const head =
      deployment === undefined
        ? `${style.green('✓')} ${style.bold(run.name)} is trained`
        : `${style.green('✓')} ${style.bold(run.name)} is trained, and served as ${style.bold(deployment.name)} v${deployment.targets.at(-1)?.version ?? '?'}`;
    return [
      `${head} ${style.dim(`(${formatDuration(tookMs)})`)}`,
      renderFields(style, fields).replaceAll(/^/gm, '  '),
      ...(result?.report === undefined ? [] : ['', renderReport(result.report, style)]),
      ...(lines.length === 0
        ? []
        : ['', 'Try:', ...lines.map((line) => `  ${style.cyan(style.commands(line))}`)]),
    ].join('\n');
  },
});

const NO_RANK =
  '--arrival is how long a rank waits for the others, and this process is no rank of a gang: leave it out.';

/** The options that were given, as words of the next command: it has to repeat them. */
function withOptions(given: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(given)
    .map(([name, value]) => (value === undefined ? '' : ` --${optionName(name)} ${quoted(value)}`))
    .join('');
}

/** The node that was named, and how it is trusted; a key does not belong on a screen. */
function nodeOf(choice: Omit<ConnectionChoice, 'data'>): Record<string, string | undefined> {
  const { server, ca, cert, certKey } = choice;
  return { server, ca, cert, certKey };
}

/** @param options the words that resume it as it was started: a run keeps its plan, but not what becomes of its model. */
function sayHowToGoOn({ notes }: Context, run: Run | undefined, options: string): void {
  if (run?.status !== 'interrupted') return;
  const { id, steps } = run;
  notes.line(`Stopped after step ${steps.done} of ${steps.planned}. To resume:`);
  notes.line(`  ${notes.style.cyan(notes.style.commands(`skein train --resume ${id}${options}`))}`);
}

/** @throws SkeinError FILE_UNREADABLE before the training, rather than after it. */
async function assertWritable({ cwd }: Context, out: string): Promise<void> {
  const path = resolve(cwd, out);
  try {
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) {
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    }
    await access(dirname(path), constants.W_OK);
    if (!(await stat(dirname(path))).isDirectory()) {
      throw Object.assign(new Error('it is not in a folder'), { code: 'ENOTDIR' });
    }
  } catch (error) {
    throw unwritable(out, error);
  }
}

/** The path at which the trained model lies. */
async function written(
  context: Context,
  { path: folder, model }: TrainedRun,
  out: string | undefined,
): Promise<string> {
  if (out === undefined || model === undefined) return join(folder, 'model.onnx');
  const path = resolve(context.cwd, out);
  await fileStore(path)
    .save(model)
    .catch((error: unknown) => {
      throw unwritable(out, error);
    });
  return path;
}

async function served(
  context: Context,
  choice: ConnectionChoice,
  trained: TrainedRun,
  name: string,
): Promise<Pick<Trained, 'run' | 'deployment' | 'try'>> {
  const { client, url, key } = await connect(context, choice);
  const { run } = trained;
  const [version, deployment] = await deployed(context, client, trained, name).catch(
    (error: unknown) => {
      const { notes } = context;
      const { style } = notes;
      notes.line('The trained model is kept. To serve it:');
      notes.line(
        `  ${style.cyan(style.commands(`skein deploy --run ${run.id} --name ${name}${withOptions({ ...nodeOf(choice), data: choice.data })}`))}`,
      );
      throw error;
    },
  );
  return {
    run: await recordDeployed(context, choice, run, version),
    deployment,
    try: tryLines(deployment, url, key !== undefined, choice),
  };
}

async function deployed(
  context: Context,
  client: Client,
  { run, model }: TrainedRun,
  name: string,
): Promise<[VersionView, DeploymentView]> {
  const content = new Uint8Array(model ?? []);
  const version = await client.importModel({ name, content, metadata: lineageMetadata(run) });
  return [version, await serveVersion(context, client, { name, version: version.version })];
}
