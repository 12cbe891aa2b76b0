/** The text example on its images with another recogniser: how many characters are wrong. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringTensor, writeModel, type Model } from '@skein/onnx';
import { composition } from '../../../examples/ocr/ocr.composition.ts';
import { localContext } from '../../../examples/ocr/testing/local-context.ts';

const IMAGES = join(import.meta.dirname, '../../../examples/ocr/images');

/** @returns characters to insert, drop or replace until all images are read as they were drawn, by image. */
export async function wrongCharacters(recogniser: Model): Promise<Record<string, number>> {
  const expected = JSON.parse(await readFile(join(IMAGES, 'expected.json'), 'utf8')) as Record<
    string,
    readonly string[]
  >;
  const context = await localContext(undefined, {
    'ocr-recognise': { bytes: writeModel(recogniser) },
  });
  try {
    const wrong: Record<string, number> = {};
    for (const [file, lines] of Object.entries(expected)) {
      const image = stringTensor([1], [await readFile(join(IMAGES, file))]);
      const outputs = await composition.run(new Map([['image', image]]), context);
      const text = outputs.get('text');
      if (text?.type !== 'string') throw new TypeError('text is not a string tensor');
      const read = text.elements.map((each) => Buffer.from(each).toString());
      wrong[file] = editsBetween(read.join('\n'), lines.join('\n'));
    }
    return wrong;
  } finally {
    await context.close();
  }
}

/** Levenshtein's distance. */
function editsBetween(found: string, wanted: string): number {
  const [from, to] = [Array.from(found), Array.from(wanted)];
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [done, character] of from.entries()) {
    const next = [done + 1];
    for (const [at, other] of to.entries()) {
      next.push(Math.min(row[at]! + Number(character !== other), row[at + 1]! + 1, next[at]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
