import { describe, expect, it } from 'vitest';
import { elementTypeNumber } from '../element-type.ts';
import { GraphBuilder } from '../builder.ts';
import { checkModel } from '../check.ts';
import { mlp } from '../layers/mlp.ts';
import { withLoss } from '../loss/loss.ts';
import { writeModel, type Model } from '../model.ts';
import { signatureOf } from '../signature.ts';
import { tensor } from '../tensor.ts';
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
  it('adds up what comes back along several paths', async () => {
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

  it('leaves the model as it was and describes its outputs', () => {
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

  it('is lean: a perceptron’s backward pass is a handful of nodes, none of which asks for a shape', () => {
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

  it('differentiates through casts of floats and around what is not on the way', async () => {
    const of = model((graph) => {
      const double = { to: elementTypeNumber('float64') };
      const [cast] = graph.node('Cast', ['w'], double);
      const [back] = graph.node('Cast', [graph.node('Mul', [cast, cast])[0]], { to: 1 });
      // Integers that do not come from what is wanted are no obstacle.
      const [index] = graph.node('ArgMax', ['x'], { keepdims: 0 });
      const [scale] = graph.node('Cast', [index], { to: 1 });
      return sum(graph, graph.node('Mul', [back, scale])[0]);
    });
    const result = gradient(of, { loss: 'loss' });
    expect(await ortRun(result, { x: list(1, 2) })).toEqual({ loss: [25], 'grad:w': [6, 8] });
  });

  it('gives a gradient twice when two values share it', async () => {
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

    it('control flow, also when it takes the value from around it', () => {
      const branch = (operator: string) => {
        const body = new GraphBuilder(operator);
        body.node(operator, ['w'], {}, { outputs: [`${operator}_y`] });
        body.output(`${operator}_y`, 'float32', [2]);
        return { graph: body };
      };
      const of = model((graph) => {
        graph.input('flag', 'bool', []);
        const attributes = { then_branch: branch('Exp'), else_branch: branch('Neg') };
        return sum(graph, graph.node('If', ['flag'], attributes, { name: 'choice' })[0]);
      });
      expectRefusal(of, "Node 'choice' (If) cannot be differentiated");
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

    it('a loss that is not one number, and names that are not there', () => {
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
