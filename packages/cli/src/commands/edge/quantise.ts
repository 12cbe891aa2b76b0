/** `skein quantise`: makes a model smaller and faster, and measures what that costs. */
import { cpus } from 'node:os';
import { SkeinError } from '@skein/api/errors';
import { formatBytes } from '@skein/api/units';
import { OnnxError, specialise, writeModel, type Model } from '@skein/onnx';
import { measureVariants } from '@skein/onnx/quantise';
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
import { renderFields } from '../../output/table.ts';
import { openEvaluators } from '../../quantise/evaluators.ts';
import { quantisedPicture } from '../../quantise/picture.ts';
import { renderLayers, renderVariants, rowsText } from '../../quantise/render.ts';
import {
  choiceAmong,
  refusedAll,
  shownLayers,
  shownVariant,
  type Quantised,
} from '../../quantise/result.ts';
import { readRows } from '../../quantise/rows.ts';
import { allSamples, randomSamples, splitSamples } from '../../quantise/samples.ts';

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
    svg: text('FILE', 'File for a picture of the variants and the layers.'),
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
    const result = {
      ...shown,
      layers: shownLayers(report.layers, report.sensitivity, built!),
      estimatedBy: report.sensitivity.method,
      chosen: choice.chosen,
      out,
    };
    if (given.svg === undefined) return result;
    const picture = await writeGivenFile(cwd, given.svg, quantisedPicture(result));
    return { ...result, picture };
  },
  render(result, style) {
    const { chosen, out, picture, isSlower, target, rows } = result;
    const best = result.variants.find(({ name }) => name === chosen)!;
    const fields = [
      ['file', out],
      ['size', `${formatBytes(best.bytes ?? 0)} of ${formatBytes(result.float.bytes)}`],
      ['rows', rowsText(rows)],
      ['picture', picture],
    ] as const;
    return [
      `${style.green('✓')} ${style.bold(chosen)} is the best variant of ${result.model} on ${target}`,
      renderFields(
        style,
        fields.map(([name, value]) => [name, value]),
      ).replaceAll(/^/gm, '  '),
      '',
      renderVariants(result, style),
      '',
      renderLayers(result, style),
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
