/** `skein artifacts`: files by their sha-256. */
import { basename, resolve } from 'node:path';
import { fileBlob } from '@skein/api/file-blob';
import { downloadArtifact } from '@skein/api/files';
import { formatBytes } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { givenFile } from '../../file.ts';
import { jobsCommand, withJobs } from '../../jobs/embedded.ts';
import { argument, text } from '../../command-line/option.ts';
import { countingFetch, uploadNotes } from '../../deploying/upload.ts';

export const artifactsPut = defineCommand({
  name: 'artifacts put',
  summary: 'Store a file; its sha-256 is its name.',
  details:
    'Jobs, schedules and pipelines take it by that name. A node removes an artifact that none of them has named for a day; in a bucket or shared folder nothing is removed.',
  examples: { 'skein artifacts put data.csv': 'The digest is printed' },
  arguments: { file: argument('FILE', 'The file.') },
  options: connectionOptions,
  async run(context, { file, ...choice }) {
    const { path } = await givenFile(context.cwd, file);
    const onProgress = uploadNotes(context.notes, `Uploading ${basename(file)}`);
    const content = await fileBlob(path);
    return withJobs(
      context,
      { ...choice, wrapFetch: (fetch) => countingFetch(onProgress, fetch) },
      (client) => client.uploadArtifact({ content }),
    );
  },
  render: ({ digest, sizeBytes }, style) => `${digest} ${style.dim(`(${formatBytes(sizeBytes)})`)}`,
});

export const artifactsGet = jobsCommand({
  name: 'artifacts get',
  summary: 'Fetch an artifact by its digest; it is verified on the way.',
  examples: { 'skein artifacts get DIGEST --out data.csv': 'Into a file' },
  arguments: { digest: argument('DIGEST', 'sha-256 in hex.') },
  options: {
    out: text('FILE', 'File to write; default: the digest.'),
  },
  async run({ client }, { digest, out }, { cwd, signal }) {
    const { sizeBytes } = await client.getArtifact({ digest });
    const file = resolve(cwd, out ?? digest);
    await downloadArtifact(client, digest, file, signal);
    return { digest, sizeBytes, file };
  },
  render: ({ file, sizeBytes }, style) => `${file} ${style.dim(`(${formatBytes(sizeBytes)})`)}`,
});
