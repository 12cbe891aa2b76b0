/** `skein undeploy`: drains and removes a deployment. */
import { defineCommand } from '../command.ts';
import { connect, connectionOptions } from '../connection.ts';
import { argument } from '../option.ts';

export const undeploy = defineCommand({
  name: 'undeploy',
  summary: 'Drain a deployment and remove it; its versions stay stored.',
  examples: [{ command: 'skein undeploy risk', does: 'Accepted requests are answered first' }],
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: connectionOptions,
  async run(context, { name, ...options }) {
    const { client } = await connect(context, options);
    await client.undeploy({ name }, { signal: context.signal });
    return { undeployed: name };
  },
  render: ({ undeployed }) => `${undeployed} is undeployed; its versions stay stored.`,
});
