/** `skein keys revoke`: the key stops working at once. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { openKeyStore } from '../keys.ts';
import { argument } from '../option.ts';

export const keysRevoke = defineCommand({
  name: 'keys revoke',
  summary: 'Revoke an API key; it stops working at once.',
  details:
    'It is refused at once also when that cannot be written, such as on a full disk. Then the command fails with REVOCATION_NOT_DURABLE, and the node goes on trying.',
  examples: [{ command: 'skein keys revoke 3f9a1c0b77de', does: 'The id is in skein keys ls' }],
  arguments: { id: argument('ID', 'Id of the key, as `skein keys ls` shows it.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    const store = await openKeyStore(context, choice);
    try {
      await store.revoke(id);
      return { revoked: id, place: store.place };
    } finally {
      await store.close();
    }
  },
  render: ({ revoked }) => `${revoked} is revoked.`,
});
