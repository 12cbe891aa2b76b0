import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { seededRandom } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { randomLlama } from '../build/random-llama.ts';
import { describeLocalModel } from '../describe.ts';
import { openGgufModel } from './gguf-model.ts';
import { isShort, parseGguf, readGguf } from './header.ts';
import { bytePieces, llamaGguf } from './writer.ts';

const SHAPE = {
  vocabulary: 300,
  hidden: 32,
  layers: 2,
  heads: 2,
  keyHeads: 1,
  headSize: 16,
  intermediate: 64,
  context: 64,
  ropeBase: 10_000,
  epsilon: 1e-5,
};
const bytes = Buffer.concat([
  ...llamaGguf(SHAPE, randomLlama(SHAPE, 1), bytePieces(SHAPE.vocabulary), {
    weights: 'int4',
    chatTemplate: '{{ x }}',
  }),
]);
const folder = testFolder();

function fileOf(content: Uint8Array): string {
  const path = join(folder, 'model.gguf');
  writeFileSync(path, content);
  return path;
}

describe('the header of a GGUF file', () => {
  it('describes the model', async () => {
    expect(await readGguf(fileOf(bytes))).toEqual({
      architecture: 'llama',
      name: undefined,
      context: 64,
      layers: 2,
      hasChatTemplate: true,
    });
    const without = { weights: 'int4', chatTemplate: '' } as const;
    const pieces = bytePieces(SHAPE.vocabulary);
    const silent = Buffer.concat([...llamaGguf(SHAPE, randomLlama(SHAPE, 1), pieces, without)]);
    expect(await readGguf(fileOf(silent))).toMatchObject({ hasChatTemplate: false });
    const { tensors, metadata } = parseGguf(bytes);
    expect(tensors).toHaveLength(3 + 9 * 2);
    expect(metadata.get('tokenizer.ggml.tokens')).toEqual({ length: 300 });
  });

  it('is found by the folder that holds the file alone', async () => {
    const path = fileOf(bytes);
    expect(await describeLocalModel(folder)).toMatchObject({ path, kind: 'gguf', family: 'llama' });
    writeFileSync(join(folder, 'other.gguf'), bytes);
    await expect(describeLocalModel(folder)).rejects.toMatchObject({
      code: 'LANGUAGE_MODEL_INVALID',
      message: `The folder ${folder} has 2 .gguf files: give the path of one.`,
    });
    rmSync(join(folder, 'other.gguf'));
  });

  it('refuses a file that is cut off anywhere', async () => {
    const path = fileOf(bytes);
    for (const share of [0.9, 0.5, 0.1, 0.01]) {
      truncateSync(path, Math.floor(bytes.length * share));
      await expect(readGguf(path)).rejects.toMatchObject({
        code: 'LANGUAGE_MODEL_INVALID',
        message: expect.stringMatching(/truncated/),
      });
    }
    for (const content of ['', 'GG', 'PK\x03\x04', 'GGUF\x09\0\0\0']) {
      await expect(readGguf(fileOf(Buffer.from(content)))).rejects.toMatchObject({
        code: 'LANGUAGE_MODEL_INVALID',
      });
    }
  });

  it('ends with a coded error for any mutated header', () => {
    const header = bytes.subarray(0, parseGguf(bytes).dataOffset);
    const random = seededRandom(3);
    let refused = 0;
    for (let round = 0; round < 5000; round++) {
      const copy = Uint8Array.from(header);
      for (let i = 0; i < 1 + random.next() * 4; i++) {
        copy[Math.floor(random.next() * (round % 2 === 0 ? 400 : copy.length))] = Math.floor(
          random.next() * 256,
        );
      }
      try {
        parseGguf(
          copy.subarray(0, round % 3 === 0 ? Math.floor(random.next() * copy.length) : copy.length),
        );
      } catch (error) {
        refused++;
        expect(isShort(error) || error instanceof SkeinError).toBe(true);
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it('explains how to get its engine where it is missing', async () => {
    const options = { path: fileOf(bytes), threads: 1, maxRows: 1, maxQueued: 1, cacheBytes: 0 };
    const opened = await openGgufModel(options).catch((error: unknown) => error);
    expect(opened instanceof SkeinError ? opened.code : 'installed').toMatch(
      /^(GGUF_UNAVAILABLE|installed)$/,
    );
    if (!(opened instanceof Error)) await (opened as { close(): Promise<void> }).close();
  });
});
