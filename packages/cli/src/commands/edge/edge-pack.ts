/** `skein edge pack`: makes a signed bundle of a model for devices. */
import { cpus } from 'node:os';
import { basename, extname } from 'node:path';
import { formatBytes, formatDuration } from '@skein/api/units';
import { readModel, signatureOf, type NumericTensor } from '@skein/onnx';
import { givenInputs, packBundle, tensorsOf, type Packed } from '@skein/edge/publish';
import { defineCommand, type Context } from '../../command-line/command.ts';
import { argument, duration, flag, many, text, withDefault } from '../../command-line/option.ts';
import { pairsOf, usageError } from '../../command-line/usage.ts';
import { openModel } from '../../deploying/model-file.ts';
import { keysOption, outOption } from '../../edge/options.ts';
import { openPlace } from '../../edge/places.ts';
import { readRoleKeys } from '../../edge/role-keys.ts';
import { givenFile, givenJson } from '../../file.ts';
import { renderFields, renderTable } from '../../output/table.ts';
import { int8Variants, type Int8Variants } from '../../quantise/int8-variants.ts';
import { readRows } from '../../quantise/rows.ts';
import { randomSamples, splitSamples } from '../../quantise/samples.ts';
import { readInputs } from '../../tensor/given-input.ts';
import { version } from '../version.ts';

export const edgePack = defineCommand({
  name: 'edge pack',
  summary: 'Pack a model for devices, sign it and publish it.',
  details:
    'Runs the model and each --variant natively and in WebAssembly, measures them, and records golden vectors: inputs with their answers, which a device checks before it uses the version. A device takes the variant that is fastest on its backend; one that is slower than the model everywhere is left out. Devices that have one of the last two versions download a delta, where it is smaller. Without --golden the inputs are random numbers from a seed.',
  examples: {
    'skein edge pack model.onnx --name risk': 'A bundle in ./published',
    'skein edge pack model.onnx --variant int8=small.onnx --golden @rows.json --out s3://models/edge':
      'Two variants, checked on given inputs',
    'skein edge pack model.onnx --int8 --data rows.csv --label diagnosis':
      'With variants of 8 bits, calibrated on rows',
    'skein edge pack model.onnx --never-offload': 'Devices never send its inputs to a node',
  },
  arguments: { file: argument('MODEL', 'An .onnx file.', { completes: 'file' }) },
  options: {
    name: text('NAME', 'Name of the bundle; default: the name of the file.'),
    keys: keysOption,
    out: outOption,
    variant: many('NAME=FILE', 'Another form of the same model, such as a quantised one.'),
    int8: flag('Make variants of 8 bits too, calibrated and compared on --data, else on --golden.'),
    data: text('FILE', 'Rows for --int8: a table, .npy, .npz, IDX or .json, as of skein quantise.'),
    label: text('COLUMN', 'Column of --data with labels, which is no input.'),
    golden: many('JSON', 'Inputs for the golden vectors: {"NAME": values}, or @FILE.'),
    preprocessing: text(
      'JSON',
      'Preprocessing of inputs: {"NAME": {"scale": 255, …}}, or @FILE; devices read it.',
    ),
    licence: withDefault(text('TEXT', 'Licence of the model, such as Apache-2.0.'), 'proprietary'),
    deadline: duration('Time within which an answer counts; devices read it.', [1, 3_600_000]),
    neverOffload: flag('Devices must not send inputs to a node in place of their own answer.'),
  },
  async run(context, given): Promise<Packed & { readonly out: string }> {
    const { file, out, keys: folder, licence, deadline, neverOffload } = given;
    const keys = await readRoleKeys(context.cwd, folder, ['targets', 'snapshot', 'timestamp']);
    const place = await openPlace(context, out);
    const model = await modelAt(context, file);
    const variants = [{ name: 'fp32', model }];
    for (const [name, path] of Object.entries(pairsOf('--variant', 'NAME=FILE', given.variant))) {
      if (name === 'fp32') throw usageError('--variant: fp32 is the name of the model itself.');
      variants.push({ name, model: await modelAt(context, path) });
    }
    const inputs = await goldenInputs(context, model, given.golden);
    const int8 = await quantised(context, model, given, inputs);
    for (const each of int8.variants) {
      if (variants.some(({ name }) => name === each.name)) {
        throw usageError(`--variant: ${each.name} is the name of a variant of --int8.`);
      }
      variants.push(each);
    }
    const { nativeRuntime } = await import('@skein/runtime');
    const { wasmRuntime } = await import('@skein/runtime/wasm');
    const { onnxRuntimeVersion } = await import('@skein/train/native');
    context.notes.progress('Measuring natively and in WebAssembly');
    const packed = await packBundle(place, {
      keys,
      name: given.name ?? nameOf(file),
      variants,
      source: { name: basename(file), model },
      runtimes: { native: nativeRuntime, wasm: wasmRuntime },
      runtimeVersion: onnxRuntimeVersion,
      machine: cpus()[0]?.model.trim() ?? process.arch,
      inputs,
      preprocessing: await preprocessingOf(context, given.preprocessing),
      offload: {
        allowed: !neverOffload,
        ...(deadline === undefined ? {} : { deadlineMs: deadline }),
      },
      licence,
      tool: `skein ${(await version.run(context, {})).skein}`,
      now: Date.now(),
    });
    context.notes.clear();
    return { ...packed, leftOut: [...int8.refused, ...packed.leftOut], out };
  },
  render({ manifest, digest, wireBytes, updates, leftOut, out }, style) {
    const { name, variants, provenance } = manifest;
    return [
      `${style.green('✓')} ${style.bold(name)} version ${manifest.version} is published in ${out}`,
      renderFields(style, [
        ['manifest', digest],
        ['model', `${provenance.source.name}, ${formatBytes(provenance.source.length)}`],
        ['expires', manifest.expires],
      ]),
      '',
      renderTable(style, variants, [
        ['VARIANT', (variant) => variant.name],
        ['DOWNLOAD', (variant) => formatBytes(wireBytes[variant.name] ?? 0), 'right'],
        ...(updates.length === 0
          ? []
          : [
              [
                'UPDATE',
                ({ name: variant }: (typeof variants)[number]) => {
                  const own = updates.filter((each) => each.variant === variant);
                  return own.length === 0
                    ? 'whole'
                    : own
                        .map((each) => `${formatBytes(each.wireBytes)} from ${each.from}`)
                        .join(', ');
                },
              ] as const,
            ]),
        ['NATIVE', ({ backends }) => formatDuration(backends.native?.cost.p50Ms), 'right'],
        ['WASM', ({ backends }) => formatDuration(backends.wasm?.cost.p50Ms), 'right'],
      ]),
      ...leftOut.map((reason) => style.yellow(`left out: ${reason}`)),
    ].join('\n');
  },
});

