/** The files of a submission as one artifact: JSON with base64, so that any bytes pass unchanged. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { z } from 'zod';
import type { ProgramFile } from '../../package/problem.ts';

const SourceFiles = z.object({
  files: z.array(z.object({ path: z.string(), content: z.base64() })),
});

/** Largest such artifact: answers to a submit-answer problem can be large. */
export const MAX_SOURCE_ARTIFACT = 64 * 2 ** 20;

export function encodeSource(files: readonly ProgramFile[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      files: files.map(({ path, content }) => ({
        path,
        content: Buffer.from(content).toString('base64'),
      })),
    }),
  );
}

export function decodeSource(bytes: Uint8Array): ProgramFile[] {
  const { files } = SourceFiles.parse(readJson(bytes, JSON_BOUNDS.stored));
  return files.map(({ path, content }) => ({
    path,
    content: new Uint8Array(Buffer.from(content, 'base64')),
    executable: false,
  }));
}
