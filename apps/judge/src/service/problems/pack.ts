/**
 * A problem package as one zip archive. The same files give the same bytes wherever and whenever
 * they are packed, so that an unchanged package remains one artifact.
 */
import { join } from 'node:path';
import { openPackageFolder } from '../../package/archive/package-folder.ts';
import { ZipFile } from 'yazl';

/** In local time, which the archive's format uses, so that every time zone writes the same bytes. */
const MTIME = new Date(1980, 0, 2, 12, 0, 0);

/** Links are stored as copies of their targets. @throws SkeinError PROBLEM_INVALID. */
export async function packProblem(folder: string): Promise<AsyncIterable<Uint8Array>> {
  const { root, shortName, entries } = await openPackageFolder(folder);
  const zip = new ZipFile();
  for (const { path, executable } of entries) {
    zip.addFile(join(root, path), `${shortName}/${path}`, {
      mtime: MTIME,
      mode: executable ? 0o100755 : 0o100644,
      forceDosTimestamp: true,
    });
  }
  // An error while a file is read is emitted by the zip, not by its stream.
  const output = zip.outputStream as NodeJS.ReadableStream & { destroy(error: Error): void };
  zip.on('error', (error: Error) => output.destroy(error));
  zip.end();
  return output as unknown as AsyncIterable<Uint8Array>;
}
