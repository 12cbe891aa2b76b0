/** `skein artifacts get`: downloads an artifact. */
import { resolve } from 'node:path';
import { formatBytes } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { downloadArtifact } from '../jobs/outputs.ts';
import { argument, text } from '../option.ts';

export const artifactsGet = defineCommand({
  name: 'artifacts get',
  summary: 'Fetch an artifact by its digest; it is verified on the way.',
  examples: [{ command: 'skein artifacts get DIGEST --out data.csv', does: 'Into a file' }],
  arguments: { digest: argument('DIGEST', 'sha-256 in hex.') },
  options: {
    out: text('FILE', 'Where to write it; default: the digest.', { completes: 'file' }),
    ...connectionOptions,
  },
  async run(context, { digest, out, ...choice }) {
    return withJobs(context, choice, async (client) => {
      const { sizeBytes } = await client.getArtifact({ digest }, { signal: context.signal });
      const file = resolve(context.cwd, out ?? digest);
      await downloadArtifact(client, digest, file, context.signal);
      return { digest, sizeBytes, file };
    });
  },
  render: ({ file, sizeBytes }, style) => `${file} ${style.dim(`(${formatBytes(sizeBytes)})`)}`,
});
