/**
 * Makes `three-sentences.wav` and `expected.json`: a synthesiser reads three sentences, which are put
 * at known places into faint noise.
 *
 *   node examples/vad/samples/speak.ts
 *
 * The result is committed, because this needs espeak-ng (Debian: espeak-ng), which listening does not.
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SAMPLE_RATE } from '../model.ts';
import { resample } from '../resample.ts';
import type { Segment } from '../segments.ts';
import { readWav } from '../wav.ts';

const SCRIPT = [
  { silenceMs: 700, sentence: 'The harbour bridge closes on Monday.' },
  { silenceMs: 900, sentence: 'Please take the road over Mill Lane.' },
  { silenceMs: 600, sentence: 'Repairs will take three weeks.' },
  { silenceMs: 600, sentence: undefined },
];

/** Share of full scale: the background noise of a quiet office. */
const NOISE = 0.0008;
/** Samples of espeak before and after a sentence are cut off below this. */
const AUDIBLE = 0.003;

function speak(sentence: string): Float32Array {
  const file = execFileSync('espeak-ng', ['-v', 'en-gb', '-s', '165', '--stdout', sentence]);
  const { samples, sampleRate } = readWav(file);
  const spoken = resample(samples, sampleRate, SAMPLE_RATE);
  const loud = (sample: number): boolean => Math.abs(sample) > AUDIBLE;
  return spoken.slice(spoken.findIndex(loud), spoken.findLastIndex(loud) + 1);
}

/** 16-bit PCM, one channel. */
export function wavOf(samples: Float32Array, sampleRate: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + 2 * samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(2 * sampleRate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(2 * samples.length, 40);
  const data = Buffer.alloc(2 * samples.length);
  samples.forEach((sample, index) => {
    data.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), 2 * index);
  });
  return Buffer.concat([header, data]);
}

if (import.meta.main) {
  const pieces: Float32Array[] = [];
  const placed: Segment[] = [];
  let length = 0;
  for (const { silenceMs, sentence } of SCRIPT) {
    const silence = new Float32Array((silenceMs * SAMPLE_RATE) / 1000);
    pieces.push(silence);
    length += silence.length;
    if (sentence === undefined) continue;
    const spoken = speak(sentence);
    pieces.push(spoken);
    placed.push({
      startMs: Math.round((1000 * length) / SAMPLE_RATE),
      endMs: Math.round((1000 * (length + spoken.length)) / SAMPLE_RATE),
    });
    length += spoken.length;
  }
  const samples = new Float32Array(length);
  let offset = 0;
  for (const piece of pieces) {
    samples.set(piece, offset);
    offset += piece.length;
  }
  let seed = 1;
  for (let index = 0; index < length; index++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    samples[index] = samples[index]! + NOISE * (seed / 2 ** 31 - 1);
  }
  await writeFile(join(import.meta.dirname, 'three-sentences.wav'), wavOf(samples, SAMPLE_RATE));
  await writeFile(
    join(import.meta.dirname, 'expected.json'),
    `${JSON.stringify(placed, null, 2)}\n`,
  );
}
