/**
 * Reads WAV files: RIFF chunks around PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64, in any
 * number of channels, which are mixed down to one.
 *
 * Follows Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and the later
 * WAVE_FORMAT_EXTENSIBLE. Recorders that were cut off leave a data chunk that claims more than there
 * is, or claims 0 or 2³²−1 because they never came back to fill it in: what is there is read.
 */
export interface Audio {
  /** Samples per second. */
  readonly sampleRate: number;
  /** One channel, −1…1. */
  readonly samples: Float32Array;
}

/** Why a file cannot be read, in a sentence. */
export class WavError extends Error {
  override readonly name = 'WavError';
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const NAMES: Readonly<Record<number, string>> = { 2: 'ADPCM', 6: 'A-law', 7: 'µ-law', 0x55: 'MP3' };
const LEAST_RATE = 1000;
const MOST_RATE = 768_000;

/** @throws WavError. */
export function readWav(file: Uint8Array): Audio {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (tagAt(view, 0) !== 'RIFF' || tagAt(view, 8) !== 'WAVE') {
    throw new WavError(`This is not a WAV file: it does not begin with RIFF … WAVE.`);
  }
  let format: Format | undefined;
  // Chunks follow one another, each padded to an even length.
  for (let offset = 12; offset + 8 <= view.byteLength;) {
    const tag = tagAt(view, offset);
    const size = view.getUint32(offset + 4, true);
    const start = offset + 8;
    if (tag === 'fmt ') format = readFormat(view, start, size);
    if (tag === 'data') {
      if (format === undefined) throw new WavError('The data chunk comes before the format chunk.');
      const rest = view.byteLength - start;
      return readSamples(view, start, size === 0 ? rest : Math.min(size, rest), format);
    }
    offset = start + size + (size % 2);
  }
  throw new WavError(
    `The file has no ${format === undefined ? 'format' : 'data'} chunk; it may be cut off.`,
  );
}

interface Format {
  readonly kind: typeof PCM | typeof FLOAT;
  readonly channels: number;
  readonly sampleRate: number;
  /** Bits of one sample of one channel. */
  readonly bits: number;
}

function readFormat(view: DataView, start: number, size: number): Format {
  if (size < 16 || start + size > view.byteLength) {
    throw new WavError(
      `The format chunk has ${Math.min(size, view.byteLength - start)} bytes; it needs 16.`,
    );
  }
  const tag = view.getUint16(start, true);
  // An extensible format keeps its real tag in the first two bytes of a GUID.
  const kind = tag === EXTENSIBLE && size >= 40 ? view.getUint16(start + 24, true) : tag;
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const frameBytes = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  if (kind !== PCM && kind !== FLOAT) {
    throw new WavError(
      `The audio is ${NAMES[kind] ?? `in format ${kind}`}; only PCM and floats are read.`,
    );
  }
  if (channels === 0) throw new WavError('The file has no channels.');
  if (sampleRate < LEAST_RATE || sampleRate > MOST_RATE) {
    throw new WavError(
      `The sample rate is ${sampleRate} Hz; ${LEAST_RATE} to ${MOST_RATE} are read.`,
    );
  }
  if (!(kind === PCM ? [8, 16, 24, 32] : [32, 64]).includes(bits)) {
    throw new WavError(
      `Samples have ${bits} bits; PCM of 8, 16, 24 or 32 and floats of 32 or 64 are read.`,
    );
  }
  if (frameBytes !== (channels * bits) / 8) {
    throw new WavError(
      `${channels} channels of ${bits} bits take ${(channels * bits) / 8} bytes, but the header gives ${frameBytes}.`,
    );
  }
  return { kind, channels, sampleRate, bits };
}

function readSamples(view: DataView, start: number, size: number, format: Format): Audio {
  const { channels, sampleRate, bits } = format;
  const width = bits / 8;
  const frames = Math.floor(size / (width * channels));
  const samples = new Float32Array(frames);
  const read = readerOf(view, format);
  for (let frame = 0, at = start; frame < frames; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, at += width) sum += read(at);
    const sample = sum / channels;
    // A float file may hold anything; one NaN would stay in the network's state for ever.
    samples[frame] = Number.isFinite(sample) ? sample : 0;
  }
  return { sampleRate, samples };
}

function readerOf(view: DataView, { kind, bits }: Format): (at: number) => number {
  if (kind === FLOAT) {
    return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  }
  switch (bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 2 ** 7;
    case 16:
      return (at) => view.getInt16(at, true) / 2 ** 15;
    case 24:
      return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23;
    default:
      return (at) => view.getInt32(at, true) / 2 ** 31;
  }
}

function tagAt(view: DataView, offset: number): string {
  if (offset + 4 > view.byteLength) return '';
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(offset + index)));
}
