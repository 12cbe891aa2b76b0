/**
 * Writes the folder of a language model without a download:
 *
 *   node packages/generative/scripts/make-model.ts example FOLDER
 *   node packages/generative/scripts/make-model.ts random-135m FOLDER
 *   node packages/generative/scripts/make-model.ts llama2c FOLDER stories260K.bin tok512.bin
 */
import { readFileSync } from 'node:fs';
import { writeExampleModel } from '../src/local/build/example.ts';
import { writeLlama2c } from '../src/local/build/folder.ts';
import { SHAPE_135M, writeRandomModel } from '../src/local/build/random-llama.ts';

const [kind = '', folder, ...files] = process.argv.slice(2);
const makers: Record<string, (folder: string) => Promise<void>> = {
  example: writeExampleModel,
  'random-135m': (to) => writeRandomModel(to, SHAPE_135M, { weights: 'int4' }),
  llama2c(to) {
    const [weights, tokenizer] = files.map((file) => readFileSync(file));
    if (weights === undefined || tokenizer === undefined)
      throw new Error('llama2c needs two files');
    return writeLlama2c(to, weights, tokenizer);
  },
};
const make = Object.hasOwn(makers, kind) ? makers[kind] : undefined;
if (make === undefined || folder === undefined) {
  console.error(`Usage: make-model.ts ${Object.keys(makers).join(' | ')} FOLDER [FILES]`);
  process.exit(2);
}
await make(folder);
console.log(`Wrote ${folder}. Serve it with: skein deploy ${folder}`);
