/**
 * Names the input and the value behind a failed run, where ONNX Runtime's message and the inputs
 * name it. The runtime's message has only the node, and that often has no name.
 */
import { values, type Tensor, type TensorMap } from '@skein/onnx';

/** Elements of an input that are read: the caller's event loop waits for it. */
const MAX_READ = 100_000;
const SHOWN_CHARACTERS = 40;
/** No integer of 64 bits has more. */
const MAX_DIGITS = 20;

type IsCulprit = (value: string | bigint | number) => boolean;

/** By a message of `reason.ts`. */
const CULPRITS: readonly (readonly [RegExp, (match: RegExpExecArray) => IsCulprit])[] = [
  [/a text is not a number/, () => isText(/^\s*[+-]?(\d|\.\d|inf|nan)/i, () => true)],
  [
    /a text is not an integer of 64 bits/,
    () => isText(/^\s*[+-]?\d+/, (n) => n === BigInt.asIntN(64, n)),
  ],
  [
    /a text is not an unsigned integer of 64 bits/,
    () => isText(/^\s*[+-]?\d+/, (n) => (n < 0n ? -n : n) === BigInt.asUintN(64, n < 0n ? -n : n)),
  ],
  [
    /out of data bounds, idx=(-?\d+) /,
    ([, index]) =>
      (value) =>
        typeof value !== 'string' && String(value) === index,
  ],
];

/** Texts that do not begin with such a number, as C++ reads it, or with one that does not fit. */
function isText(number: RegExp, fits: (value: bigint) => boolean): IsCulprit {
  return (value) => {
    if (typeof value !== 'string') return false;
    const [digits] = number.exec(value) ?? [];
    if (digits === undefined) return true;
    const whole = /^\s*([+-]?)0*(\d*)$/.exec(digits);
    if (whole === null) return false;
    const [, sign, significant] = whole as unknown as [string, string, string];
    // The time to read a number of any length would be quadratic.
    return (
      significant.length > MAX_DIGITS || !fits(BigInt(`${sign === '-' ? '-' : ''}0${significant}`))
    );
  };
}

/** @returns the reason, after the input and the value if exactly one input holds such a value. */
export function withCulprit(reason: string, inputs: TensorMap): string {
  for (const [pattern, culpritOf] of CULPRITS) {
    const match = pattern.exec(reason);
    if (match === null) continue;
    const isCulprit = culpritOf(match);
    const found = [...inputs].flatMap(([name, tensor]) => firstIn(name, tensor, isCulprit) ?? []);
    return found.length === 1 ? `${found[0]}: ${reason}` : reason;
  }
  return reason;
}

function firstIn(name: string, tensor: Tensor, isCulprit: IsCulprit): string | undefined {
  const isWhole = /^u?int/.test(tensor.type);
  if (tensor.type !== 'string' && !isWhole) return undefined;
  const list = tensor.type === 'string' ? tensor.elements : values(tensor);
  for (let i = 0; i < Math.min(list.length, MAX_READ); i++) {
    const element = list[i]!;
    const value = typeof element === 'object' ? Buffer.from(element).toString() : element;
    if (!isCulprit(value)) continue;
    const shown =
      typeof value === 'string' ? JSON.stringify(value.slice(0, SHOWN_CHARACTERS)) : String(value);
    return `Input '${name}' holds ${shown} at [${positionOf(i, tensor.shape).join(', ')}]`;
  }
  return undefined;
}

/** The index in each dimension of an element of a row-major tensor. */
function positionOf(index: number, shape: readonly number[]): number[] {
  const position: number[] = [];
  let rest = index;
  for (const size of shape.toReversed()) {
    position.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return position;
}
