/** `skein settings`: changes the settings of a deployment as it runs. */
import { formatBytes, formatDuration } from '@skein/api/units';
import { argument } from '../../command-line/option.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { settingsOf, settingsOptions } from '../../deploying/settings.ts';
import { boundsText, objectiveText } from '../../output/deployment.ts';
import { renderFields } from '../../output/table.ts';

export const settings = nodeCommand({
  name: 'settings',
  summary: 'Show the settings of a deployment, or change some of them as it runs.',
  details:
    'Settings that are left out stay as they are. Replicas restart where a setting needs it; requests are answered meanwhile. skein rollback takes a change back.',
  examples: {
    'skein settings risk': 'Show the settings',
    'skein settings risk --replicas 0..2 --objective 250ms': 'Change two of them',
  },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: settingsOptions,
  async run({ client }, { name, ...options }) {
    const changed = settingsOf(options);
    const view =
      Object.keys(changed).length === 0
        ? await client.getDeployment({ name })
        : await client.changeSettings({ name, settings: changed });
    return { name: view.name, kind: view.kind, settings: view.settings };
  },
  render: ({ settings: each, ...view }, style) => {
    const { replicas, maxMemoryBytes: memory, startTimeoutMs: start, cache } = each;
    const yesOrNo = (holds: boolean): string => (holds ? 'yes' : 'no');
    const idle = replicas?.min === 0 ? replicas.idleMs : undefined;
    const bounds = replicas === undefined ? '1 and more, as the cores carry' : boundsText(replicas);
    return renderFields(style, [
      ['objective', objectiveText({ settings: each })],
      ['replicas', bounds],
      ['idle', idle === undefined ? undefined : `after ${formatDuration(idle)} without a request`],
      ['threads', `${each.threads} each${each.oversubscribe ? ', also beyond the cores' : ''}`],
      ['batching', `up to ${each.batching.maxRows} rows`],
      ['queue', `up to ${each.maxQueue} requests`],
      ['isolation', each.isolation],
      ['memory', memory === undefined ? 'a quarter of the memory' : formatBytes(memory)],
      ['start timeout', start === undefined ? '60 s, or ten objectives' : formatDuration(start)],
      ['device', each.device],
      ['finite only', yesOrNo(each.finiteOnly)],
      ['idempotent', view.kind === 'composition' ? yesOrNo(each.idempotent) : undefined],
      [
        'cache',
        cache === undefined
          ? 'off'
          : `${formatBytes(cache.maxBytes)} for ${formatDuration(cache.ttlMs)}`,
      ],
    ]);
  },
});
