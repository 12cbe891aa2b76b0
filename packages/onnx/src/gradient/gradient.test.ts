import { describe, expect, it } from 'vitest';
import { elementTypeNumber } from '../tensor/element-type.ts';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { mlp } from '../layers/mlp.ts';
import { withLoss } from '../loss/loss.ts';
import { writeModel, type Model } from '../model/model.ts';
import { signatureOf } from '../model/signature.ts';
import { tensor } from '../tensor/tensor.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { gradient } from './gradient.ts';

const list = (...numbers: number[]) =>
  new OrtTensor('float32', Float32Array.from(numbers), [numbers.length]);

/** A graph over x [2] with a weight w [2]; `write` returns the name of the loss. */
function model(write: (graph: GraphBuilder) => string, opset = 17): Model {
  const graph = new GraphBuilder('test');
  graph.input('x', 'float32', [2]);
  graph.initializer('w', tensor('float32', [2], Float32Array.of(3, 4)));
  const loss = write(graph);
  graph.output(loss, 'float32', []);
  return graph.model({ opset });
}

const sum = (graph: GraphBuilder, name: string) =>
  graph.node('ReduceSum', [name], { keepdims: 0 }, { outputs: ['loss'] })[0];

describe('gradient', () => {
  it('adds up the gradients of several paths', async () => {
    // x·w + x·x + x
    const of = model((graph) => {
      const parts = [graph.node('Mul', ['x', 'w'])[0], graph.node('Mul', ['x', 'x'])[0], 'x'];
      return sum(graph, graph.node('Sum', parts)[0]);
    });
    const result = gradient(of, { loss: 'loss', parameters: ['w'], inputs: ['x'] });
    checkModel(result);
    expect(await ortRun(result, { x: list(1, 2) })).toEqual({
      loss: [19],
      'grad:w': [1, 2],
      'grad:x': [3 + 2 + 1, 4 + 4 + 1],
    });
  });

  it('does not change the given model and describes its outputs', () => {
    const of = mlp({ sizes: [4, 3, 2], seed: 1 });
    const before = writeModel(of);
    const { model: whole, loss, seeds } = withLoss(of, { loss: { kind: 'cross-entropy' } });
    const result = gradient(whole, { loss, seeds });
    checkModel(result);
    expect(writeModel(of)).toEqual(before);
    expect(signatureOf(result).outputs).toEqual([
      { name: 'y', type: 'float32', shape: ['batch', 2] },
      { name: loss, type: 'float32', shape: [] },
      { name: 'grad:layer0.weight', type: 'float32', shape: [3, 4] },
      { name: 'grad:layer0.bias', type: 'float32', shape: [3] },
      { name: 'grad:layer1.weight', type: 'float32', shape: [2, 3] },
      { name: 'grad:layer1.bias', type: 'float32', shape: [2] },
    ]);
  });

  it('is lean: a perceptron’s backward pass is a handful of nodes, and none asks for a shape', () => {
    const {
      model: whole,
      loss,
      seeds,
    } = withLoss(mlp({ sizes: [4, 3, 2], seed: 1, batch: 8 }), {
      loss: { kind: 'cross-entropy' },
    });
    const forward = whole.graph!.node.length;
    const backward = gradient(whole, { loss, seeds }).graph!.node.slice(forward);
    expect(backward.map(({ opType }) => opType).sort()).toEqual([
      'Cast',
      'Gemm',
      'Gemm',
      'Gemm',
      'Greater',
      'MatMul',
      'MatMul',
      'Mul',
    ]);
  });

  it('differentiates through casts of floats and ignores nodes off the path to the loss', async () => {
    const of = model((graph) => {
      const double = { to: elementTypeNumber('float64') };
      const [cast] = graph.node('Cast', ['w'], double);
      const [back] = graph.node('Cast', [graph.node('Mul', [cast, cast])[0]], { to: 1 });
      // Integers that do not depend on a parameter do not block the gradient.
      const [index] = graph.node('ArgMax', ['x'], { keepdims: 0 });
      const [scale] = graph.node('Cast', [index], { to: 1 });
      return sum(graph, graph.node('Mul', [back, scale])[0]);
    });
    const result = gradient(of, { loss: 'loss' });
    expect(await ortRun(result, { x: list(1, 2) })).toEqual({ loss: [25], 'grad:w': [6, 8] });
  });

  it('returns a gradient twice when two values share it', async () => {
    const of = model((graph) => sum(graph, graph.node('Add', ['x', 'w'])[0]));
    const result = gradient(of, { loss: 'loss', parameters: ['w'], inputs: ['x'] });
    expect(await ortRun(result, { x: list(1, 2) })).toEqual({
      loss: [10],
      'grad:w': [1, 1],
      'grad:x': [1, 1],
    });
  });

  describe('refuses, naming the node,', () => {
    const expectRefusal = (of: Model, message: string | RegExp, parameters?: string[]) =>
      expect(() => gradient(of, { loss: 'loss', ...(parameters ? { parameters } : {}) })).toThrow(
        message,
      );

    it('operators without a rule', () =>
      expectRefusal(
        model((graph) => sum(graph, graph.node('Det', ['w'], {}, { name: 'det' })[0])),
        "Node 'det' (Det) cannot be differentiated: there is no gradient rule for Det.",
      ));

    it('operators of other domains', () =>
      expectRefusal(
        model((graph) => {
          const [y] = graph.node('Inverse', ['w'], {}, { name: 'odd', domain: 'com.microsoft' });
          return sum(graph, y);
        }),
        "Node 'odd' (Inverse) cannot be differentiated: there is no gradient rule for com.microsoft:Inverse.",
      ));

    it('parts of unknown sizes in operator sets whose Split takes no list', () =>
      expectRefusal(
        model((graph) => {
          const open = graph.input('open', 'float32', [null]);
          return sum(graph, graph.node('Concat', ['w', open], { axis: 0 }, { name: 'both' })[0]);
        }, 9),
        "Node 'both' (Concat) cannot be differentiated: the sizes of its parts cannot be inferred; export with opset 13.",
      ));

    describe('control flow', () => {
      const body = (name: string, write: (graph: GraphBuilder) => void) => {
        const graph = new GraphBuilder(name);
        write(graph);
        return { graph };
      };
      const of = {
        // It takes the value from around it.
        If: model((graph) => {
          const branch = (operator: string) =>
            body(operator, (inner) => {
              inner.node(operator, ['w'], {}, { outputs: [`${operator}_y`] });
              inner.output(`${operator}_y`, 'float32', [2]);
            });
          graph.input('flag', 'bool', []);
          const attributes = { then_branch: branch('Exp'), else_branch: branch('Neg') };
          return sum(graph, graph.node('If', ['flag'], attributes, { name: 'flow' })[0]);
        }),
        Loop: model((graph) => {
          const attributes = {
            body: body('loop', (inner) => {
              inner.input('i', 'int64', []);
              inner.input('going', 'bool', []);
              inner.input('v', 'float32', [2]);
              inner.node('Identity', ['going'], {}, { outputs: ['on'] });
              inner.node('Mul', ['v', 'w'], {}, { outputs: ['next_v'] });
              inner.output('on', 'bool', []);
              inner.output('next_v', 'float32', [2]);
            }),
          };
          const times = graph.initializer('n', tensor('int64', [], BigInt64Array.of(3n)));
          return sum(graph, graph.node('Loop', [times, '', 'x'], attributes, { name: 'flow' })[0]);
        }),
        Scan: model((graph) => {
          const attributes = {
            num_scan_inputs: 1,
            body: body('scan', (inner) => {
              inner.input('total', 'float32', []);
              inner.input('each', 'float32', []);
              inner.node('Add', ['total', 'each'], {}, { outputs: ['next_total'] });
              inner.output('next_total', 'float32', []);
            }),
          };
          const zero = graph.initializer('zero', tensor('float32', [], Float32Array.of(0)));
          return sum(graph, graph.node('Scan', [zero, 'w'], attributes, { name: 'flow' })[0]);
        }),
      };
      it.each(Object.entries(of))('%s', (operator, refused) =>
        expectRefusal(
          refused,
          `Node 'flow' (${operator}) cannot be differentiated: gradients through ${operator} are not supported.`,
        ),
      );
    });

    describe('models of integers', () => {
      const scaled = (graph: GraphBuilder, whole: string) => {
        const scale = graph.initializer('scale', tensor('float32', [], Float32Array.of(0.1)));
        const [float] = graph.node('Cast', [whole], { to: 1 });
        return sum(graph, graph.node('Mul', [float, scale])[0]);
      };
      const weights = (graph: GraphBuilder) =>
        graph.initializer('q', tensor('int8', [2, 2], Int8Array.of(1, 2, 3, 4)));
      const refusal = (node: string) =>
        `The loss 'loss' does not depend on any parameter. ${node} makes something other than floating-point numbers, through which there is no gradient.`;

      it('that take integers', () => {
        const graph = new GraphBuilder('integers');
        graph.input('x', 'int8', [1, 2]);
        const [y] = graph.node('MatMulInteger', ['x', weights(graph)], {}, { name: 'product' });
        graph.output(scaled(graph, y), 'float32', []);
        expectRefusal(graph.model(), refusal("Node 'product' (MatMulInteger)"));
      });

      it('that make integers of floats', () => {
        const graph = new GraphBuilder('quantised');
        graph.input('x', 'float32', ['batch', 2]);
        // The inputs of the shape do not block the gradient, and are not named.
        const [shape] = graph.node('Shape', ['x'], {}, { name: 'shape' });
        const [q, , zero] = graph.node(
          'DynamicQuantizeLinear',
          [graph.node('Reshape', ['x', shape])[0]],
          {},
          { name: 'quantise', outputs: 3 },
        );
        const inputs = [q, weights(graph), zero!];
        const [y] = graph.node('MatMulInteger', inputs, {}, { name: 'product' });
        graph.output(scaled(graph, y), 'float32', []);
        expectRefusal(graph.model(), refusal("Node 'quantise' (DynamicQuantizeLinear)"));
      });

      it('behind weights of floats', () =>
        expectRefusal(
          model((graph) => {
            const [product] = graph.node('Mul', ['x', 'w']);
            const [q] = graph.node(
              'DynamicQuantizeLinear',
              [product],
              {},
              { name: 'quantise', outputs: 3 },
            );
            return sum(graph, graph.node('Cast', [q], { to: 1 }, { name: 'back' })[0]);
          }),
          "Node 'quantise' (DynamicQuantizeLinear) cannot be differentiated: there is no gradient rule for DynamicQuantizeLinear.",
        ));
    });

    it('integers on the only way', () =>
      expectRefusal(
        model((graph) => {
          const [whole] = graph.node('Cast', ['w'], { to: 7 }, { name: 'round' });
          return sum(graph, graph.node('Cast', [whole], { to: 1 })[0]);
        }),
        "The loss 'loss' does not depend on 'w'. Node 'round' (Cast) makes something other",
        ['w'],
      ));

    it('a loss that is not one number, and unknown names', () => {
      const of = model((graph) => graph.node('Exp', ['w'], {}, { outputs: ['loss'] })[0]);
      expectRefusal(of, "The loss 'loss' has the shape [2], but must be one number.");
      expectRefusal(of, "The model has no value named 'v'.", ['v']);
      expectRefusal(
        model((graph) => sum(graph, 'x')),
        "The loss 'loss' does not depend on any parameter.",
      );
    });
  });
});
