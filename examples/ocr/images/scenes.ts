/** The sample images. */
import {
  invoice,
  labReport,
  rotatedScan,
  receipt,
  numbers,
  noisyFax,
  quarterTurn,
  upsideDown,
} from './documents.ts';
import {
  streetSign,
  label,
  terminal,
  businessCard,
  lightOnDark,
  shopFront,
  blank,
} from './pictures.ts';
import type { Scene } from './scene.ts';

export const SCENES: readonly Scene[] = [
  invoice,
  labReport,
  streetSign,
  rotatedScan,
  receipt,
  label,
  terminal,
  businessCard,
  numbers,
  noisyFax,
  lightOnDark,
  quarterTurn,
  upsideDown,
  shopFront,
  blank,
];
