/** `skein client generate`: a typed client for the deployments of a node. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { generateClient } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { defineCommand } from '../command-line/command.ts';
import { connect, connectionOptions } from '../connection/connection.ts';
import { unwritable } from '@skein/api/file-errors';
import { many, text } from '../command-line/option.ts';

export const clientGenerate = defineCommand({
  name: 'client generate',
  summary: 'Write a typed TypeScript client from the signatures of deployments.',
  details:
    'The module needs @skein/api alone. A wrong input name or array type is then a compile error, not a refusal at run time.',
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
    const views =
      deployment.length === 0
        ? (await client.listDeployments()).deployments
        : await Promise.all(deployment.map((name) => client.getDeployment({ name })));
    if (views.length === 0) {
      throw new SkeinError('MODEL_UNKNOWN', 'Nothing is deployed, so there is nothing to call.');
    }
    const code = generateClient(views);
    const deployments = views.map((view) => view.name);
    if (out === undefined) return { deployments, code };
    const file = resolve(context.cwd, out);
    await writeFile(file, code).catch((error: unknown) => {
      throw unwritable(out, error);
    });
    return { deployments, file };
  },
  render({ deployments, code, file }) {
    return code ?? `Wrote ${file}: ${deployments.join(', ')}.`;
  },
});