async function modelAt({ cwd }: Context, given: string): Promise<Uint8Array<ArrayBuffer>> {
  const { path } = await givenFile(cwd, given);
  return new Uint8Array(await (await openModel(path, given)).arrayBuffer());
}

/** Variants for `--int8`, from the rows of --data, else from the golden inputs, else weights alone. */
async function quantised(
  context: Context,
  bytes: Uint8Array,
  { int8, data, label }: { int8: boolean; data: string | undefined; label: string | undefined },
  golden: Parameters<typeof packBundle>[1]['inputs'],
): Promise<Int8Variants> {
  if (!int8) {
    if (data !== undefined) throw usageError('--data has the rows for --int8, which is not given.');
    return { variants: [], refused: [] };
  }
  const model = readModel(bytes);
  if (data !== undefined) {
    const rows = await readRows(context.cwd, model, { file: data, label });
    return int8Variants(context, model, splitSamples(model, rows));
  }
  if (golden === undefined) return int8Variants(context, model, randomSamples(model));
  const list = golden.map((each) => tensorsOf(each));
  return int8Variants(context, model, splitSamples(model, { inputs: { kind: 'list', list } }));
}

function nameOf(file: string): string {
  return basename(file, extname(file))
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-');
}

async function goldenInputs(
  { cwd }: Context,
  model: Uint8Array,
  given: readonly string[],
): Promise<Parameters<typeof packBundle>[1]['inputs']> {
  if (given.length === 0) return undefined;
  const signature = signatureOf(readModel(model));
  const inputs = [];
  for (const data of given) {
    const tensors = await readInputs({ data, input: [], image: undefined }, signature, cwd);
    const strings = Object.entries(tensors).find(([, { type }]) => type === 'string');
    if (strings !== undefined) throw usageError(`--golden: the input "${strings[0]}" takes texts.`);
    inputs.push(givenInputs(tensors as Record<string, NumericTensor>));
  }
  return inputs;
}

async function preprocessingOf(
  { cwd }: Context,
  given: string | undefined,
): Promise<Parameters<typeof packBundle>[1]['preprocessing']> {
  if (given === undefined) return undefined;
  const value = await givenJson(cwd, given, '--preprocessing');
  const isByInput =
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((each) => typeof each === 'object' && each !== null);
  if (!isByInput) throw usageError('--preprocessing: give {"NAME": {…}} with the names of inputs.');
  return value as Record<string, Record<string, unknown>>;
}
