import { GraphBuilder, tensor, values, type NumericTensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { nativeBackend } from '../../run/native-backend.ts';
import { fitArrayEncoding, withArrayEncoding } from './array-encoding.ts';

const pixels = tensor(
  'uint8',
  [3, 2, 2],
  Uint8Array.of(0, 51, 102, 153, 204, 255, 0, 0, 9, 9, 9, 9),
);

function identity(...shape: (number | string)[]) {
  const graph = new GraphBuilder('identity');
  const [y] = graph.node('Identity', [graph.input('image', 'float32', shape)]);
  graph.output(y, 'float32', shape);
  return graph.model();
}

async function encoded(model: ReturnType<typeof identity>, name: string, given: NumericTensor) {
  const graph = await nativeBackend.open(model);
  const [result] = (await graph.run(new Map([[name, given]]))).values();
  await graph.close();
  return result!;
}

describe('an array’s encoding', () => {
  it('scales bytes to 0 to 1 and reshapes them for the model', async () => {
    const encoding = fitArrayEncoding(pixels, { scaling: 'unit', rows: [0] });
    const model = withArrayEncoding(identity('batch', 1, 2, 2), encoding, 'image');
    const { shape, ...result } = await encoded(model, 'pixels', pixels);
    expect(shape).toEqual([3, 1, 2, 2]);
    const [a, b, c, d] = values(result as NumericTensor) as Float32Array;
    expect([a, b, c, d]).toEqual([0, 0.2, 0.4, 0.6].map((each) => expect.closeTo(each, 6)));
  });

  it('is fitted on the training rows only', async () => {
    const encoding = fitArrayEncoding(pixels, { scaling: 'standard', rows: [0, 1] });
    // For 0, 51, 102, 153, 204, 255, 0, 0.
    expect(encoding.shift).toBeCloseTo(95.625, 9);
    const model = withArrayEncoding(identity('batch', 4), encoding, 'image');
    const result = values(await encoded(model, 'pixels', pixels)) as Float32Array;
    const first = Array.from(result.subarray(0, 8));
    expect(first.reduce((sum, each) => sum + each, 0)).toBeCloseTo(0, 5);
    expect(first.reduce((sum, each) => sum + each ** 2, 0) / 8).toBeCloseTo(1, 5);
  });

  it('refuses 16-bit floats, which the step could not be given', () => {
    const halves = tensor('float16', [2, 1], new Uint16Array(2));
    expect(() => fitArrayEncoding(halves, { scaling: 'none', rows: [0] })).toThrow(
      'The rows are float16, which cannot be trained with: store them as float32.',
    );
  });

  it('names the type that a model takes and the encoding does not give', () => {
    const tokens = tensor('int32', [2, 3], new Int32Array(6));
    const encoding = fitArrayEncoding(tokens, { scaling: 'none', rows: [0] });
    for (const [type, advice] of [
      ['int64', 'store them as int64 [3], without a scaling'],
      ['float64', 'export the model in float32'],
    ] as const) {
      const graph = new GraphBuilder('words');
      graph.output(graph.node('Identity', [graph.input('words', type, ['batch', 3])])[0], type, [
        'batch',
        3,
      ]);
      expect(() => withArrayEncoding(graph.model(), encoding, 'words')).toThrow(
        `Input 'words' takes ${type}, and the rows are int32 [3]: ${advice}.`,
      );
    }
  });

  it('refuses rows that the model cannot take', () => {
    const encoding = fitArrayEncoding(pixels, { scaling: 'none', rows: [0] });
    expect(() => withArrayEncoding(identity('batch', 5), encoding, 'image')).toThrow(
      "Input 'image' is float32 [batch, 5], but a row of the data has the shape [2, 2], 4 elements.",
    );
    expect(() => withArrayEncoding(identity('batch', 4), encoding, 'x')).toThrow("no input 'x'");
  });
});
