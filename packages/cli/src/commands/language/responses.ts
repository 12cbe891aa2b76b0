/** `skein responses`: whether answers of `/v1/responses` are stored for their callers. */
import { formatBytes, formatDuration } from '@skein/api/units';
import { nodeCommand } from '../../connection/node-command.ts';
import { bytes, duration, integer } from '../../command-line/option.ts';

export const responsesPut = nodeCommand({
  name: 'responses put',
  summary: 'Store answers of /v1/responses, so that their callers can read and continue them.',
  details:
    'Prompts and answers are then written to the state of the node, redacted as a provider gets them, unless a request has `store: false`. Only the key that has asked can read, continue or remove one. A new one displaces the oldest of its key.',
  examples: {
    'skein responses put': 'The last 1,000 of each key, for 30 days',
    'skein responses put --count 50 --age 1h': 'As long as a conversation takes',
  },
  options: {
    count: integer('N', 'Responses of one key at most; default 1000.', [1, 100_000]),
    bytes: bytes('Most bytes of the responses of one key; default 16MiB.'),
    age: duration('Age at which a response is removed; default 30d.', [1000, 366 * 86_400_000]),
  },
  async run({ client }, { count, bytes: size, age }) {
    await client.putStoredResponses({ count, bytes: size, ageMs: age });
    const { settings } = await client.getLanguageModels();
    return settings.responses;
  },
  render: (policy, style) =>
    policy === undefined
      ? 'Nothing is stored.'
      : `${style.green('✓')} The last ${policy.count.toLocaleString('en')} responses of each key are stored for ${formatDuration(policy.ageMs)}, ${formatBytes(policy.bytes)} at most.`,
});

export const responsesRm = nodeCommand({
  name: 'responses rm',
  summary: 'Stop storing answers, and remove the stored ones.',
  examples: { 'skein responses rm': 'Of all keys, at once' },
  async run({ client }) {
    await client.removeStoredResponses();
    return { removed: 'responses' };
  },
  render: () => 'No response is stored any more.',
});
