/**
 * Archives of PyTorch, for `skein deploy`: converted in a sandbox by the machine's PyTorch, and compared with
 * PyTorch's own outputs before they are uploaded.
 */
import { readFile, stat } from 'node:fs/promises';
import type { NumericTensor } from '@skein/onnx';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { safeLine } from '@skein/api/safe-text';
import { formatBytes } from '@skein/api/units';
import { readSafetensors } from '@skein/train';
import type { Context } from '../../command-line/command.ts';
import type { ConvertedFile } from '../comparison.ts';
import { compareSamples, type Sample } from './compare-samples.ts';
import type { GivenInput } from './given-inputs.ts';
import { findPython, type PythonPackage } from './machine-python.ts';
import { pythonInSandbox } from './python-in-sandbox.ts';
import { torchFormatOf, type TorchFormat } from './torch-format.ts';

const PACKAGES: readonly PythonPackage[] = [
  { module: 'torch', debian: 'python3-torch', pip: 'torch' },
];
const SCRIPT = new URL('torch-to-onnx.py', import.meta.url);
const MADE_BY: Readonly<Record<TorchFormat, string>> = {
  torchscript: 'TorchScript',
  'torch-export': 'torch.export',
  'torch-pickle': 'torch.save',
};
/** One file is sent to the sandbox in one piece. */
const MOST_BYTES = 2 ** 31 - 2 ** 20;
/** For a report that a hostile archive has written. */
const MOST_NOTES = 20;
const NOTE_CHARACTERS = 300;

/**
 * @param given the path as the user wrote it. @param inputs of --input.
 * @throws SkeinError MODEL_UNSUPPORTED, CONVERTER_MISSING, CONVERSION_…, SANDBOX_UNAVAILABLE.
 */
export async function convertedTorch(
  context: Pick<Context, 'env' | 'notes' | 'signal'>,
  path: string,
  given: string,
  format: TorchFormat,
  inputs: readonly GivenInput[],
): Promise<ConvertedFile> {
  if (format === 'torch-pickle') {
    throw new SkeinError(
      'MODEL_UNSUPPORTED',
      `"${given}" was written by torch.save: it holds weights, and not the code that uses them. Where the class of the model is, run torch.jit.save(torch.jit.script(model), "model.pt"), or torch.export.save(torch.export.export(model, inputs), "model.pt2"); then deploy that file.`,
    );
  }
  const { size } = await stat(path);
  if (size > MOST_BYTES) {
    throw new SkeinError(
      'MODEL_UNSUPPORTED',
      `"${given}" has ${formatBytes(size)}; archives of PyTorch are converted up to 2 GiB. Run torch.onnx.export where it was made, and deploy the .onnx file.`,
    );
  }
  const python = await findPython(context.env, PACKAGES);
  const { files, sandbox } = await pythonInSandbox(context, {
    python,
    packages: PACKAGES,
    script: SCRIPT,
    options: { format, inputs },
    input: await readFile(path),
    given,
    outputs: ['model.onnx', 'samples.safetensors', 'report.json'],
  });
  const bytes = files.get('model.onnx')! as Uint8Array<ArrayBuffer>;
  const { version, notes } = reportOf(files.get('report.json')!, given);
  const samples = samplesOf(files.get('samples.safetensors')!, given);
  const compared = await compareSamples(bytes, samples, given, context.signal);
  const source = `PyTorch ${version}`;
  return {
    content: new Blob([bytes]),
    metadata: { source, archive: MADE_BY[format] },
    conversion: { source, form: MADE_BY[format], sandbox, notes, compared },
  };
}

/** @returns undefined for a file that is not of PyTorch. @throws SkeinError FILE_UNREADABLE. */
export function torchFormatAt(path: string, given: string): TorchFormat | undefined {
  try {
    return torchFormatOf(path);
  } catch (error) {
    throw unreadable(given, error);
  }
}

function reportOf(
  bytes: Uint8Array,
  given: string,
): { readonly version: string; readonly notes: readonly string[] } {
  try {
    const { version, notes } = readJson(bytes, JSON_BOUNDS.frame) as Record<string, unknown>;
    if (typeof version === 'string' && /^[\w.+-]{1,40}$/.test(version) && Array.isArray(notes)) {
      const texts = notes.slice(0, MOST_NOTES).map((note) => safeLine(String(note)));
      return { version, notes: texts.map((text) => text.slice(0, NOTE_CHARACTERS)) };
    }
  } catch {
    // Reported below.
  }
  throw new SkeinError('CONVERSION_FAILED', `"${given}": the report of its conversion is damaged.`);
}

/** Tensors are named `0/inputs/x`, `0/outputs/output`, `1/inputs/x` … */
function samplesOf(bytes: Uint8Array, given: string): readonly Sample[] {
  try {
    const samples: { inputs: Map<string, NumericTensor>; outputs: Map<string, NumericTensor> }[] =
      [];
    for (const [path, tensor] of readSafetensors(bytes).tensors) {
      const [, at, kind, name] = /^([01])\/(inputs|outputs)\/(.+)$/.exec(path)!;
      const sample = (samples[Number(at)] ??= { inputs: new Map(), outputs: new Map() });
      sample[kind as 'inputs' | 'outputs'].set(name!, tensor);
    }
    if (samples.length > 0 && samples.every(({ outputs }) => outputs.size > 0)) return samples;
  } catch {
    // Reported below.
  }
  throw new SkeinError(
    'CONVERSION_FAILED',
    `"${given}": the samples of its conversion are damaged.`,
  );
}
