/**
 * Files of a package for a page: pictures and PDFs of statements, and attachments. No other file of
 * a package is served, and a served file cannot run scripts in the page's origin, whatever its
 * content.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SkeinError } from '@skein/api';
import type { PublishedProblem } from './catalog.ts';

/** Shown in place; all other types are downloaded. */
const SHOWN: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.svg': 'image/svg+xml',
  '.pdf': 'application/pdf',
};

/** @throws SkeinError PROBLEM_UNKNOWN when the file is not public. */
export async function sendPackageFile(
  { problem, publicFiles }: PublishedProblem,
  path: string,
  response: ServerResponse,
): Promise<void> {
  if (!publicFiles.has(path)) {
    throw new SkeinError(
      'PROBLEM_UNKNOWN',
      `${problem.shortName} shows no file "${path.slice(0, 100)}".`,
    );
  }
  const file = join(problem.folder, path);
  const { size } = await stat(file);
  const type = SHOWN[extname(path).toLowerCase()];
  response.writeHead(200, {
    'Content-Type': type ?? 'application/octet-stream',
    'Content-Length': size,
    'Content-Disposition': type === undefined ? 'attachment' : 'inline',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'private, max-age=300',
  });
  await pipeline(createReadStream(file, { end: size - 1 }), response).catch(() => {
    // The reader disconnected, or the file shrank: the connection is closed.
    response.destroy();
  });
}

export function fileAddress(problem: string, path: string): string {
  const segments = path.split('/').map(encodeURIComponent).join('/');
  return `/api/v1/problems/${encodeURIComponent(problem)}/files/${segments}`;
}

export function nameOf(names: Readonly<Record<string, string>>, otherwise: string): string {
  return names['en'] ?? Object.values(names)[0] ?? otherwise;
}
