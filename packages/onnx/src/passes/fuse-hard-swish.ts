/**
 * Replaces x·clip(x + 3, 0, 6)/6 and x·HardSigmoid(x) by HardSwish.
 *
 * Not bit-exact: HardSwish is x·max(0, min(1, x/6 + ½)), which rounds in other places.
 */
import type { NodeProto } from 'onnx-buf';
import { opsetOf, type Model } from '../model/model.ts';
import { isStandard, NodeView } from '../model/node-view.ts';
import { nodeProto } from '../model/protos.ts';
import { rewrite, type Surroundings } from './pattern.ts';

/** The operator set that has HardSwish. */
const HARD_SWISH = 14;
const SIXTH = Math.fround(1 / 6);

/** Products in products that are followed: x·(clip/6), (x·clip)/6. */
const DEPTH = 2;

/** The same model below opset 14. @param model of distinct names. */
export function fuseHardSwish(model: Model): Model {
  if ((opsetOf(model) ?? 0) < HARD_SWISH) return model;
  return rewrite(model, (node, around) => {
    const { names, scale } = productOf(node, around, DEPTH);
    const [a, b] = names;
    if (a === undefined || b === undefined || names.length > 2) return undefined;
    const isGate = (of: string, x: string) =>
      scale === 1 ? isHardSigmoid(of, x, around) : isSixth(scale) && isClipped(of, x, around);
    const x = isGate(b, a) ? a : isGate(a, b) ? b : undefined;
    if (x === undefined) return undefined;
    return [nodeProto('HardSwish', node.name, [x], [node.output[0]!], {})];
  });
}

interface Product {
  /** Values that are multiplied. */
  readonly names: readonly string[];
  /** The constant that they are multiplied with. */
  readonly scale: number;
}

function productOf(node: NodeProto, around: Surroundings, depth: number): Product {
  const isDivision = isStandard(node, 'Div');
  const alone = { names: [node.output[0] ?? ''], scale: 1 };
  if (!isDivision && !isStandard(node, 'Mul')) return alone;
  const [a = '', b = ''] = node.input;
  const right = scalarOf(b, around);
  if (right !== undefined) {
    const { names, scale } = factorsOf(a, around, depth);
    return { names, scale: isDivision ? scale / right : scale * right };
  }
  if (isDivision) return alone;
  const left = scalarOf(a, around);
  const parts = [a, b].map((name, i) =>
    i === 0 && left !== undefined ? { names: [], scale: left } : factorsOf(name, around, depth),
  );
  return {
    names: parts.flatMap(({ names }) => names),
    scale: parts.reduce((product, { scale }) => product * scale, 1),
  };
}

function factorsOf(name: string, around: Surroundings, depth: number): Product {
  const maker = around.maker(name, 'Mul') ?? around.maker(name, 'Div');
  if (depth === 0 || maker === undefined || !around.isReadOnce(name))
    return { names: [name], scale: 1 };
  return productOf(maker, around, depth - 1);
}

function isHardSigmoid(name: string, x: string, around: Surroundings): boolean {
  const node = around.isReadOnce(name) ? around.maker(name, 'HardSigmoid') : undefined;
  if (node?.input[0] !== x) return false;
  const view = new NodeView(node);
  const alpha = Math.fround(view.attributeFloat('alpha', 0.2));
  return alpha === SIXTH && view.attributeFloat('beta', 0.5) === 0.5;
}

/** clip(x + 3, 0, 6) */
function isClipped(name: string, x: string, around: Surroundings): boolean {
  const clip = around.isReadOnce(name) ? around.maker(name, 'Clip') : undefined;
  if (clip === undefined) return false;
  if (scalarOf(clip.input[1], around) !== 0 || scalarOf(clip.input[2], around) !== 6) return false;
  const sum = around.maker(clip.input[0], 'Add');
  if (sum === undefined || !around.isReadOnce(clip.input[0]!)) return false;
  const [a, b] = sum.input;
  return (a === x && scalarOf(b, around) === 3) || (b === x && scalarOf(a, around) === 3);
}

/** A float32 constant that changes no shape when it is broadcast to the other operand. */
function scalarOf(name: string | undefined, around: Surroundings): number | undefined {
  const found = around.floats(name);
  return found?.data.length === 1 && found.shape.length <= 1 ? found.data[0] : undefined;
}

const isSixth = (scale: number): boolean => Math.abs(scale * 6 - 1) < 1e-6;
