/** `skein client generate`: a typed client for the deployments of a node. */
import { generateClient } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { nodeCommand } from '../connection/node-command.ts';
import { many, text } from '../command-line/option.ts';
import { writeGivenFile } from '../file.ts';

export const clientGenerate = nodeCommand({
  name: 'client generate',
  summary: 'Write a typed TypeScript client from the signatures of deployments.',
  details:
    'The module needs @skein/api alone. A wrong input name or array type is then a compile error, not a refusal at run time.',
  examples: {
    'skein client generate --out client.ts': 'All deployments',
    'skein client generate --deployment risk': 'One, on stdout',
  },
  options: {
    deployment: many('NAME', 'Include only this deployment.', { completes: 'deployment' }),
    out: text('FILE', 'File to write; default: stdout.'),
  },
  async run({ client }, { deployment, out }, context) {
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
    return { deployments, file: await writeGivenFile(context.cwd, out, code) };
  },
  render({ deployments, code, file }) {
    return code ?? `Wrote ${file}: ${deployments.join(', ')}.`;
  },
});
