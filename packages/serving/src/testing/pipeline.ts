/** A composition over two perceptrons, for the end-to-end tests: `second(first(x))`. */
import type { Tensor } from '@skein/onnx';
import { defineComposition } from '../composition/define-composition.ts';

export const composition = defineComposition({
  inputs: [{ name: 'x', type: 'float32', shape: ['batch', 8] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 3] }],
  calls: ['first', 'second'],
  async run(inputs, context) {
    const hidden = await context.call('first', inputs);
    return context.call('second', new Map<string, Tensor>([['x', hidden.get('y')!]]));
  },
});
