/** `skein deploy`: a model file, or a composition, becomes something that is served. */
import { extname, basename } from 'node:path';
import type { DeploymentSettingsPatch, DeploymentView, VersionView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { defineCommand, type Context } from '../command.ts';
import { connect, connectionOptions } from '../connection.ts';
import { givenFile } from '../file.ts';
import { openModel } from '../model-file.ts';
import {
  argument,
  bytes,
  choice,
  decimal,
  duration,
  flag,
  integer,
  many,
  range,
  text,
} from '../option.ts';
import { objectiveText, replicasText, signatureText, versionsText } from '../output/deployment.ts';
import { rolloutLine } from '../output/rollout.ts';
import { renderFields } from '../output/table.ts';
import { formatDuration } from '../output/units.ts';
import { rolloutOptions, rolloutPlan } from '../rollout-options.ts';
import { tryLines } from '../sample-request.ts';
import { countingFetch, uploadNotes, type UploadProgress } from '../upload.ts';
import { usageError } from '../usage.ts';

const MODULE_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs'];

const settingsOptions = {
  objective: duration('Latency that 99 % of requests must keep, such as 100ms.', {
    min: 0.001,
    max: 600_000,
  }),
  quantile: decimal('SHARE', 'Share of requests that must keep it, such as 0.99.', {
    min: 0.5,
    max: 0.999_999,
  }),
  replicas: range('N|MIN..MAX', 'Bounds of the autoscaler; a minimum of 0 scales to zero.'),
  threads: integer('N', 'Threads of each replica.', { min: 1, max: 256 }),
  oversubscribe: flag('Let threads × replicas exceed the cores.'),
  maxBatch: integer('ROWS', 'Rows that may be run together; 1 turns batching off.', {
    min: 1,
    max: 4096,
  }),
  maxQueue: integer('N', 'Requests that may wait.', { min: 1, max: 1_000_000 }),
  isolation: choice(['thread', 'process'], 'process: a crash of the model costs only a retry.'),
  device: choice(['cpu', 'cuda'], 'Where replicas run.'),
  finiteOnly: flag('Refuse NaN and infinity in inputs.'),
  allowNonFinite: flag('Allow them again.'),
  cache: bytes('Answer equal inputs from a cache of this size; 0 turns it off.'),
  cacheTtl: duration('How long a cached answer may be repeated.', { min: 1, max: 86_400_000 }),
};

export interface Deployed {
  readonly version: VersionView;
  readonly deployment: DeploymentView;
  /** From the start of the upload until the version is warm. */
  readonly tookMs: number;
  /** Commands that call it. */
  readonly try: readonly string[];
}

export const deploy = defineCommand({
  name: 'deploy',
  summary: 'Serve an ONNX model or a composition, or roll a new version out.',
  details:
    'The file is uploaded, checked, loaded and warmed before it takes traffic. A name that is deployed already moves to the new version: at once, by steps (--canary) or on a copy of the traffic (--shadow). Settings that are left out stay as they are. A TypeScript file is a composition: the node runs it from where it lies.',
  examples: [
    { command: 'skein deploy model.onnx --name risk --objective 100ms', does: 'Serve a model' },
    {
      command: 'skein deploy model.onnx --name risk --canary 5,25,100 --step-time 30s',
      does: 'Shift traffic to a new version by steps',
    },
    { command: 'skein deploy ocr.composition.ts --name ocr', does: 'A composition of deployments' },
  ],
  arguments: { file: argument('FILE', 'An .onnx file, or a .ts module.', { completes: 'file' }) },
  options: {
    name: text('NAME', 'What it is called; default: the file’s name.'),
    ...settingsOptions,
    ...rolloutOptions,
    metadata: many('KEY=TEXT', 'Free text kept with the version.'),
    ...connectionOptions,
  },
  async run(
    context,
    { file, name: givenName, metadata: givenMetadata, ...options },
  ): Promise<Deployed> {
    const found = await givenFile(context.cwd, file);
    const name = givenName ?? nameOf(file);
    const settings = settingsOf(options);
    const plan = rolloutPlan(options);
    const metadata = metadataOf(givenMetadata);
    const started = performance.now();

    let onProgress: UploadProgress = () => undefined;
    const { client, url, key } = await connect(context, options, {
      fetch: countingFetch((sent, total) => onProgress(sent, total)),
    });
    const call = { signal: context.signal };
    let version: VersionView;
    if (MODULE_EXTENSIONS.includes(extname(file).toLowerCase())) {
      version = await client.importComposition({ name, modulePath: found.path, metadata }, call);
    } else {
      const content = await openModel(found.path, file);
      onProgress = uploadNotes(context.notes, `Uploading ${basename(file)}`);
      version = await client.importModel({ name, content, metadata }, call);
      onProgress = () => undefined;
    }
    const deployment = await whileWarming(context, name, version.version, () =>
      client.deploy(
        {
          name,
          version: version.version,
          ...(Object.keys(settings).length === 0 ? {} : { settings }),
          ...(plan === undefined ? {} : { plan }),
        },
        call,
      ),
    );
    return {
      version,
      deployment,
      tookMs: performance.now() - started,
      try: tryLines(deployment, url, key !== undefined),
    };
  },
  render({ deployment: view, version, tookMs, try: lines }, style) {
    const rolling =
      view.rollout?.phase === 'finished' || view.rollout?.phase === 'rolled-back'
        ? undefined
        : view.rollout;
    const what = rolling
      ? `${style.bold(view.name)}: ${rolloutLine(rolling, style)}`
      : `${style.green('✓')} ${style.bold(view.name)} v${version.version} is served ${style.dim(`(${formatDuration(tookMs)})`)}`;
    const fields: [string, string][] = [
      ['inputs', signatureText(view.signature.inputs)],
      ['outputs', signatureText(view.signature.outputs)],
      ['objective', objectiveText(view)],
      ...(view.kind === 'onnx' ? [['replicas', replicasText(view)] as [string, string]] : []),
      ...(rolling ? [['serves', versionsText(view)] as [string, string]] : []),
    ];
    const hints = rolling ? [`skein rollout ${view.name} --watch`] : lines;
    return [
      what,
      indent(renderFields(fields, style)),
      '',
      `Try ${style.dim(rolling ? '(how it goes)' : '(call it)')}:`,
      ...hints.map((line) => `  ${style.cyan(line)}`),
    ].join('\n');
  },
});

/** Shows that something is going on while the node loads and warms. */
async function whileWarming<T>(
  context: Context,
  name: string,
  version: string,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const draw = (): void =>
    context.notes.progress(
      `Loading and warming ${name} v${version} … ${formatDuration(performance.now() - started)}`,
    );
  draw();
  const timer = setInterval(draw, 100);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    context.notes.clear();
  }
}

