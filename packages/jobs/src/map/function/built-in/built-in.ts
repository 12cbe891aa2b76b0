/** Functions of Skein over batches, by name, and the options that each takes. */
import { SkeinError } from '@skein/api/errors';
import type { BatchFunction } from '../batch-function.ts';

/** Loaded with their libraries when a job calls them. */
const BUILT_IN: Readonly<Record<string, () => Promise<BatchFunction>>> = {
  chunk: async () => (await import('./text.ts')).chunk,
  tokens: async () => (await import('./text.ts')).tokens,
  images: async () => (await import('./images.ts')).images,
};

/** @throws SkeinError FUNCTION_INVALID for another name. */
export async function builtInFunction(name: string): Promise<BatchFunction> {
  const load = BUILT_IN[name];
  if (load !== undefined) return load();
  const names = Object.keys(BUILT_IN).map((each) => `skein:${each}`);
  throw new SkeinError(
    'FUNCTION_INVALID',
    `there is no function skein:${name}; there are ${names.join(', ')}`,
  );
}

type Options = Readonly<Record<string, string>>;

/** @throws SkeinError FUNCTION_INVALID for an option that the function does not take. */
export function assertOptions(options: Options, names: readonly string[]): void {
  const other = Object.keys(options).find((name) => !names.includes(name));
  if (other === undefined) return;
  throw new SkeinError(
    'FUNCTION_INVALID',
    `it takes no option "${other}"; its options are ${names.join(', ')}`,
  );
}

/** @throws SkeinError FUNCTION_INVALID for a value outside the range. */
export function integerOption(
  options: Options,
  name: string,
  otherwise: number,
  [least, most]: readonly [number, number],
): number {
  const text = options[name];
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SkeinError(
    'FUNCTION_INVALID',
    `option ${name} is ${text}, not an integer from ${least} to ${most}`,
  );
}

/** The column that an option names. @throws SkeinError FUNCTION_INVALID where there is none, or it has other values than text. */
export function textColumn(
  columns: Readonly<Record<string, readonly unknown[]>>,
  name: string,
): readonly (string | null)[] {
  const values = columns[name];
  if (values === undefined) {
    const names = Object.keys(columns).join(', ');
    throw new SkeinError('FUNCTION_INVALID', `there is no column "${name}"; there are ${names}`);
  }
  const wrong = values.find((value) => value !== null && typeof value !== 'string');
  if (wrong === undefined) return values as readonly (string | null)[];
  throw new SkeinError(
    'FUNCTION_INVALID',
    `column "${name}" has the value ${JSON.stringify(wrong)?.slice(0, 60)}, not a text`,
  );
}
