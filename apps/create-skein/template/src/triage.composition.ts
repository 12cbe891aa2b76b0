/** Turns the scores of `risk` into labels. */
import { stringTensor, values } from '@skein/onnx';
import { defineComposition } from '@skein/serving/composition';

export const composition = defineComposition({
  inputs: [{ name: 'x', type: 'float32', shape: ['rows', 4] }],
  outputs: [{ name: 'label', type: 'string', shape: ['rows'] }],
  calls: ['risk'],

  async run(inputs, context) {
    const outputs = await context.call('risk', inputs);
    const y = outputs.get('y');
    if (y?.type !== 'float32') throw new Error('risk has no output y');
    const labels = [...values(y)].map((score) => (Number(score) > 0 ? 'high' : 'low'));
    return new Map([['label', stringTensor([labels.length], labels)]]);
  },
});
