import { create } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { FunctionProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { opsetOf, readModel, writeModel, type Model } from '../model/model.ts';
import { signatureOf } from '../model/signature.ts';
import { subgraphsOf } from '../model/node-view.ts';
import { OnnxError } from '../onnx-error.ts';
import { seededRandom } from '../tensor/random.ts';
import { elementCount, tensor } from '../tensor/tensor.ts';
import { OrtTensor } from '../testing/ort.ts';
import { bytesOf, realModels } from '../testing/real-models.ts';
import { specialise } from './specialise.ts';
import { bitsOf, outputsOf, sessionOf } from './testing/runs.ts';

const realModel = (part: string) => {
  const found = realModels.find(({ name }) => name.includes(part))!;
  return bytesOf(found.path);
};
const operatorsOf = (model: Model) => model.graph!.node.map(({ opType }) => opType);

describe('Silero for 16 kHz', () => {
  const whole = realModel('silero');
  const small = specialise(readModel(whole), { bind: { sr: 16_000 }, exact: true });

  it('has at most 1.3 MB, and no input for the rate', () => {
    expect(writeModel(small).byteLength).toBeLessThanOrEqual(1_300_000);
    expect(signatureOf(small).inputs.map(({ name }) => name)).toEqual(['input', 'state']);
    expect(operatorsOf(small)).not.toContain('Identity');
  });

  it.each([true, false])('has every bit over three spoken sentences, exact: %s', async (exact) => {
    const file = readFileSync(
      new URL('../../../../examples/vad/samples/three-sentences.wav', import.meta.url),
    );
    const samples = new Int16Array(file.buffer.slice(file.byteOffset + 44));
    const outputsOver = async (model: Uint8Array, rate: Record<string, OrtTensor>) => {
      const session = await sessionOf(model);
      let state = new OrtTensor('float32', new Float32Array(256), [2, 1, 128]);
      const outputs: string[] = [];
      let speech = 0;
      for (let at = 0; at + 576 <= samples.length; at += 512) {
        const window = Float32Array.from(samples.subarray(at, at + 576), (each) => each / 32_768);
        const input = new OrtTensor('float32', window, [1, 576]);
        const results = await session.run({ input, state, ...rate });
        state = results['stateN'] as typeof state;
        outputs.push(bitsOf(results['output']!), bitsOf(state));
        if ((results['output']!.data[0] as number) > 0.5) speech++;
      }
      await session.release();
      return { outputs, speech };
    };
    const sr = new OrtTensor('int64', BigInt64Array.of(16_000n), []);
    const before = await outputsOver(whole, { sr });
    const bound = specialise(readModel(whole), { bind: { sr: 16_000n }, exact });
    expect(await outputsOver(writeModel(bound), {})).toEqual(before);
    expect(before.speech).toBeGreaterThan(100);
  });
});

describe('the models of the OCR example', () => {
  const MODELS = [
    { part: 'det_infer', shape: [1, 3, 64, 96] },
    { part: 'rec_infer', shape: [1, 3, 48, 160] },
    { part: 'cls_infer', shape: [2, 3, 48, 192] },
  ];

  const feedsOf = (shape: readonly number[]) => {
    const random = seededRandom(39);
    const data = Float32Array.from({ length: elementCount(shape) }, () => random.next() * 2 - 1);
    return { x: new OrtTensor('float32', data, [...shape]) };
  };

  it.each(MODELS)('$part has every bit when that is asked for', async ({ part, shape }) => {
    const bytes = realModel(part);
    const model = readModel(bytes);
    const exact = specialise(model, { exact: true });
    expect(opsetOf(exact)).toBe(13);
    expect(await outputsOf(exact, feedsOf(shape))).toEqual(await outputsOf(bytes, feedsOf(shape)));
    expect(Buffer.compare(writeModel(model), bytes)).toBe(0);
  });

  it.each(MODELS)('$part is smaller and nearly the same otherwise', async ({ part, shape }) => {
    const bytes = realModel(part);
    const fused = specialise(readModel(bytes));
    checkModel(fused);
    expect(opsetOf(fused)).toBe(21);
    expect(writeModel(fused).byteLength).toBeLessThan(bytes.byteLength);
    expect(operatorsOf(fused)).not.toContain('BatchNormalization');
    expect(operatorsOf(fused)).not.toContain('Constant');
    const [before, after] = await Promise.all(
      [bytes, fused].map(async (each) => {
        const session = await sessionOf(each);
        const [result] = Object.values(await session.run(feedsOf(shape)));
        await session.release();
        return result!.data as Float32Array;
      }),
    );
    for (let i = 0; i < before!.length; i++) {
      expect(Math.abs(after![i]! - before![i]!)).toBeLessThan(1e-5);
    }
  });

  it('has one node for each hard swish and layer normalisation', () => {
    const operators = operatorsOf(specialise(readModel(realModel('rec_infer'))));
    const count = (name: string) => operators.filter((each) => each === name).length;
    expect(count('HardSwish')).toBe(28);
    expect(count('LayerNormalization')).toBe(5);
    expect(count('Clip') + count('ReduceMean') + count('Sqrt')).toBe(0);
  });
});

describe('branches', () => {
  const branch = (build: (body: GraphBuilder) => string): { readonly graph: GraphBuilder } => {
    const graph = new GraphBuilder('branch');
    graph.output(build(graph), 'float32', [2]);
    return { graph };
  };

  /** Both branches use the names `w`, `z`; the inner If hides `w` and reads x from two graphs out. */
  function nested(): Model {
    const scaledBy = (factor: number, operator: string) =>
      branch((body) => {
        const inner = (by: number) =>
          branch((deep) => {
            deep.initializer('w', tensor('float32', [1], Float32Array.of(by)));
            return deep.node('Mul', ['x', 'w'], {}, { outputs: ['z'] })[0];
          });
        body.initializer('w', tensor('float32', [1], Float32Array.of(factor)));
        const attributes = { then_branch: inner(3 * factor), else_branch: inner(5 * factor) };
        const [chosen] = body.node('If', ['deep'], attributes, { outputs: ['chosen'] });
        const [moved] = body.node(operator, [chosen, 'w'], {}, { outputs: ['moved'] });
        return body.node('Identity', [moved], {}, { outputs: ['result'] })[0];
      });
    const graph = new GraphBuilder('nested');
    graph.input('x', 'float32', [2]);
    graph.input('rate', 'int64', []);
    graph.input('deep', 'bool', [1]);
    graph.initializer('wanted', tensor('int64', [], BigInt64Array.of(8n)));
    const [equal] = graph.node('Equal', ['rate', 'wanted'], {}, { outputs: ['equal'] });
    const attributes = { then_branch: scaledBy(2, 'Add'), else_branch: scaledBy(7, 'Sub') };
    graph.node('If', [equal], attributes, { outputs: ['y'] });
    graph.output('y', 'float32', [2]);
    return graph.model();
  }

  const x = new OrtTensor('float32', Float32Array.of(1.25, -3), [2]);
  const rates = [8, 9].map((rate) => [rate] as const);

  it.each(rates)(
    'are inlined where the condition is constant, and stay elsewhere: rate %i',
    async (rate) => {
      const model = nested();
      const small = specialise(model, { bind: { rate } });
      checkModel(small);
      expect(operatorsOf(small)).toEqual(['If', rate === 8 ? 'Add' : 'Sub']);
      for (const taken of [0, 1]) {
        const deep = new OrtTensor('bool', Uint8Array.of(taken), [1]);
        const sr = new OrtTensor('int64', BigInt64Array.of(BigInt(rate)), []);
        const expected = await outputsOf(model, { x, deep, rate: sr });
        expect(await outputsOf(small, { x, deep })).toEqual(expected);
      }
    },
  );

  it.each(rates)('in branches are inlined too: rate %i', async (rate) => {
    const deep = tensor('bool', [1], Uint8Array.of(1));
    const small = specialise(nested(), { bind: { rate, deep } });
    expect(operatorsOf(small)).toEqual(['Mul', rate === 8 ? 'Add' : 'Sub']);
    const given = new OrtTensor('bool', Uint8Array.of(1), [1]);
    const sr = new OrtTensor('int64', BigInt64Array.of(BigInt(rate)), []);
    expect(await outputsOf(small, { x })).toEqual(
      await outputsOf(nested(), { x, deep: given, rate: sr }),
    );
  });

  it('may return a value of the graph around them, or an initialiser', async () => {
    const graph = new GraphBuilder('returned');
    graph.input('x', 'float32', [2]);
    const constant = branch((body) => {
      body.initializer('c', tensor('float32', [2], Float32Array.of(4, 5)));
      return body.node('Identity', ['c'], {}, { outputs: ['r'] })[0];
    });
    const same = branch((body) => body.node('Identity', ['x'], {}, { outputs: ['r'] })[0]);
    graph.initializer('yes', tensor('bool', [], Uint8Array.of(1)));
    graph.initializer('no', tensor('bool', [], Uint8Array.of(0)));
    const attributes = { then_branch: constant, else_branch: same };
    graph.node('If', ['yes'], attributes, { outputs: ['a'] });
    graph.node('If', ['no'], attributes, { outputs: ['b'] });
    graph.output('a', 'float32', [2]);
    graph.output('b', 'float32', [2]);
    const small = specialise(graph.model());
    expect(small.graph!.node.flatMap(subgraphsOf)).toEqual([]);
    expect(await outputsOf(small, { x })).toEqual(await outputsOf(graph.model(), { x }));
  });

  it('and bodies of loops have no dead nodes and no Identity left', async () => {
    const body = new GraphBuilder('body');
    body.input('i', 'int64', []);
    body.input('go', 'bool', []);
    body.input('sum', 'float32', [2]);
    const [on] = body.node('Identity', ['go'], {}, { outputs: ['on'] });
    const [c] = body.node(
      'Constant',
      [],
      { value: tensor('float32', [1], Float32Array.of(2)) },
      { outputs: ['c'] },
    );
    const [twice] = body.node('Mul', [c, c], {}, { outputs: ['four'] });
    const [copied] = body.node('Identity', ['x'], {}, { outputs: ['copied'] });
    const [product] = body.node('Mul', [copied, twice], {}, { outputs: ['product'] });
    body.node('Exp', [product], {}, { outputs: ['dead'] });
    const [added] = body.node('Add', ['sum', product], {}, { outputs: ['added'] });
    const [next] = body.node('Identity', [added], {}, { outputs: ['next'] });
    body.output(on, 'bool', []);
    body.output(next, 'float32', [2]);
    const graph = new GraphBuilder('loop');
    graph.input('x', 'float32', [2]);
    graph.initializer('count', tensor('int64', [], BigInt64Array.of(3n)));
    graph.initializer('yes', tensor('bool', [], Uint8Array.of(1)));
    graph.node('Loop', ['count', 'yes', 'x'], { body: { graph: body } }, { outputs: ['y'] });
    graph.output('y', 'float32', [2]);
    const small = specialise(graph.model());
    const [inner] = subgraphsOf(small.graph!.node[0]!);
    // The condition is an input of the body; it must stay a result of a node.
    expect(inner!.node.map(({ opType }) => opType)).toEqual(['Identity', 'Mul', 'Add']);
    expect(await outputsOf(small, { x })).toEqual(await outputsOf(graph.model(), { x }));
  });
});

describe('what changes nothing at inference', () => {
  /** x → Dropout → Identity → Neg → y, and the mask where it is asked for. */
  function dropping(opset: number, options: { mask?: boolean; training?: boolean } = {}): Model {
    const graph = new GraphBuilder('dropping');
    graph.input('x', 'float32', [2]);
    const { mask = false, training } = options;
    const mode =
      training === undefined
        ? []
        : ['', graph.initializer('mode', tensor('bool', [], Uint8Array.of(Number(training))))];
    graph.node('Dropout', ['x', ...mode], {}, { outputs: ['d', 'm'] });
    graph.node(
      'Neg',
      graph.node('Identity', ['d'], {}, { outputs: ['i'] }),
      {},
      { outputs: ['y'] },
    );
    graph.output('y', 'float32', [2]);
    if (mask) graph.output('m', 'bool', [2]);
    return graph.model({ opset, irVersion: 6 });
  }

  it.each<readonly [string, Model, readonly string[]]>([
    ['opset 7', dropping(7), ['Neg']],
    ['opset 11', dropping(11), ['Neg']],
    ['a mode that is false', dropping(13, { training: false }), ['Neg']],
    ['a mode that is true', dropping(13, { training: true }), ['Dropout', 'Neg']],
    ['a mask that is read', dropping(13, { mask: true }), ['Dropout', 'Neg']],
  ])('is removed: %s', (_, model, operators) => {
    expect(operatorsOf(specialise(model))).toEqual(operators);
  });

  it('keeps the names of outputs, and an Identity that makes one of an input or of another', async () => {
    const graph = new GraphBuilder('outputs');
    graph.input('x', 'float32', [2]);
    const [negated] = graph.node('Neg', ['x'], {}, { outputs: ['n'] });
    graph.node('Identity', ['x'], {}, { outputs: ['same'] });
    graph.node('Identity', [negated], {}, { outputs: ['first'] });
    graph.node('Identity', [negated], {}, { outputs: ['second'] });
    for (const name of ['same', 'first', 'second']) graph.output(name, 'float32', [2]);
    const small = specialise(graph.model());
    expect(operatorsOf(small)).toEqual(['Neg', 'Identity', 'Identity']);
    const x = new OrtTensor('float32', Float32Array.of(1, 2), [2]);
    expect(await outputsOf(small, { x })).toEqual(await outputsOf(graph.model(), { x }));
  });
});

describe('a call that cannot be answered', () => {
  function rated(): Model {
    const graph = new GraphBuilder('rated');
    graph.input('x', 'float32', ['n', 2]);
    graph.input('rate', 'int8', [1]);
    graph.node('Cast', ['rate'], { to: 1 }, { outputs: ['r'] });
    graph.node('Mul', ['x', 'r'], {}, { outputs: ['y'], name: 'product' });
    graph.output('y', 'float32', ['n', 2]);
    return graph.model();
  }

  it.each<readonly [string, Parameters<typeof specialise>[1]]>([
    ["The model has no input 'sr' to bind. It has: x, rate.", { bind: { sr: 1 } }],
    ["Input 'rate' is int8, which cannot hold 300.", { bind: { rate: 300 } }],
    ["Input 'rate' is int8, which cannot hold 1.5.", { bind: { rate: 1.5 } }],
    ["Input 'x' is float32[n, 2]; the number 1 cannot stand for it.", { bind: { x: 1 } }],
    [
      "Input 'x' is float32[n, 2]; the bound value is float32[2].",
      { bind: { x: tensor('float32', [2], Float32Array.of(1, 2)) } },
    ],
    [
      "Input 'rate' is int8[1]; the bound value is float32[1].",
      { bind: { rate: tensor('float32', [1], Float32Array.of(1)) } },
    ],
  ])('%s', (message, options) => {
    expect(() => specialise(rated(), options)).toThrow(OnnxError);
    expect(() => specialise(rated(), options)).toThrow(message);
  });

  it('refuses a damaged model, and one with operators of its own', () => {
    const damaged = rated();
    damaged.graph!.node.reverse();
    expect(() => specialise(damaged)).toThrow('are not in order');
    const own = rated();
    own.functions.push(create(FunctionProtoSchema, { name: 'Mul' }));
    expect(() => specialise(own)).toThrow(
      "The model defines the operator 'Mul' of ai.onnx itself.",
    );
  });
});
