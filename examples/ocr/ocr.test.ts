/**
 * The example on its own images, with the real networks in the native runtime. `expected.json` is
 * written by the script that draws the images, so it cannot have been fitted to what was read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringTensor, tensor, values, type TensorMap } from '@skein/onnx';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectedLines } from './images/draw.ts';
import { composition } from './ocr.composition.ts';
import { bucketWidth, narrow } from './recognise.ts';
import { localContext, type LocalContext } from './testing/local-context.ts';

const images = join(import.meta.dirname, 'images');
const expected = JSON.parse(readFileSync(join(images, 'expected.json'), 'utf8')) as Record<
  string,
  string[]
>;

let context: LocalContext;
beforeAll(async () => {
  context = await localContext();
});
afterAll(() => context.close());

interface Answer {
  readonly text: string[];
  readonly confidence: number[];
  /** x and y of four corners, line after line. */
  readonly box: number[];
}

async function read(file: Uint8Array): Promise<Answer> {
  const outputs = await composition.run(new Map([['image', stringTensor([1], [file])]]), context);
  return {
    text: strings(outputs),
    confidence: numbers(outputs, 'confidence'),
    box: numbers(outputs, 'box'),
  };
}

function strings(outputs: TensorMap): string[] {
  const text = outputs.get('text');
  if (text?.type !== 'string') throw new TypeError('text is not a string tensor');
  return text.elements.map((element) => Buffer.from(element).toString());
}

function numbers(outputs: TensorMap, name: string): number[] {
  const output = outputs.get(name);
  if (output?.type !== 'float32') throw new TypeError(`${name} is not float32`);
  return [...(values(output) as Float32Array)];
}

const imageFile = (name: string): Buffer => readFileSync(join(images, name));

describe('the images', () => {
  it('are those that the script draws', () => {
    expect(expected).toEqual(expectedLines());
    expect(Object.keys(expected).length).toBeGreaterThanOrEqual(12);
  });

  it.each(Object.entries(expected))('reads %s exactly', async (file, lines) => {
    const answer = await read(imageFile(file));
    expect(answer.text).toEqual(lines);
    expect(answer.confidence.length).toBe(lines.length);
    expect(answer.box.length).toBe(8 * lines.length);
    const { width, height } = await sharp(imageFile(file)).metadata();
    for (const [index, coordinate] of answer.box.entries()) {
      expect(coordinate).toBeGreaterThanOrEqual(0);
      expect(coordinate).toBeLessThanOrEqual(index % 2 === 0 ? width : height);
    }
    for (const confidence of answer.confidence) {
      expect(confidence).toBeGreaterThan(0.5);
      expect(confidence).toBeLessThanOrEqual(1);
    }
  });
});

describe('a scan that lies on its side', () => {
  it.each([90, 180, 270])('is read as if it were upright, turned by %i°', async (degrees) => {
    const turned = await sharp(imageFile('lab-report.png')).rotate(degrees).png().toBuffer();
    expect((await read(turned)).text).toEqual(expected['lab-report.png']);
  });

  it('gives boxes that begin where the text begins', async () => {
    const upright = await read(imageFile('label.png'));
    const flipped = await read(await sharp(imageFile('label.png')).rotate(180).png().toBuffer());
    expect(flipped.text).toEqual(upright.text);
    const { width, height } = await sharp(imageFile('label.png')).metadata();
    for (const [index, coordinate] of flipped.box.entries()) {
      const mirrored = (index % 2 === 0 ? width : height) - coordinate;
      expect(Math.abs(mirrored - upright.box[index]!)).toBeLessThan(8);
    }
  });

  it.each([-7, -2, 3, 8])('is levelled when it is crooked by %i°', async (degrees) => {
    const crooked = await sharp(imageFile('numbers.png'))
      .rotate(degrees, { background: '#fff' })
      .png()
      .toBuffer();
    expect((await read(crooked)).text).toEqual(expected['numbers.png']);
  });
});

describe('an image without text', () => {
  it('has zero lines, and needs no recogniser', async () => {
    const before = context.counts['ocr-recognise'];
    const outputs = await composition.run(
      new Map([['image', stringTensor([1], [imageFile('blank.png')])]]),
      context,
    );
    const shapes = [...outputs].map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([
      ['text', [0]],
      ['confidence', [0]],
      ['box', [0, 4, 2]],
    ]);
    expect(context.counts['ocr-recognise']).toBe(before);
  });

  it('may be one pixel', async () => {
    const pixel = sharp({ create: { width: 1, height: 1, channels: 3, background: '#fff' } });
    expect((await read(await pixel.png().toBuffer())).text).toEqual([]);
  });
});

describe('bad input', () => {
  it('is refused as such', async () => {
    await expect(read(Buffer.from('not an image'))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
    });
  });
});

describe('the recogniser', () => {
  it('reads a line in a batch as it reads it alone, so batches are safe', async () => {
    const [rows, width] = [3, 128];
    const row = 3 * 48 * width;
    const data = Float32Array.from({ length: rows * row }, (_, index) =>
      Math.sin(index * index * 0.37),
    );
    const run = async (from: number, count: number): Promise<Float32Array> => {
      const part = data.slice(from * row, (from + count) * row);
      const outputs = await context.call(
        'ocr-recognise',
        new Map([['x', tensor('float32', [count, 3, 48, width], part)]]),
      );
      const output = outputs.values().next().value;
      if (output?.type !== 'float32') throw new TypeError('not float32');
      return values(output) as Float32Array;
    };
    const together = await run(0, rows);
    const size = together.length / rows;
    for (let index = 0; index < rows; index++) {
      const alone = await run(index, 1);
      const worst = alone.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - together[index * size + at]!)),
        0,
      );
      expect(worst).toBeLessThan(1e-4);
    }
  });

  it('may name a full-width form, which is an ordinary one outside of Chinese and Japanese', () => {
    expect(narrow('（２） A－7！')).toBe('(2) A-7!');
    expect(narrow('共２件，完！')).toBe('共２件，完！');
  });

  it('is given few different widths', () => {
    const widths = new Set(Array.from({ length: 3000 }, (_, index) => bucketWidth(index + 1)));
    expect(widths.size).toBe(80);
    for (const width of widths) expect(width % 32).toBe(0);
  });
});
