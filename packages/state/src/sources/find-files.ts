/**
 * Finds files of a bucket or a server, with their sizes and identities: `s3://bucket/logs/*.parquet`,
 * `gs://bucket/logs/**\/*.csv`, `https://host/file.csv`.
 */
import { matchesGlob } from 'node:path/posix';
import { SkeinError } from '@skein/api/errors';
import { listGcs, listS3, type Listed } from './bucket-source.ts';
import { encodePath } from './http-source.ts';
import { describeFile, type RemoteFile } from './remote-file.ts';
import { unknownSource, type SourceOptions } from './source.ts';
import { openSource } from './sources.ts';

/** A list of more files does not fit into the result of a job. */
const MOST_FILES = 5000;
const MAGIC = /[*[{]/;

const LISTS: Readonly<
  Record<string, (address: string, prefix: string, options: SourceOptions) => AsyncIterable<Listed>>
> = { 's3:': listS3, 'gs:': listGcs };

/** @returns in the order of their addresses. @throws SkeinError USAGE, SOURCE_…. */
export async function findFiles(address: string, options: SourceOptions): Promise<RemoteFile[]> {
  const { signal } = options;
  try {
    const { protocol, pathname } = URL.canParse(address)
      ? new URL(address)
      : { protocol: '', pathname: '' };
    const { [protocol.toLowerCase()]: listed } = LISTS;
    const pattern = keyIn(pathname);
    if (listed === undefined || !MAGIC.test(pattern)) {
      return [await describeFile(await openSource(address, options), address, signal)];
    }
    const files: RemoteFile[] = [];
    const [prefix = ''] = pattern.split(MAGIC, 1);
    for await (const { key, sizeBytes, identity } of listed(address, prefix, options)) {
      if (key.endsWith('/') || key.startsWith('/') || !matchesGlob(key, pattern)) continue;
      files.push({ address: addressOf(address, key), sizeBytes, identity });
      if (files.length > MOST_FILES) {
        throw unknownSource(address, `leads to more than ${MOST_FILES} files`);
      }
    }
    if (files.length === 0) throw unknownSource(address, 'leads to no file');
    return files.sort((a, b) => (a.address < b.address ? -1 : 1));
  } catch (error) {
    if (error instanceof SkeinError || signal.aborted) throw error;
    throw new SkeinError(
      'SOURCE_UNREACHABLE',
      `"${address}" cannot be reached: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

function keyIn(pathname: string): string {
  try {
    return decodeURIComponent(pathname).replace(/^\//, '');
  } catch {
    return '';
  }
}

function addressOf(pattern: string, key: string): string {
  const { protocol, hostname, search } = new URL(pattern);
  // Folders such as year=2026 are read by people, too.
  return `${protocol}//${hostname}/${encodePath(key).replaceAll('%3D', '=')}${search}`;
}
