/** A composition for tests: the input `ask` selects its behaviour, so that one module shows every behaviour. */
import {
  stringTensor,
  tensor,
  values,
  type NumericTensor,
  type Tensor,
  type TensorMap,
} from '@skein/onnx';
import { SkeinError } from '@skein/api/errors';
import { defineComposition, type CompositionContext } from '../define-composition.ts';

export const composition = defineComposition({
  inputs: [
    { name: 'ask', type: 'string', shape: [1] },
    { name: 'x', type: 'float32', shape: [null] },
  ],
  outputs: [
    { name: 'y', type: 'float32', shape: [null] },
    { name: 'note', type: 'string', shape: [1] },
  ],
  calls: ['double', 'increment'],
  async run(inputs, context) {
    const x = inputs.get('x') as NumericTensor;
    const ask = inputs.get('ask');
    const [verb = ''] =
      ask?.type === 'string' ? ask.elements.map((e) => new TextDecoder().decode(e)) : [];
    return answer(verb, x, context);
  },
});

async function answer(
  verb: string,
  x: NumericTensor,
  context: CompositionContext,
): Promise<TensorMap> {
  const reply = (y: NumericTensor, note = verb): TensorMap =>
    new Map<string, Tensor>([
      ['y', y],
      ['note', stringTensor([1], [note])],
    ]);
  const call = async (deployment: string, of: NumericTensor): Promise<NumericTensor> =>
    (await context.call(deployment, new Map([['x', of]]))).get('x') as NumericTensor;

  switch (verb) {
    case 'echo':
      return reply(x);
    case 'double then increment':
      return reply(await call('increment', await call('double', x)));
    case 'remaining':
      return reply(tensor('float32', [1], Float32Array.of(context.remainingMs())));
    case 'move': {
      const sent = await call('double', x);
      return reply(sent, String(x.bytes.byteLength));
    }
    case 'undeclared':
      return reply(await call('other', x));
    case 'refuse':
      throw new SkeinError('IMAGE_INVALID', 'These are not the bytes of an image.', {
        retryAfterMs: 7,
      });
    case 'throw':
      throw new TypeError('secret detail');
    case 'nothing':
      return new Map();
    case 'crash':
      process.exit(3);
    case 'crash on command': {
      const [count] = values(await call('increment', x)) as Float32Array;
      if (count === 0) process.exit(3);
      return reply(tensor('float32', [1], Float32Array.of(count!)));
    }
    case 'given away':
      await call('double', x);
      return reply(x);
    case 'wait for abort':
      await new Promise<void>((resolve) =>
        context.signal.addEventListener('abort', () => resolve()),
      );
      return reply(x);
    case 'loop':
      for (;;);
    default:
      return reply(x, 'unknown');
  }
}
