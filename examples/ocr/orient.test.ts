import { values, type TensorMap } from '@skein/onnx';
import { tensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { cornersOf, turn, type Quad } from './geometry.ts';
import { orient, verticalOnes } from './orient.ts';

function box(x: number, y: number, width: number, height: number): Quad {
  return cornersOf({ centre: { x, y }, axis: { x: 1, y: 0 }, width, height });
}

const grey = { width: 400, height: 400, pixels: new Uint8Array(400 * 400 * 3).fill(128) };

/** A classifier that gives each line the same verdict, and records its inputs. */
function classifier(upsideDown: number): {
  asked: number[][];
  call: (inputs: TensorMap) => Promise<TensorMap>;
} {
  const asked: number[][] = [];
  return {
    asked,
    call: async (inputs) => {
      const x = inputs.get('x')!;
      if (x.type !== 'float32') throw new TypeError('not float32');
      asked.push([...x.shape]);
      expect(values(x).length).toBe(x.shape.reduce((product, size) => product * size, 1));
      const rows = x.shape[0]!;
      const answer = Float32Array.from({ length: 2 * rows }, (_, index) =>
        index % 2 === 1 ? upsideDown : 1 - upsideDown,
      );
      return new Map([['softmax', tensor('float32', [rows, 2], answer)]]);
    },
  };
}

describe('verticalOnes', () => {
  it('takes long boxes at their word and square ones with the majority', () => {
    const wide = box(100, 20, 120, 20);
    const tall = box(20, 100, 20, 120);
    const square = box(200, 200, 20, 22);
    expect(verticalOnes([wide, wide, tall, square])).toEqual([false, false, true, false]);
    expect(verticalOnes([tall, tall, wide, square])).toEqual([true, true, false, true]);
    expect(verticalOnes([square])).toEqual([false]);
  });
});

describe('orient', () => {
  it('leaves upright lines as they are', async () => {
    const lines = [box(100, 20, 120, 20), box(100, 60, 90, 20)];
    expect(await orient([grey], lines, classifier(0.01).call)).toEqual(lines);
  });

  it('reverses the order when the page is upside down', async () => {
    const lines = [box(100, 20, 120, 20), box(100, 60, 90, 20)];
    const turned = await orient([grey], lines, classifier(0.9).call);
    expect(turned).toEqual(lines.map((line) => turn(line, 2)));
  });

  it('begins at the top right of text that runs down, at the bottom left of text that runs up', async () => {
    const down = [box(50, 100, 20, 120)];
    expect(await orient([grey], down, classifier(0.1).call)).toEqual(
      down.map((line) => turn(line, 1)),
    );
    expect(await orient([grey], down, classifier(0.9).call)).toEqual(
      down.map((line) => turn(line, 3)),
    );
  });

  it('asks once, for the six longest lines of each direction', async () => {
    const { asked, call } = classifier(0.2);
    const lines = Array.from({ length: 20 }, (_, index) =>
      box(150, 20 + 15 * index, 100 + index, 12),
    );
    await orient([grey], [...lines, box(20, 100, 20, 120)], call);
    expect(asked).toEqual([[7, 3, 48, 192]]);
  });

  it('asks nothing about nothing', async () => {
    const { asked, call } = classifier(0.2);
    expect(await orient([grey], [], call)).toEqual([]);
    expect(asked).toEqual([]);
  });
});
