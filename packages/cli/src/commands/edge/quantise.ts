/** `skein quantise`: makes a model smaller and faster, and measures what that costs. */
import { cpus } from 'node:os';
import { SkeinError } from '@skein/api/errors';
import { formatBytes, formatDuration } from '@skein/api/units';
import { OnnxError, specialise, writeModel, type Model } from '@skein/onnx';
import {
  choose,
  measureVariants,
  type Budget,
  type Choice,
  type Refusal,
  type Report,
  type VariantReport,
} from '@skein/onnx/quantise';
import { RuntimeFailure } from '@skein/runtime/contract';
import { defineCommand } from '../../command-line/command.ts';
import {
  argument,
  bytes,
  choice,
  decimal,
  duration,
  many,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { pairsOf, usageError } from '../../command-line/usage.ts';
import { codeOf, modelFile } from '../../deploying/model-file.ts';
import { givenFile, writeGivenFile } from '../../file.ts';
import { renderFields, renderTable } from '../../output/table.ts';
import type { Style } from '../../output/style.ts';
import { openEvaluators } from '../../quantise/evaluators.ts';
import { readRows } from '../../quantise/rows.ts';
import { allSamples, randomSamples, splitSamples } from '../../quantise/samples.ts';

interface Shown {
  readonly name: string;
  readonly summary: string;
  readonly bytes?: number | undefined;
  readonly error?: number | undefined;
  readonly changed?: number | undefined;
  readonly accuracy?: number | undefined;
  readonly drop?: number | undefined;
  readonly timings: Readonly<Record<string, { ms: number; floatMs: number; ratio: number }>>;
  readonly refused?: Refusal | undefined;
  readonly reason?: string | undefined;
  readonly notRun: Readonly<Record<string, string>>;
}

export interface Quantised {
  readonly model: string;
  readonly target: string;
  readonly machine: string;
  readonly rows: { readonly calibration: number; readonly held: number; readonly random: boolean };
  readonly float: Report['float'];
  readonly variants: readonly Shown[];
  readonly weightBits: 7 | 8;
  /** Why operators were left as they are. */
  readonly asGiven?: string | undefined;
  readonly chosen: string;
  readonly isSlower: boolean;
  readonly out?: string | undefined;
}

export const quantise = defineCommand({
  name: 'quantise',
  summary:
    'Make a model smaller and faster with weights of 8 or 4 bits, and measure what it costs.',
  details:
    'Builds variants in standard ONNX operators and measures their sizes and errors on rows that calibration did not see. Times are measured natively and in WebAssembly, in runs that alternate with the float model. The variant with the least product of size and time is chosen. One that is slower than the float model on the target, or beyond a limit, is not chosen. Without --data only weights are quantised, and errors come from random inputs. With --label, accuracy is measured.',
  examples: {
    'skein quantise model.onnx --data rows.csv --label diagnosis --out small.onnx':
      'Calibrate and compare on rows; write the best variant',
    'skein quantise model.onnx --data images.npy --target wasm --out small.onnx':
      'Choose by the speed in WebAssembly',
    'skein quantise model.onnx --max-size 2MiB --data rows.npz': 'Within a budget of bytes',
  },
  arguments: { file: argument('MODEL', 'An .onnx file.', { completes: 'file' }) },
  options: {
    data: text(
      'FILE',
      'Rows to calibrate and compare on: .csv, .tsv, .jsonl, .parquet, .npy, .npz, IDX, or .json with a list of {"NAME": values}.',
    ),
    label: text('COLUMN', 'Column, array or JSON field with the label of each row.'),
    labels: text('FILE', 'File of labels for an .npy or IDX file.'),
    bind: many(
      'NAME=NUMBER',
      'Constant for an input, such as sr=16000; the result has no such input.',
    ),
    golden: text('FILE', 'Rows of the accuracy gate, as --data; default: the held-out rows.'),
    target: withDefault(
      choice(['native', 'wasm'], 'Runtime whose speed and errors decide.'),
      'native',
    ),
    maxError: withDefault(
      decimal('PERCENT', 'Largest root mean square error of the outputs.', [0, 1000]),
      '10',
    ),
    maxDrop: withDefault(
      decimal(
        'POINTS',
        'Points of percent by which the golden rows may fall: in accuracy with labels, else in decisions equal to the float model’s.',
        [0, 100],
      ),
      '1',
    ),
    maxSize: bytes(
      'Largest file. A variant that is slower than the float model is chosen if no other fits.',
    ),
    timing: withDefault(
      duration('Time for which each variant is measured on each runtime.', [1, 600_000]),
      '1s',
    ),
    out: text('FILE', 'File for the chosen variant.'),
  },
  async run(context, given): Promise<Quantised> {
    const { cwd, notes, signal } = context;
    const { file, target, label } = given;
    const { path } = await givenFile(cwd, file);
    const model = bound(file, (await modelFile(path, file)).model, given.bind);
    notes.progress('Reading rows');
    const rows = (name: string, labels?: string) =>
      readRows(cwd, model, { file: name, label, labels });
    const split =
      given.data === undefined
        ? randomSamples(model)
        : splitSamples(model, await rows(given.data, given.labels));
    const golden =
      given.golden === undefined ? undefined : allSamples(model, await rows(given.golden));
    const budget = {
      maxError: given.maxError / 100,
      maxDrop: given.maxDrop,
      maxBytes: given.maxSize,
    };
    const report = await measureVariants(model, {
      evaluators: await openEvaluators(),
      target,
      calibration: split.calibration,
      held: split.held,
      golden,
      timed: split.timed,
      timingMs: given.timing,
      maxError: budget.maxError,
      maxBytes: budget.maxBytes,
      signal,
      onProgress: (text) => notes.progress(text),
    }).catch((error: unknown) => {
      if (!(error instanceof RuntimeFailure)) throw error;
      const what = given.data === undefined ? 'random inputs' : `the rows of "${given.data}"`;
      const fix = given.data === undefined ? ' Give rows with --data.' : '';
      const reason = `"${file}" does not run on ${what}: ${error.message}${fix}`;
      throw new SkeinError('TRAINING_DATA_INVALID', reason, { cause: error });
    });
    notes.clear();
    const choice = choiceAmong(report.variants, target, budget);
    const shown = {
      model: file,
      target,
      machine: cpus()[0]?.model.trim() ?? process.arch,
      rows: { ...split.counts, random: given.data === undefined },
      float: report.float,
      variants: report.variants.map((each) => shownVariant(each, choice)),
      weightBits: report.weightBits,
      asGiven: report.asGiven,
      isSlower: choice.isSlower,
    };
    if (choice.chosen === undefined) {
      context.print(`${renderVariants(shown, context.style)}\n`);
      throw refusedAll(file, shown.variants, target, budget);
    }
    const { built } = report.variants.find(({ name }) => name === choice.chosen)!;
    const out =
      given.out === undefined
        ? undefined
        : await writeGivenFile(cwd, given.out, writeModel(built!.model));
    return { ...shown, chosen: choice.chosen, out };
  },
  render(result, style) {
    const { chosen, out, isSlower, target, rows } = result;
    const best = result.variants.find(({ name }) => name === chosen)!;
    const fields = [
      ['file', out],
      ['size', `${formatBytes(best.bytes ?? 0)} of ${formatBytes(result.float.bytes)}`],
      ['rows', rowsText(rows)],
    ] as const;
    return [
      `${style.green('✓')} ${style.bold(chosen)} is the best variant of ${result.model} on ${target}`,
      renderFields(
        style,
        fields.map(([name, value]) => [name, value]),
      ).replaceAll(/^/gm, '  '),
      '',
      renderVariants(result, style),
      ...(isSlower
        ? [
            style.yellow(
              `${chosen} is slower than the float model on ${target}: no faster variant fits into --max-size.`,
            ),
          ]
        : []),
    ].join('\n');
  },
});

/** The float model without its bound inputs. */
function bound(file: string, model: Model, given: readonly string[]): Model {
  const entries = Object.entries(pairsOf('--bind', 'NAME=NUMBER', given)).map(([name, text]) => {
    const number = Number(text);
    if (text.trim() === '' || Number.isNaN(number)) {
      throw usageError(`--bind ${name}: "${text}" is not a number.`);
    }
    return [name, number] as const;
  });
  if (entries.length === 0) return model;
  try {
    return specialise(model, { bind: Object.fromEntries(entries), exact: true });
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw new SkeinError(codeOf(error), `"${file}": ${error.message}`, { cause: error });
  }
}

function rowsText({ calibration, held, random }: Quantised['rows']): string {
  if (random) {
    return `${held} RANDOM inputs: errors on your rows may be larger, so give --data`;
  }
  return `${calibration} to calibrate, ${held} others to compare`;
}

function choiceAmong(variants: readonly VariantReport[], target: string, budget: Budget): Choice {
  const measured = variants.flatMap(({ name, built }) =>
    built === undefined
      ? []
      : [
          {
            name,
            bytes: built.bytes,
            error: built.quality.error,
            drop: built.drop,
            ratio: built.timings[target]?.ratio,
          },
        ],
  );
  return choose(measured, budget);
}

function shownVariant(
  { name, summary, built, reason, notRun }: VariantReport,
  choice: Choice,
): Shown {
  return {
    name,
    summary,
    bytes: built?.bytes,
    ...built?.quality,
    drop: built?.drop,
    timings: built?.timings ?? {},
    refused: choice.refused.get(name),
    reason,
    notRun,
  };
}

/** The float model and its variants, and why a variant is not chosen. */
function renderVariants(
  { float, variants, target, weightBits, asGiven }: Omit<Quantised, 'chosen'>,
  style: Style,
): string {
  const withAccuracy = float.accuracy !== undefined;
  const rows: Shown[] = [
    {
      name: 'float32',
      summary: '',
      bytes: float.bytes,
      accuracy: float.accuracy,
      notRun: {},
      timings: Object.fromEntries(
        Object.entries(float.ms).map(([runtime, ms]) => [runtime, { ms, floatMs: ms, ratio: 1 }]),
      ),
    },
    ...variants.filter(({ bytes }) => bytes !== undefined),
  ];
  const time = (runtime: string) => (row: Shown) => {
    const timing = row.timings[runtime];
    if (timing === undefined) return '–';
    return row.name === 'float32'
      ? formatDuration(timing.ms)
      : `${formatDuration(timing.ms)} ${(1 / timing.ratio).toFixed(2)}×`;
  };
  const notes = [
    ...(weightBits === 8 ? [] : ['Weights of int8 have 7 bits: this processor saturates with 8.']),
    ...(asGiven === undefined ? [] : [`Operators were left as they are: ${asGiven}`]),
    ...variants.flatMap(({ name, reason, refused, notRun }) => [
      ...(reason === undefined ? [] : [`${name} was not built: ${reason}.`]),
      ...(refused === undefined ? [] : [`${name}: ${REFUSALS[refused](target)}.`]),
      ...Object.entries(notRun).map(
        ([runtime, why]) => `${name} does not run on ${runtime}: ${why}.`,
      ),
    ]),
  ];
  return [
    renderTable(style, rows, [
      ['VARIANT', ({ name }) => name],
      ['SIZE', ({ bytes }) => formatBytes(bytes ?? 0), 'right'],
      ['ERROR', ({ error }) => percent(error), 'right'],
      ['CHANGED', ({ changed }) => percent(changed), 'right'],
      ...(withAccuracy
        ? ([['ACCURACY', ({ accuracy }: Shown) => percent(accuracy), 'right']] as const)
        : []),
      ['NATIVE', time('native'), 'right'],
      ['WASM', time('wasm'), 'right'],
    ]),
    ...notes.map((note) => style.dim(note)),
  ].join('\n');
}

const REFUSALS: Readonly<Record<Refusal, (target: string) => string>> = {
  size: () => 'larger than --max-size',
  error: () => 'its error is above --max-error',
  drop: () => 'the golden rows fall by more than --max-drop',
  slower: (target) => `slower than the float model on ${target}`,
  target: (target) => `does not run on ${target}`,
};

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(2)} %`;
}

function refusedAll(
  file: string,
  variants: readonly Shown[],
  target: string,
  { maxError, maxDrop }: Budget,
): SkeinError {
  const reasons = variants.map(({ name, reason, refused, error, drop }) => {
    if (reason !== undefined) return `${name} was not built, ${reason}`;
    if (refused === 'error')
      return `${name} has an error of ${percent(error)}, above ${percent(maxError)}`;
    if (refused === 'drop')
      return `${name} falls by ${drop!.toFixed(2)} points on the golden rows, more than ${maxDrop}`;
    return `${name} is ${REFUSALS[refused!](target)}`;
  });
  return new SkeinError(
    'QUANTISE_REFUSED',
    `No variant of "${file}" is kept: ${reasons.join('; ')}.`,
  );
}
