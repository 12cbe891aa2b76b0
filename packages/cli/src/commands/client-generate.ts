/** `skein client generate`: a typed client for the deployments of a node. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand } from '../command.ts';
import { connect, connectionOptions } from '../connection.ts';
import { many, text } from '../option.ts';

export const clientGenerate = defineCommand({
  name: 'client generate',
  summary: 'Write a typed TypeScript client from the signatures of deployments.',
  examples: [
    { command: 'skein client generate --out client.ts', does: 'All deployments' },
    { command: 'skein client generate --deployment risk', does: 'One, on stdout' },
  ],
  arguments: {},
  options: {
    deployment: many('NAME', 'Only this deployment.', { completes: 'deployment' }),
    out: text('FILE', 'The file to write; default: stdout.', { completes: 'file' }),
    ...connectionOptions,
  },
  async run(context, { deployment, out, ...choice }) {
    const { client } = await connect(context, choice);
    const { deployments } = await client.listDeployments(undefined, { signal: context.signal });
    return {
      deployments: deployments.map((each) => each.name),
      file: out && resolve(context.cwd, out),
      code: '',
      deployment,
      writeFile,
    };
  },
  render: ({ code }) => code,
});
