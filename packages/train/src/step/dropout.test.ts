import { GraphBuilder, tensor, values, type Model } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../run/backend.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { wasmBackend } from '../run/wasm-backend.ts';
import { DROPOUT_KEYS } from './dropout.ts';
import { dropoutKeys } from './dropout-keys.ts';
import { trainingForm } from './training-form.ts';

interface Form {
  readonly opset?: number;
  readonly ratio?: number;
  readonly shape?: readonly number[];
  /** Whether only the rank is known. */
  readonly open?: boolean;
}

/** Two Dropouts of the same input, with outputs `y0` and `y1`. */
function twoDropouts({ opset = 17, ratio = 0.5, shape = [4, 5], open = false }: Form): Model {
  const graph = new GraphBuilder('dropouts');
  const declared = open ? shape.map(() => null) : shape;
  graph.input('x', 'float32', declared);
  for (const output of ['y0', 'y1']) {
    const name = `drop ${output}`;
    if (opset < 12)
      graph.node('Dropout', ['x'], { ratio: { float: ratio } }, { outputs: [output], name });
    else {
      const given = graph.initializer(
        `ratio ${output}`,
        tensor('float32', [], Float32Array.of(ratio)),
      );
      graph.node('Dropout', ['x', given], {}, { outputs: [output], name });
    }
    graph.output(output, 'float32', declared);
  }
  return graph.model({ opset });
}

interface Masks {
  /** Elements that each of the Dropouts keeps, 1, and drops, 0, in a step. */
  of(step: number, seed?: number): Promise<readonly [Uint8Array, Uint8Array]>;
  close(): Promise<void>;
}

async function openMasks(form: Form, backend: Backend = nativeBackend): Promise<Masks> {
  const { model, dropouts } = trainingForm(twoDropouts(form));
  const graph = await backend.open(model);
  const shape = form.shape ?? [4, 5];
  const count = shape.reduce((all, size) => all * size, 1);
  const x = tensor('float32', shape, new Float32Array(count).fill(1));
  const kept = Math.fround(1 / (1 - Math.fround(form.ratio ?? 0.5)));
  return {
    async of(step, seed = 7) {
      const results = await graph.run(new Map([['x', x], ...dropoutKeys(dropouts, seed)(step)]));
      const [first, second] = ['y0', 'y1'].map((name) => {
        const y = values(results.get(name)!) as Float32Array;
        expect(y.every((each) => each === 0 || each === kept)).toBe(true);
        return Uint8Array.from(y, (each) => (each === 0 ? 0 : 1));
      });
      return [first!, second!];
    },
    close: () => graph.close(),
  };
}

/** The formula of the header with big integers. */
function byHand(count: number, k0: number, k1: number, ratio: number): Uint8Array {
  const wrap = (x: bigint) => BigInt.asUintN(32, x);
  const rotated = (x: bigint) => wrap((x << 16n) | (x >> 16n));
  return Uint8Array.from({ length: count }, (_, place) => {
    const y = wrap(BigInt(place) * 0x9e3779b9n + BigInt(k0));
    const z = wrap(y + BigInt(k1));
    let x = wrap(y * y + z);
    x = wrap(rotated(x) ** 2n + y);
    x = wrap(rotated(x) ** 2n + z);
    return x < BigInt(Math.floor(ratio * 2 ** 32)) ? 0 : 1;
  });
}

