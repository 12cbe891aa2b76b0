/** `skein rollback`: aborts a rollout, or returns to the previous version. */
import { defineCommand } from '../command.ts';
import { connect, connectionOptions } from '../connection.ts';
import { argument, text, withDefault } from '../option.ts';
import { versionsText } from '../output/deployment.ts';

export const rollback = defineCommand({
  name: 'rollback',
  summary: 'Abort a rollout in progress, or return to the previous version.',
  examples: [
    { command: "skein rollback risk --reason 'wrong threshold'", does: 'With its reason' },
  ],
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    reason: withDefault(text('TEXT', 'Why, for the history.'), 'asked for by skein rollback'),
    ...connectionOptions,
  },
  async run(context, { name, reason, ...options }) {
    const { client } = await connect(context, options);
    return client.rollback({ name, reason }, { signal: context.signal });
  },
  render: (view) => `${view.name} is back to ${versionsText(view)}.`,
});
