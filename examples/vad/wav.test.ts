import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readWav, WavError } from './wav.ts';

type Coding = 'pcm8' | 'pcm16' | 'pcm24' | 'pcm32' | 'float32' | 'float64';

/** Writes one sample and returns how far it is from the truth at most. */
const CODINGS: Record<
  Coding,
  { tag: number; bits: number; error: number; write: (b: Buffer, v: number, at: number) => void }
> = {
  pcm8: {
    tag: 1,
    bits: 8,
    error: 1 / 128,
    write: (b, v, at) => b.writeUInt8(Math.min(255, Math.round(v * 128) + 128), at),
  },
  pcm16: {
    tag: 1,
    bits: 16,
    error: 2 ** -14,
    write: (b, v, at) => b.writeInt16LE(Math.min(32767, Math.round(v * 32768)), at),
  },
  pcm24: {
    tag: 1,
    bits: 24,
    error: 2 ** -21,
    write: (b, v, at) => b.writeIntLE(Math.min(2 ** 23 - 1, Math.round(v * 2 ** 23)), at, 3),
  },
  pcm32: {
    tag: 1,
    bits: 32,
    error: 2 ** -22,
    write: (b, v, at) => b.writeInt32LE(Math.min(2 ** 31 - 1, Math.round(v * 2 ** 31)), at),
  },
  float32: { tag: 3, bits: 32, error: 1e-7, write: (b, v, at) => b.writeFloatLE(v, at) },
  float64: { tag: 3, bits: 64, error: 1e-7, write: (b, v, at) => b.writeDoubleLE(v, at) },
};

function chunk(tag: string, data: Buffer, size = data.length): Buffer {
  const header = Buffer.alloc(8);
  header.write(tag, 0, 'latin1');
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, data, Buffer.alloc(data.length % 2)]);
}

function riff(...chunks: readonly Buffer[]): Buffer {
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]));
}

function format(fields: {
  tag?: number;
  channels?: number;
  rate?: number;
  bits?: number;
  frame?: number;
  extensible?: boolean;
}): Buffer {
  const {
    tag = 1,
    channels = 1,
    rate = 16_000,
    bits = 16,
    frame = (channels * bits) / 8,
    extensible = false,
  } = fields;
  const data = Buffer.alloc(extensible ? 40 : 16);
  data.writeUInt16LE(extensible ? 0xfffe : tag, 0);
  data.writeUInt16LE(channels, 2);
  data.writeUInt32LE(rate, 4);
  data.writeUInt32LE(rate * frame, 8);
  data.writeUInt16LE(frame, 12);
  data.writeUInt16LE(bits, 14);
  if (extensible) {
    data.writeUInt16LE(22, 16);
    data.writeUInt16LE(bits, 18);
    data.writeUInt16LE(tag, 24);
  }
  return chunk('fmt ', data);
}

function encoded(coding: Coding, channels: readonly (readonly number[])[]): Buffer {
  const { bits, write } = CODINGS[coding];
  const frames = channels[0]!.length;
  const data = Buffer.alloc((frames * channels.length * bits) / 8);
  for (let frame = 0; frame < frames; frame++) {
    channels.forEach((channel, index) =>
      write(data, channel[frame]!, ((frame * channels.length + index) * bits) / 8),
    );
  }
  return data;
}

describe('readWav', () => {
  it('reads every coding, mixed down to one channel', () => {
    const sample = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(CODINGS) as Coding[])),
        fc.array(fc.tuple(sample, sample), { maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        (coding, frames, stereo, extensible) => {
          const { tag, bits, error } = CODINGS[coding];
          const channels = stereo
            ? [frames.map(([left]) => left), frames.map(([, right]) => right)]
            : [frames.map(([left]) => left)];
          const audio = readWav(
            riff(
              format({ tag, bits, channels: channels.length, rate: 44_100, extensible }),
              chunk('LIST', Buffer.from('odd')),
              chunk('data', encoded(coding, channels)),
            ),
          );
          expect(audio.sampleRate).toBe(44_100);
          const wanted = frames.map(([left, right]) => (stereo ? (left + right) / 2 : left));
          expect(audio.samples.length).toBe(wanted.length);
          for (const [index, value] of wanted.entries()) {
            expect(Math.abs(audio.samples[index]! - value)).toBeLessThanOrEqual(error);
          }
        },
      ),
    );
  });

  const three = encoded('pcm16', [[0.5, -0.5, 0.25]]);

  it.each([
    ['was never filled in', chunk('data', three, 0)],
    ['was filled with ones', chunk('data', three, 2 ** 32 - 1)],
    ['promises more than there is', chunk('data', three, 1000)],
  ])('reads what is there when the length of the data %s', (_, data) => {
    expect([...readWav(riff(format({}), data)).samples]).toEqual([0.5, -0.5, 0.25]);
  });

  it('leaves out half a sample at the end', () => {
    const cut = Buffer.concat([three, Buffer.from([7])]);
    expect(readWav(riff(format({}), chunk('data', cut))).samples.length).toBe(3);
  });

  it('takes what is not a number for silence', () => {
    const data = encoded('float32', [[Number.NaN, Infinity, 0.5]]);
    expect([...readWav(riff(format({ tag: 3, bits: 32 }), chunk('data', data))).samples]).toEqual([
      0, 0, 0.5,
    ]);
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'not a WAV file'],
    ['an MP3', Buffer.from('ID3 and so on, for a while'), 'not a WAV file'],
    ['no chunks', riff(), 'no format chunk'],
    ['no data', riff(format({})), 'no data chunk'],
    ['data first', riff(chunk('data', three), format({})), 'before the format'],
    ['a short format', riff(chunk('fmt ', Buffer.alloc(8))), 'has 8 bytes; it needs 16'],
    ['A-law', riff(format({ tag: 6, bits: 8 })), 'A-law'],
    ['an unknown coding', riff(format({ tag: 999 })), 'format 999'],
    ['12 bits', riff(format({ bits: 12, frame: 2 })), '12 bits'],
    ['no channels', riff(format({ channels: 0 })), 'no channels'],
    ['a frame that does not add up', riff(format({ frame: 3 })), 'but the header gives 3'],
    ['a rate of nothing', riff(format({ rate: 0 })), '0 Hz'],
  ])('names the fault of %s', (_, file, message) => {
    expect(() => readWav(file)).toThrow(WavError);
    expect(() => readWav(file)).toThrow(message);
  });

  it('never fails otherwise, for any bytes', () => {
    const valid = riff(format({ channels: 2, bits: 24 }), chunk('data', Buffer.alloc(60)));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(valid.length),
        (changes, length) => {
          const file = Buffer.from(valid);
          for (const [at, byte] of changes) file[at] = byte;
          try {
            for (const sample of readWav(file.subarray(0, length)).samples)
              expect(sample).not.toBeNaN();
          } catch (error) {
            expect(error).toBeInstanceOf(WavError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
