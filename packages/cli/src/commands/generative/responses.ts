/** `skein responses`: whether answers of `/v1/responses` are stored for their callers. */
import { formatBytes, formatDuration, formatNumber } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { connect, connectionOptions } from '../../connection/connection.ts';
import { bytes, duration, integer } from '../../command-line/option.ts';

/** `skein responses put`: the bounds within which they are. */
export const responsesPut = defineCommand({
  name: 'responses put',
  summary: 'Store answers of /v1/responses, so that their callers can read and continue them.',
  details:
    'Prompts and answers are then written to the state of the node, redacted as a provider gets them, unless a request says `store: false`. Only the key that has asked can read, continue or remove one. The oldest of a key make room for its new ones.',
  examples: [
    { command: 'skein responses put', does: 'The last 1,000 of each key, for 30 days' },
    {
      command: 'skein responses put --count 50 --age 1h',
      does: 'As long as a conversation takes',
    },
  ],
  arguments: {},
  options: {
    count: integer('N', 'Responses of one key at most; default 1000.', { min: 1, max: 100_000 }),
    bytes: bytes('What those of one key take at most; default 16MiB.'),
    age: duration('After which one is forgotten; default 720h.', {
      min: 1000,
      max: 366 * 86_400_000,
    }),
    ...connectionOptions,
  },
  async run(context, { count, bytes: size, age, ...server }) {
    const { client } = await connect(context, server);
    await client.putStoredResponses({ count, bytes: size, ageMs: age });
    const { settings } = await client.getLanguageModels();
    return settings.responses;
  },
  render: (policy, style) =>
    policy === undefined
      ? 'Nothing is stored.'
      : `${style.green('✓')} The last ${formatNumber(policy.count)} responses of each key are stored for ${formatDuration(policy.ageMs)}, ${formatBytes(policy.bytes)} at most.`,
});

/** `skein responses rm`: none any more. */
export const responsesRm = defineCommand({
  name: 'responses rm',
  summary: 'Store no answers any more, and forget those that are stored.',
  examples: [{ command: 'skein responses rm', does: 'Of all keys, at once' }],
  arguments: {},
  options: connectionOptions,
  async run(context, server) {
    const { client } = await connect(context, server);
    await client.removeStoredResponses();
    return { removed: 'responses' };
  },
  render: () => 'No response is stored any more.',
});
