/** `skein artifacts put`: stores a file by its content. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { formatBytes } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { givenFile } from '../file.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';
import { countingFetch, uploadNotes } from '../upload.ts';

export const artifactsPut = defineCommand({
  name: 'artifacts put',
  summary: 'Store a file; its sha-256 is its name.',
  examples: [{ command: 'skein artifacts put data.csv', does: 'The digest is printed' }],
  arguments: { file: argument('FILE', 'The file.', { completes: 'file' }) },
  options: connectionOptions,
  async run(context, { file, ...choice }) {
    const { path } = await givenFile(context.cwd, file);
    const onProgress = uploadNotes(context.notes, `Uploading ${basename(file)}`);
    const content = await openAsBlob(path);
    return withJobs(
      context,
      choice,
      (client) => client.uploadArtifact({ content }, { signal: context.signal }),
      { wrapFetch: (fetch) => countingFetch(onProgress, fetch) },
    );
  },
  render: ({ digest, sizeBytes }, style) => `${digest} ${style.dim(`(${formatBytes(sizeBytes)})`)}`,
});
