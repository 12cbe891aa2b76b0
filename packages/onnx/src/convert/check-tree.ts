/** Checks that a tree of a file is one, before anything walks through it. */
import { invalidModel } from '../onnx-error.ts';
import { TEST, type Tree } from './booster.ts';
import { MOST_DEPTH, requireAtMost } from './limits.ts';

/**
 * The nodes that can be reached, the root first.
 * @throws OnnxError `invalid` for a child outside of the tree or with two parents, `unsupported` for a tree that is too deep.
 */
export function reachedNodes({ test, yes, no }: Tree): Int32Array {
  const depth = new Int32Array(test.length);
  const order = new Int32Array(test.length);
  let reached = 1;
  depth[0] = 1;
  for (let at = 0; at < reached; at++) {
    const node = order[at]!;
    if (test[node] === TEST.leaf) continue;
    for (const child of [yes[node]!, no[node]!]) {
      if (!(child > 0 && child < test.length) || depth[child] !== 0) {
        throw invalidModel(`Node ${node} of a tree has the child ${child}, which cannot be one.`);
      }
      depth[child] = depth[node]! + 1;
      requireAtMost('levels in a tree', depth[child], MOST_DEPTH);
      order[reached++] = child;
    }
  }
  return order.subarray(0, reached);
}