describe('the mask', () => {
  it.each([9, 11, 12, 17, 22])(
    'follows the formula in opset %i, on both backends',
    async (opset) => {
      const keys = values(dropoutKeys(2, 7)(3).get(DROPOUT_KEYS)!) as Uint32Array;
      const wanted = [0, 1].map((i) => byHand(20, keys[2 * i]!, keys[2 * i + 1]!, 0.25));
      for (const backend of [nativeBackend, wasmBackend]) {
        for (const open of [false, true]) {
          const masks = await openMasks({ opset, ratio: 0.25, open }, backend);
          expect(await masks.of(3)).toEqual(wanted);
          await masks.close();
        }
      }
    },
  );

  it.each([0, 0.1, 0.5, 0.9])(
    'drops at the rate %f over every slice of the tensor',
    async (ratio) => {
      const shape = [128, 512];
      const masks = await openMasks({ ratio, shape });
      const size = shape[0]! * shape[1]!;
      const deviations: number[] = [];
      const spread = ratio * (1 - ratio);
      /** How many standard deviations two masks, or one and itself moved, are from being independent. */
      const apart = (a: Uint8Array, b: Uint8Array, lag = 0) => {
        let sum = 0;
        for (let i = lag; i < size; i++) sum += (a[i]! - 1 + ratio) * (b[i - lag]! - 1 + ratio);
        deviations.push(sum / (spread * Math.sqrt(size - lag)));
      };
      const [first, other] = await masks.of(0);
      if (ratio === 0) {
        expect(first.every((each) => each === 1)).toBe(true);
        await masks.close();
        return;
      }
      for (const step of [0, 1, 2, 1000, 2 ** 32]) {
        const [mask] = await masks.of(step);
        const kept = mask.reduce((sum, each) => sum + each, 0);
        deviations.push((kept / size - 1 + ratio) / Math.sqrt(spread / size));
      }
      // Adjacent in a row, adjacent in a column, and far apart.
      for (const lag of [1, 2, 3, 4, 8, 16, 64, 512, 1024, 8192, 32768]) apart(first, first, lag);
      for (const step of [1, 2, 3, 256, 65536]) apart(first, (await masks.of(step))[0]);
      for (const seed of [6, 8, 7 + 2 ** 16, 2 ** 31]) apart(first, (await masks.of(0, seed))[0]);
      apart(first, other);
      const [, otherLater] = await masks.of(1);
      apart(first, otherLater);
      // One of 27 independent normal numbers beyond 4.5 would be a matter of one in 5 thousand.
      expect(Math.max(...deviations.map(Math.abs))).toBeLessThan(4.5);
      expect(deviations.reduce((sum, each) => sum + each ** 2, 0) / deviations.length).toBeLessThan(
        2,
      );
      await masks.close();
    },
  );

  it('has every pattern of eight adjacent elements as often as chance gives', async () => {
    const masks = await openMasks({ shape: [256, 512] });
    const found = new Float64Array(256);
    const [mask] = await masks.of(5);
    for (let i = 0; i < mask.length; i += 8) {
      found[mask.subarray(i, i + 8).reduce((all, each) => 2 * all + each, 0)]!++;
    }
    const expected = mask.length / 8 / 256;
    const chi = found.reduce((sum, each) => sum + (each - expected) ** 2 / expected, 0);
    // 255 degrees of freedom: mean 255, deviation √510.
    expect(Math.abs(chi - 255)).toBeLessThan(4.5 * Math.sqrt(510));
    await masks.close();
  });

  it('is an output where the node had it as one', async () => {
    const graph = new GraphBuilder('masked');
    graph.input('x', 'float32', [4, 5]);
    graph.node('Dropout', ['x'], {}, { outputs: ['y', 'mask'], name: 'drop' });
    graph.output('y', 'float32', [4, 5]);
    graph.output('mask', 'bool', [4, 5]);
    const open = await nativeBackend.open(trainingForm(graph.model()).model);
    const x = tensor('float32', [4, 5], new Float32Array(20).fill(1));
    const results = await open.run(new Map([['x', x], ...dropoutKeys(1, 7)(0)]));
    const y = Array.from(values(results.get('y')!) as Float32Array);
    expect(new Set(y)).toEqual(new Set([0, 2]));
    expect(Array.from(results.get('mask')!.bytes)).toEqual(y.map((each) => (each > 0 ? 1 : 0)));
    await open.close();
  });
});

it('takes a ratio that the graph computes', async () => {
  const graph = new GraphBuilder('computed');
  graph.input('x', 'float32', [4, 5]);
  graph.input('half', 'float32', []);
  const two = graph.initializer('two', tensor('float32', [], Float32Array.of(2)));
  const [ratio] = graph.node('Div', ['half', two]);
  graph.node('Dropout', ['x', ratio], {}, { outputs: ['y'], name: 'drop' });
  graph.output('y', 'float32', [4, 5]);
  const { model } = trainingForm(graph.model());
  const open = await nativeBackend.open(model);
  const x = tensor('float32', [4, 5], new Float32Array(20).fill(1));
  const feeds = dropoutKeys(1, 7)(0);
  const half = tensor('float32', [], Float32Array.of(0.5));
  const results = await open.run(new Map([['x', x], ['half', half], ...feeds]));
  const keys = values(feeds.get(DROPOUT_KEYS)!) as Uint32Array;
  const wanted = Array.from(byHand(20, keys[0]!, keys[1]!, 0.25), (kept) =>
    kept === 0 ? 0 : Math.fround(1 / 0.75),
  );
  expect(Array.from(values(results.get('y')!) as Float32Array)).toEqual(wanted);
  await open.close();
});

it('refuses a ratio that would drop everything, naming the node', () => {
  expect(() => trainingForm(twoDropouts({ ratio: 1 }))).toThrow(
    "Node 'drop y0' (Dropout) cannot be trained: its ratio is 1, but must be in [0, 1).",
  );
});
