import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './model/builder.ts';
import { NEWEST_OPSET } from './operators.gen.ts';
import { introducedIn, whyAbsent } from './opsets.ts';
import { ortSession } from './testing/ort.ts';

/** Whether ONNX Runtime has an operator of that name in the operator set; its inputs may be all wrong. */
async function ortHas(operator: string, opset: number): Promise<boolean> {
  const graph = new GraphBuilder('one node');
  graph.input('x', 'float32', ['n']);
  graph.node(operator, ['x'], {}, { outputs: ['y'] });
  graph.output('y', 'float32', ['n']);
  try {
    const session = await ortSession(graph.model({ opset }));
    await session.release();
    return true;
  } catch (error) {
    return !/No Op registered|is not a registered function|is deprecated/.test(String(error));
  }
}

describe('the operator table', () => {
  it('refuses no operator that ONNX Runtime has, and accepts none that it lacks', async () => {
    const differences: string[] = [];
    for (const operator of introducedIn.get('ai.onnx')!.keys()) {
      for (let opset = 1; opset <= NEWEST_OPSET; opset++) {
        const has = await ortHas(operator, opset);
        const ours = whyAbsent('', operator, opset) === undefined;
        if (has !== ours) differences.push(`${operator} in opset ${opset}: ${has}`);
      }
    }
    expect(differences).toEqual([]);
  }, 60_000);

  it('leaves other domains to the runtime', () => {
    expect(whyAbsent('com.microsoft', 'FusedMatMul', 1)).toBeUndefined();
  });

  it('finds the classical models', () => {
    expect(whyAbsent('ai.onnx.ml', 'TreeEnsembleClassifier', 3)).toBeUndefined();
    expect(whyAbsent('ai.onnx.ml', 'TreeEnsemble', 3)).toContain('it came with opset 5');
  });
});
