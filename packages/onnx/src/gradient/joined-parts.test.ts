import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import type { Model } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { gradient } from './gradient.ts';

/** Σ over rows i of cᵢ · x[i]², x [3, 2], of the rows that are given. */
function byRows(rows: readonly (readonly [index: number, factor: number])[]): Model {
  const graph = new GraphBuilder('rows');
  graph.input('x', 'float32', [3, 2]);
  const terms = rows.map(([index, factor], i) => {
    const at = graph.initializer(`at${i}`, tensor('int64', [], BigInt64Array.of(BigInt(index))));
    const by = graph.initializer(`by${i}`, tensor('float32', [], Float32Array.of(factor)));
    const [row] = graph.node('Gather', ['x', at], { axis: 0 });
    return graph.node('Mul', [graph.node('Mul', [row, row])[0], by])[0];
  });
  graph.node('ReduceSum', [graph.node('Sum', terms)[0]], { keepdims: 0 }, { outputs: ['loss'] });
  graph.output('loss', 'float32', []);
  return graph.model({ opset: 17 });
}

const x = new OrtTensor('float32', Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);

async function slopes(of: Model): Promise<{ operators: string[]; x: number[] }> {
  const result = gradient(of, { loss: 'loss', inputs: ['x'] });
  checkModel(result);
  const operators = result.graph!.node.map(({ opType }) => opType);
  return { operators, x: (await ortRun(result, { x }))['grad:x']! };
}

describe('joinedParts', () => {
  it('puts the gradients of parts next to each other, in whatever order they were read', async () => {
    const { operators, x } = await slopes(
      byRows([
        [1, 10],
        [0, 1],
        [-1, 100],
      ]),
    );
    expect(operators).toContain('Concat');
    expect(operators).not.toContain('Pad');
    expect(x).toEqual([2, 4, 60, 80, 1000, 1200]);
  });

  it('adds up where a part is missing or read twice', async () => {
    const missing = await slopes(
      byRows([
        [0, 1],
        [2, 100],
      ]),
    );
    expect(missing.operators).toContain('Pad');
    expect(missing.x).toEqual([2, 4, 0, 0, 1000, 1200]);
    const twice = await slopes(
      byRows([
        [0, 1],
        [1, 10],
        [1, 10],
        [2, 100],
      ]),
    );
    expect(twice.operators).toContain('Pad');
    expect(twice.x).toEqual([2, 4, 120, 160, 1000, 1200]);
  });
});
