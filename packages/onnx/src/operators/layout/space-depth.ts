/**
 * DepthToSpace and SpaceToDepth: channels become pixels of a block (Shi et al., 2016), and pixels
 * channels. Each undoes the other, and so is its gradient.
 */
import type { GradientRule } from '../../gradient/rule.ts';
import type { InferenceRule } from '../../infer/rule.ts';
import { product, quotient, type Size } from '../../infer/size.ts';
import type { Operators } from '../operator.ts';

const inferDepthToSpace: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape?.length !== 4) return [{ type, shape: undefined }];
  const block = node.attributeInt('blocksize');
  const [n, c, h, w] = shape as [Size, Size, Size, Size];
  const channels = quotient([c], [block * block]) ?? node.unknown(1);
  return [{ type, shape: [n, channels, product([h, block]), product([w, block])] }];
};

const inferSpaceToDepth: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape?.length !== 4) return [{ type, shape: undefined }];
  const block = node.attributeInt('blocksize');
  const [n, c, h, w] = shape as [Size, Size, Size, Size];
  const part = (size: Size, axis: number) => quotient([size], [block]) ?? node.unknown(axis);
  return [{ type, shape: [n, product([c, block * block]), part(h, 2), part(w, 3)] }];
};

/** SpaceToDepth makes channels in the order of DCR: the block before the channel. CRD has it behind. */
const gathered: GradientRule = (node, graph) => {
  const blocksize = node.attributeInt('blocksize');
  const dy = graph.emit('SpaceToDepth', [node.outputGradients[0]!], { blocksize });
  if (node.attributeString('mode', 'DCR') === 'DCR') return [dy];
  const channels = graph.shapeOf(node.inputs[0]!)?.[1];
  if (typeof channels !== 'number') return graph.fail('its number of channels is not fixed');
  const block = blocksize * blocksize;
  const order = Array.from(
    { length: graph.reserve(channels) },
    (_, i) => (i % block) * (channels / block) + Math.floor(i / block),
  );
  return [graph.emit('Gather', [dy, graph.ints(order)], { axis: 1 })];
};

const scattered: GradientRule = (node, graph) => {
  const blocksize = node.attributeInt('blocksize');
  return [graph.emit('DepthToSpace', [node.outputGradients[0]!], { blocksize })];
};

export const spaceDepth: Operators = {
  DepthToSpace: { infer: inferDepthToSpace, gradient: gathered },
  SpaceToDepth: { infer: inferSpaceToDepth, gradient: scattered },
};
