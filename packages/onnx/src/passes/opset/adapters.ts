/**
 * Changes between the operator sets 7 and 21, by operator and the operator set that changed it.
 * A version that only added element types, attributes with the old behaviour as default, or negative
 * axes has no entry: a node keeps its form. Follows "Operator Changelog" of ONNX.
 */
import type { Attribute } from '../../model/attribute.ts';
import type { Adaptation, Adapter } from './adaptation.ts';

/** Axes, sizes and lists of integers that became an input at a position. */
function listToInput(attribute: string, position: number): Adapter {
  return (node) => {
    const list = node.attributeInts(attribute, []);
    if (!node.has(attribute) || list.length === 0) return node.keep({ without: [attribute] });
    node.keep({ inputs: withInput(node, position, node.ints(list)), without: [attribute] });
  };
}

function withInput(node: Adaptation, position: number, name: string): readonly string[] {
  return Array.from({ length: Math.max(position + 1, node.inputs.length) }, (_, i) =>
    i === position ? name : (node.inputs[i] ?? ''),
  );
}

function refused(reason: string): Adapter {
  return (node) => node.refuse(reason);
}

const axesToInput = listToInput('axes', 1);

/** One axis in place of all axes from it on. */
const oneAxis: Adapter = (node) => {
  const axis = node.attributeInt('axis', 1);
  const rank = node.rankOf(0);
  if (axis === -1 || axis + 1 === rank) return node.keep({ attributes: { axis: -1 } });
  const [x = ''] = node.inputs;
  const flat = node.emit('Flatten', [x], { axis });
  const result = node.emit(node.opType, [flat], { axis: -1 });
  const shape = node.emit('Shape', [x]);
  // A size of 0 must not mean the size of the flat form; the attribute exists since opset 14.
  const attributes: Record<string, Attribute> = node.target >= 14 ? { allowzero: 1 } : {};
  node.keep({ opType: 'Reshape', inputs: [result, shape], without: ['axis'], attributes });
};

const boundsToInputs: Adapter = (node) => {
  const bound = (name: string) =>
    node.has(name) ? node.scalarLike(0, node.attributeFloat(name)) : '';
  const inputs = [node.inputs[0] ?? '', bound('min'), bound('max')];
  node.keep({ inputs, without: ['min', 'max'] });
};

const padsToInputs: Adapter = (node) => {
  const pads = node.ints(node.attributeInts('pads'));
  const value = node.attributeFloat('value', 0);
  const filling = value === 0 ? '' : node.scalarLike(0, value);
  node.keep({ inputs: [node.inputs[0] ?? '', pads, filling], without: ['pads', 'value'] });
};

const rangesToInputs: Adapter = (node) => {
  const lists = ['starts', 'ends', 'axes'].map((name) =>
    node.has(name) || name !== 'axes' ? node.ints(node.attributeInts(name)) : '',
  );
  node.keep({ inputs: [node.inputs[0] ?? '', ...lists], without: ['starts', 'ends', 'axes'] });
};

const countToInput: Adapter = (node) =>
  node.keep({
    inputs: [node.inputs[0] ?? '', node.ints([node.attributeInt('k')])],
    without: ['k'],
  });

const scalesToInput: Adapter = (node) =>
  node.keep({
    inputs: [node.inputs[0] ?? '', node.floats(node.attributeFloats('scales'))],
    without: ['scales'],
  });

/** Before, positions were the quotient of index and scale, rounded down, and up for a smaller result. */
const resizeOfCoordinates: Adapter = (node) => {
  const mode = node.attributeString('mode', 'nearest');
  const attributes: Record<string, Attribute> = { coordinate_transformation_mode: 'asymmetric' };
  if (mode === 'nearest') {
    const scales = node.numbersOf(1) ?? node.refuse('its scales are not constant');
    const shrinks = scales.some((scale) => scale < 1);
    if (shrinks && scales.some((scale) => scale > 1)) {
      node.refuse('it makes one axis larger and another smaller');
    }
    attributes['nearest_mode'] = shrinks ? 'ceil' : 'floor';
  }
  const [x = '', scales = ''] = node.inputs;
  node.keep({ inputs: [x, node.floats([]), scales], attributes });
};

/** The mask of a node that does not train is a constant that versions fill in different ways. */
const dropoutWithoutMask: Adapter = (node) => {
  if (node.isRead(1)) node.refuse('its mask is read');
  node.keep({ outputs: node.outputs.slice(0, 1), without: ['ratio'] });
};

