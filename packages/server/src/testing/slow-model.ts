/** A model whose runs take as long as its matrix products: for tests of load, where a run must last. */
import { GraphBuilder, tensor, type Model } from '@skein/onnx';

/** x [batch, 8] → y [batch, 8]. @param products of 512 × 512 matrices; ten take about 20 ms on a slow core. */
export function slowModel(products: number): Model {
  const size = 512;
  const graph = new GraphBuilder('slow');
  const x = graph.input('x', 'float32', ['batch', 8]);
  const weights = graph.initializer(
    'w',
    tensor(
      'float32',
      [size, size],
      Float32Array.from({ length: size * size }, (_, i) => (i % 7) / 1e4),
    ),
  );
  const wide = graph.initializer(
    'wide',
    tensor('float32', [8, size], new Float32Array(8 * size).fill(0.01)),
  );
  const narrow = graph.initializer(
    'narrow',
    tensor('float32', [size, 8], new Float32Array(size * 8).fill(0.01)),
  );
  // [batch, 8] → [batch, 512], and its outer product with itself, so that each product is a square.
  const [row] = graph.node('MatMul', [x, wide]);
  const [column] = graph.node('Transpose', [row], { perm: [1, 0] });
  let [square] = graph.node('MatMul', [column, row]);
  for (let i = 0; i < products; i++) [square] = graph.node('MatMul', [square, weights]);
  const [mixed] = graph.node('MatMul', [row, square]);
  const [y] = graph.node('MatMul', [mixed, narrow], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', 8]);
  return graph.model();
}
