/** `skein fleet adopt`: the way out for a node that its store contradicts. */
import { defineCommand } from '../../command-line/command.ts';
import { connect, connectionOptions } from '../../connection/connection.ts';

export const fleetAdopt = defineCommand({
  name: 'fleet adopt',
  summary: 'Let a frozen node take the store of its fleet as it is.',
  details:
    'A node freezes when Redis was emptied, restored from a backup, or has lost writes in a failover: it serves on and changes nothing. Make sure first that the contents of the store are the right ones. Each frozen node is asked by itself, with --server.',
  examples: [
    {
      command: 'skein fleet adopt --server https://10.0.0.7:4700',
      does: 'The node at this address',
    },
  ],
  arguments: {},
  options: connectionOptions,
  async run(context, choice) {
    const { client, url } = await connect(context, choice);
    const before = (await client.getNode()).store;
    const { store } = await client.adoptStore();
    return { url, before: before?.state, store };
  },
  render: ({ url, before, store }) => {
    if (store === undefined) return `The node at ${url} is in no fleet.`;
    const was = before === 'frozen' ? 'has taken the store as it is' : `was not frozen`;
    return `The node at ${url} ${was}.`;
  },
});
