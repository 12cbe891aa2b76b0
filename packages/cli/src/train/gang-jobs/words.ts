/** Converts settings back to the words of a command line, for a command that runs elsewhere. */
import { optionName } from '../../command.ts';
import { FLAG_NAMES, type TrainingChoice } from '../options.ts';
import type { Flags } from '../origin.ts';

/** `flagsOf` of these words gives the original flags. */
export function wordsOf(flags: Flags): string[] {
  const words: string[] = [];
  const { model, name, validation } = flags;
  const isFile = model !== undefined && isModelFile(model);
  if (isFile) words.push(model);
  for (const [key, flag] of FLAG_NAMES) {
    const value = flags[flag];
    if (value === undefined || (flag === 'model' && isFile)) continue;
    // A share and a file are two options of one setting.
    if (flag === 'validation' && (key === 'validation') !== (typeof validation === 'number'))
      continue;
    // With `=`, a value that begins with a dash is not read as an option.
    words.push(`--${optionName(key)}=${textOf(key, value)}`);
  }
  if (name !== undefined) words.push(`--name=${name}`);
  return words;
}

export function isModelFile(model: string): boolean {
  return /\.onnx$/i.test(model);
}

function textOf(key: keyof TrainingChoice, value: NonNullable<Flags[keyof Flags]>): string {
  if (typeof value !== 'object') return String(value);
  if (key !== 'imageSize') return (value as readonly string[]).join(',');
  const { width, height, channels } = value as NonNullable<Flags['imageSize']>;
  return `${width}x${height}x${channels}`;
}
