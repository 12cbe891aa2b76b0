/** The real network on a recording whose sentences were put at known places. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensor, values, type Tensor, type TensorMap } from '@skein/onnx';
import { nativeRuntime, type Session } from '@skein/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SILERO } from './deploy.ts';
import { SAMPLE_RATE, type Step } from './model.ts';
import { resample } from './resample.ts';
import { wavOf } from './samples/speak.ts';
import { DEFAULT_RULES, type Segment, type SegmentRules } from './segments.ts';
import { segmentsWith } from './vad.ts';
import { readWav, WavError } from './wav.ts';

const samples = join(import.meta.dirname, 'samples');
const recording = readFileSync(join(samples, 'three-sentences.wav'));
const placed = JSON.parse(readFileSync(join(samples, 'expected.json'), 'utf8')) as Segment[];
/** Silero pads on purpose; the places were noted without. */
const bare: SegmentRules = { ...DEFAULT_RULES, padMs: 0 };
const TOLERANCE_MS = 100;

let session: Session;
beforeAll(async () => {
  session = await nativeRuntime.open(
    { path: SILERO },
    { device: 'cpu', threads: 1, isolation: 'thread' },
  );
});
afterAll(() => session.close());

function floats(outputs: TensorMap, name: string): Float32Array {
  const output = outputs.get(name);
  if (output?.type !== 'float32') throw new TypeError(`${name} is not float32`);
  return values(output) as Float32Array;
}

const step: Step = async (input, state) => {
  const { outputs } = await session.run(
    new Map<string, Tensor>([
      ['input', tensor('float32', [1, input.length], input)],
      ['state', tensor('float32', [2, 1, 128], state.slice())],
      ['sr', tensor('int64', [], BigInt64Array.of(BigInt(SAMPLE_RATE)))],
    ]),
  );
  return { probability: floats(outputs, 'output')[0]!, state: floats(outputs, 'stateN') };
};

async function found(wav: Uint8Array, rules?: SegmentRules): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const segment of segmentsWith(step, wav, rules)) segments.push(segment);
  return segments;
}

/** How far each end of each segment is from where it was put, in milliseconds. */
function deviations(segments: readonly Segment[]): number[] {
  expect(segments.length).toBe(placed.length);
  return segments.flatMap(({ startMs, endMs }, index) => [
    Math.abs(startMs - placed[index]!.startMs),
    Math.abs(endMs - placed[index]!.endMs),
  ]);
}

describe('speech segments', () => {
  it('are where the sentences were put', async () => {
    expect(Math.max(...deviations(await found(recording, bare)))).toBeLessThan(TOLERANCE_MS);
  });

  it('are padded by default, without touching each other', async () => {
    const [padded, unpadded] = [await found(recording), await found(recording, bare)];
    for (const [index, { startMs, endMs }] of padded.entries()) {
      expect(startMs).toBe(unpadded[index]!.startMs - DEFAULT_RULES.padMs);
      expect(endMs).toBe(unpadded[index]!.endMs + DEFAULT_RULES.padMs);
    }
  });

  it.each([8000, 44_100, 48_000])('are the same from a recording at %i Hz', async (rate) => {
    const { samples: original } = readWav(recording);
    const segments = await found(wavOf(resample(original, SAMPLE_RATE, rate), rate), bare);
    expect(Math.max(...deviations(segments))).toBeLessThan(TOLERANCE_MS);
  });

  it('do not include noise or silence', async () => {
    let seed = 1;
    const noise = Float32Array.from({ length: 2 * SAMPLE_RATE }, () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return 0.2 * (seed / 2 ** 31 - 1);
    });
    expect(await found(wavOf(noise, SAMPLE_RATE))).toEqual([]);
    expect(await found(wavOf(new Float32Array(SAMPLE_RATE), SAMPLE_RATE))).toEqual([]);
    expect(await found(wavOf(new Float32Array(0), SAMPLE_RATE))).toEqual([]);
  });

  it('are refused at once for what is not a WAV file', () => {
    expect(() => segmentsWith(step, Buffer.from('hello'))).toThrow(WavError);
  });
});