const inferenceForm: Adapter = (node) => {
  if (node.outputs.some((_, output) => output > 0 && node.isRead(output))) {
    node.refuse('it computes statistics for training');
  }
  node.keep({ outputs: node.outputs.slice(0, 1) });
};

const channelStatistics: Adapter = (node) => {
  if (node.attributeInt('spatial', 1) !== 1) node.refuse('its attribute spatial is 0');
  node.keep({ without: ['spatial'] });
};

/** Before, all channels of a group had one scale and one bias. */
const groupsToChannels: Adapter = (node) => {
  const channels = node.sizeOf(0, 1) ?? node.refuse('the channels of its input are not known');
  const groups = node.attributeInt('num_groups');
  if (!(channels % groups === 0)) node.fail(`${channels} channels are not ${groups} groups.`);
  const repeated = (name: string) => {
    const column = node.emit('Unsqueeze', [name, node.ints([1])]);
    const table = node.emit('Expand', [column, node.ints([groups, channels / groups])]);
    return node.emit('Reshape', [table, node.ints([-1])]);
  };
  const [x = '', scale = '', bias = ''] = node.inputs;
  node.keep({ inputs: [x, repeated(scale), repeated(bias)] });
};

const GRID_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

const ADAPTERS: Readonly<Record<string, Readonly<Record<number, Adapter>>>> = {
  BatchNormalization: { 9: channelStatistics, 14: inferenceForm },
  Clip: { 11: boundsToInputs },
  DFT: {
    20: (node) => {
      const axis = node.scalar('int64', node.attributeInt('axis', 1));
      node.keep({ inputs: withInput(node, 2, axis), without: ['axis'] });
    },
  },
  Dropout: {
    10: (node) => (node.isRead(1) ? node.refuse('its mask is read') : node.keep()),
    12: dropoutWithoutMask,
  },
  GridSample: {
    20: (node) => {
      const mode = node.attributeString('mode', 'bilinear');
      node.keep({ attributes: { mode: GRID_MODES[mode] ?? mode } });
    },
  },
  GroupNormalization: { 21: groupsToChannels },
  Hardmax: { 13: oneAxis },
  LogSoftmax: { 13: oneAxis },
  Pad: { 11: padsToInputs },
  ReduceL1: { 18: axesToInput },
  ReduceL2: { 18: axesToInput },
  ReduceLogSum: { 18: axesToInput },
  ReduceLogSumExp: { 18: axesToInput },
  ReduceMax: { 18: axesToInput },
  ReduceMean: { 18: axesToInput },
  ReduceMin: { 18: axesToInput },
  ReduceProd: { 18: axesToInput },
  ReduceSum: { 13: axesToInput },
  ReduceSumSquare: { 18: axesToInput },
  Resize: {
    11: resizeOfCoordinates,
    13: (node) => {
      const mode = node.attributeString('coordinate_transformation_mode', 'half_pixel');
      if (mode === 'tf_half_pixel_for_nn') node.refuse(`the mode ${mode} was withdrawn`);
      node.keep();
    },
  },
  RoiAlign: {
    16: (node) =>
      node.keep({ attributes: { coordinate_transformation_mode: 'output_half_pixel' } }),
  },
  Scan: { 9: refused('its first axis is a batch of sequences') },
  Scatter: { 11: (node) => node.keep({ opType: 'ScatterElements' }) },
  Slice: { 10: rangesToInputs },
  Softmax: { 13: oneAxis },
  Split: {
    13: listToInput('split', 1),
    18: (node) =>
      node.hasInput(1)
        ? node.keep()
        : node.keep({ attributes: { num_outputs: node.outputs.length } }),
  },
  Squeeze: { 13: axesToInput },
  TopK: { 10: countToInput },
  Unsqueeze: { 13: axesToInput },
  Upsample: { 9: scalesToInput, 10: (node) => node.keep({ opType: 'Resize' }) },
};

export function adapterOf(operator: string, version: number): Adapter | undefined {
  return Object.hasOwn(ADAPTERS, operator) ? ADAPTERS[operator]![version] : undefined;
}

/** Whether an operator changed after one operator set and up to another. */
export function changes(operator: string, after: number, upTo: number): boolean {
  if (!Object.hasOwn(ADAPTERS, operator)) return false;
  return Object.keys(ADAPTERS[operator]!).some((at) => Number(at) > after && Number(at) <= upTo);
}
