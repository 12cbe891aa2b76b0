/** Operators that slide a window: convolutions and poolings. */
import type { Inferred, InferenceNode, InferenceRule } from './rule.ts';
import { shown } from './rule.ts';
import { ceilDivide, floorDivide, plus, product, sum, type Size } from './size.ts';

const globalPool: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  return [{ type, shape: shape?.map((size, axis) => (axis < 2 ? size : 1)) }];
};

export const windowOperators: Readonly<Record<string, InferenceRule>> = {
  Conv: (node) => {
    const { type, shape } = node.given(0);
    return [{ type, shape: convolved(node, shape, node.given(1).shape) }];
  },
  ConvTranspose: (node) => {
    const { type, shape } = node.given(0);
    const weights = node.given(1).shape;
    if (shape === undefined || weights === undefined) return [{ type, shape: undefined }];
    if (shape.length !== weights.length || shape.length < 3) {
      node.fail(`weights of ${shown(weights)} do not fit ${shown(shape)}.`);
    }
    const channels = product([weights[1]!, node.attributeInt('group', 1)]);
    return [{ type, shape: [shape[0]!, channels, ...unslid(node, shape, weights)] }];
  },
  MaxPool: (node) => {
    const [pooled] = pool(node);
    return [pooled, { type: 'int64', shape: pooled.shape }];
  },
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
};

/** The shape of a convolution: x [batch, channels, …], weights [filters, channels ÷ groups, …]. */
export function convolved(
  node: InferenceNode,
  shape: readonly Size[] | undefined,
  weights: readonly Size[] | undefined,
): readonly Size[] | undefined {
  if (shape === undefined || weights === undefined) return undefined;
  if (shape.length !== weights.length || shape.length < 3) {
    node.fail(`weights of ${shown(weights)} do not fit ${shown(shape)}.`);
  }
  const [channels, inputs] = [shape[1]!, weights[1]!];
  const group = node.attributeInt('group', 1);
  if (typeof channels === 'number' && typeof inputs === 'number' && channels !== inputs * group) {
    node.fail(
      `its ${channels} channels are not the ${inputs * group} that weights of ${shown(weights)} read in ${group} group${group === 1 ? '' : 's'}.`,
    );
  }
  return [shape[0]!, weights[0]!, ...slid(node, shape.slice(2), weights.slice(2), false)];
}

function pool(node: InferenceNode): readonly [Inferred] {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  if (shape.length < 3) node.fail(`${shown(shape)} has no axis to slide a window along.`);
  const roundsUp = node.attributeInt('ceil_mode', 0) === 1;
  const sizes = slid(node, shape.slice(2), node.attributeInts('kernel_shape'), roundsUp);
  return [{ type, shape: [shape[0]!, shape[1]!, ...sizes] }];
}

/** How often a window fits along each axis. */
function slid(
  node: InferenceNode,
  sizes: readonly Size[],
  kernel: readonly Size[],
  roundsUp: boolean,
): Size[] {
  const { mode, pads, strides, dilations } = slidingOf(node, sizes.length);
  if (kernel.length !== sizes.length) {
    node.fail(`a window of ${kernel.length} axes slides along ${sizes.length}.`);
  }
  return sizes.map((size, i) => {
    const stride = strides[i] ?? 1;
    if (mode.startsWith('SAME')) return ceilDivide(size, stride);
    const taps = kernel[i];
    if (typeof taps !== 'number') return node.unknown(i + 2);
    if (taps < 1) node.fail(`a window of size ${taps} reads nothing.`);
    const extent = (taps - 1) * (dilations[i] ?? 1) + 1;
    const begin = pads[i] ?? 0;
    const padded = plus(size, begin + (pads[sizes.length + i] ?? 0));
    if (typeof padded === 'number' && padded < extent) {
      node.fail(`a window of ${extent} does not fit into axis ${i + 2} of size ${padded}.`);
    }
    const room = plus(padded, -extent);
    if (!roundsUp) return plus(floorDivide(room, stride), 1);
    const count = plus(ceilDivide(room, stride), 1);
    if (typeof count !== 'number' || typeof size !== 'number') return node.unknown(i + 2);
    // A window that would start behind the input is left out.
    return (count - 1) * stride >= size + begin ? count - 1 : count;
  });
}

interface Sliding {
  readonly mode: string;
  /** Before every axis, then behind every axis; empty where there are none. */
  readonly pads: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** How a window moves, with as many numbers as there are axes, or none where the default holds. */
function slidingOf(node: InferenceNode, axes: number): Sliding {
  const mode = node.attributeString('auto_pad', 'NOTSET');
  const list = (attribute: string, length: number, least: number) => {
    const numbers = node.attributeInts(attribute, []);
    const fits = numbers.length === 0 || numbers.length === length;
    if (fits && numbers.every((each) => each >= least)) return numbers;
    return node.fail(`${attribute} of [${numbers.join(', ')}] do not fit ${axes} axes.`);
  };
  return {
    mode,
    pads: mode === 'NOTSET' ? list('pads', 2 * axes, -Infinity) : [],
    strides: list('strides', axes, 1),
    dilations: list('dilations', axes, 1),
  };
}

/** (size − 1) · stride + extent + output_padding − pads, unless the node states the size. */
function unslid(
  node: InferenceNode,
  shape: readonly Size[],
  weights: readonly Size[],
): readonly Size[] {
  const sizes = shape.slice(2);
  const { mode, pads, strides, dilations } = slidingOf(node, sizes.length);
  if (node.has('output_shape')) return node.attributeInts('output_shape').slice(-sizes.length);
  if (mode.startsWith('SAME')) return sizes.map((size, i) => product([size, strides[i] ?? 1]));
  const added = node.attributeInts('output_padding', []);
  return sizes.map((size, i) => {
    const taps = weights[i + 2];
    if (typeof taps !== 'number') return node.unknown(i + 2);
    const stride = strides[i] ?? 1;
    const cut = (pads[i] ?? 0) + (pads[sizes.length + i] ?? 0);
    const extent = (taps - 1) * (dilations[i] ?? 1) + 1;
    return sum([product([plus(size, -1), stride]), extent + (added[i] ?? 0) - cut]);
  });
}
