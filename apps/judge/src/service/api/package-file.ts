/**
 * Files of a package for a page: pictures and PDFs of statements, and attachments. No other file of
 * a package is served, and a served file cannot run scripts in the page's origin, whatever its
 * content.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { SkeinError } from '@skein/api';
import type { Download } from '@skein/http';

/** Shown in place; all other types are downloaded. */
const SHOWN: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.svg': 'image/svg+xml',
  '.pdf': 'application/pdf',
};

interface ProblemFiles {
  readonly problem: { readonly folder: string; readonly shortName: string };
  /** Paths of the files that any client may download. */
  readonly publicFiles: ReadonlySet<string>;
}

/** @throws SkeinError PROBLEM_UNKNOWN when the file is not public, or was removed since. */
export async function packageFile(
  { problem, publicFiles }: ProblemFiles,
  path: string,
): Promise<Download> {
  const file = join(problem.folder, path);
  const status = publicFiles.has(path) ? await stat(file).catch(() => undefined) : undefined;
  if (status === undefined) {
    throw new SkeinError(
      'PROBLEM_UNKNOWN',
      `${problem.shortName} shows no file "${path.slice(0, 100)}".`,
    );
  }
  const { size } = status;
  const type = SHOWN[extname(path).toLowerCase()];
  return {
    sizeBytes: size,
    // A file that grows must not exceed the announced size.
    content: size === 0 ? empty() : createReadStream(file, { end: size - 1 }),
    type: type ?? 'application/octet-stream',
    headers: [
      'Content-Disposition',
      type === undefined ? 'attachment' : 'inline',
      'Content-Security-Policy',
      "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'Cache-Control',
      'private, max-age=300',
    ],
  };
}

async function* empty(): AsyncGenerator<Uint8Array> {}

export function fileAddress(problem: string, path: string): string {
  const segments = path.split('/').map(encodeURIComponent).join('/');
  return `/api/v1/problems/${encodeURIComponent(problem)}/files/${segments}`;
}

export function nameOf(names: Readonly<Record<string, string>>, otherwise: string): string {
  return names['en'] ?? Object.values(names)[0] ?? otherwise;
}
