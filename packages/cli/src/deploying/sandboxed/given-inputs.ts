/** `--input x=float32[batch,3,224,224]`: the type and shape of an input, as `skein deploy` prints them. */
import type { NumericType } from '@skein/onnx';
import { usageError } from '../../command-line/usage.ts';

/** The type and shape of an input; a name in place of a size is an axis of any size. */
export interface GivenInput {
  readonly name: string;
  readonly type: NumericType;
  readonly shape: readonly (number | string)[];
}

/** The types that a tensor of PyTorch has too. */
const TYPES: readonly NumericType[] = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'bool',
];
const FORM = /^([A-Za-z_]\w*)=(\w+)\[([\w, ]*)\]$/;

/** @throws SkeinError USAGE. */
export function givenInputs(texts: readonly string[]): readonly GivenInput[] {
  return texts.map((text) => {
    const [, name, type, sizes] = FORM.exec(text) ?? [];
    if (name === undefined || type === undefined || sizes === undefined) {
      throw usageError(
        `--input "${text}" is not NAME=TYPE[SHAPE], such as x=float32[batch,3,224,224].`,
      );
    }
    const known = TYPES.find((each) => each === type);
    if (known === undefined) {
      throw usageError(`--input "${text}": "${type}" is not one of ${TYPES.join(', ')}.`);
    }
    const shape = sizes.trim() === '' ? [] : sizes.split(',').map((size) => sizeOf(size.trim()));
    if (shape.includes(undefined)) {
      throw usageError(`--input "${text}": a size is a number from 1, or a name such as batch.`);
    }
    return { name, type: known, shape: shape as (number | string)[] };
  });
}

function sizeOf(text: string): number | string | undefined {
  if (/^[A-Za-z_]\w*$/.test(text)) return text;
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