type SettingsChoice = {
  readonly [K in keyof typeof settingsOptions]: ReturnType<(typeof settingsOptions)[K]['parse']>;
};

/** Only what was given: everything else stays, or gets the node's default. */
function settingsOf(given: SettingsChoice): DeploymentSettingsPatch {
  if (given.finiteOnly && given.allowNonFinite) {
    throw usageError('--finite-only and --allow-non-finite exclude each other.');
  }
  if (given.cacheTtl !== undefined && given.cache === undefined) {
    throw usageError('--cache-ttl needs --cache SIZE.');
  }
  const objective = {
    ...(given.objective === undefined ? {} : { latencyMs: given.objective }),
    ...(given.quantile === undefined ? {} : { quantile: given.quantile }),
  };
  return {
    ...(Object.keys(objective).length === 0 ? {} : { objective }),
    ...(given.replicas === undefined ? {} : { replicas: given.replicas }),
    ...(given.threads === undefined ? {} : { threads: given.threads }),
    ...(given.oversubscribe ? { oversubscribe: true } : {}),
    ...(given.maxBatch === undefined ? {} : { batching: { maxRows: given.maxBatch } }),
    ...(given.maxQueue === undefined ? {} : { maxQueue: given.maxQueue }),
    ...(given.isolation === undefined ? {} : { isolation: given.isolation }),
    ...(given.device === undefined ? {} : { device: given.device }),
    ...(given.finiteOnly ? { finiteOnly: true } : {}),
    ...(given.allowNonFinite ? { finiteOnly: false } : {}),
    ...cacheOf(given.cache, given.cacheTtl),
  };
}

function cacheOf(
  maxBytes: number | undefined,
  ttlMs: number | undefined,
): Pick<DeploymentSettingsPatch, 'cache'> {
  if (maxBytes === undefined) return {};
  if (maxBytes === 0) return { cache: null };
  return { cache: { maxBytes, ...(ttlMs === undefined ? {} : { ttlMs: Math.round(ttlMs) }) } };
}

/** `My Model.v2.onnx` → `my-model.v2` */
function nameOf(file: string): string {
  const name = basename(file)
    .replace(/\.(onnx|[cm]?[jt]s)$/i, '')
    .replace(/\.composition$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 63);
  if (name === '') {
    throw new SkeinError('USAGE', `No name can be made from "${file}": give one with --name NAME.`);
  }
  return name;
}

function metadataOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals <= 0) throw usageError(`--metadata: "${pair}" is not KEY=TEXT.`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
