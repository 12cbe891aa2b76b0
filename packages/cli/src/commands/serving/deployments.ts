/** Lists and removes deployments: `skein ls` and `skein undeploy`. */
import { formatDuration, formatRate, formatShare } from '@skein/api/units';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, flag } from '../../command-line/option.ts';
import { objectiveText, replicasText, statusText, versionsText } from '../../output/deployment.ts';
import { renderTable } from '../../output/table.ts';

export const ls = nodeCommand({
  name: 'ls',
  summary: 'List the deployments with their status.',
  details: 'Rates, latencies and attainment are over the last minute.',
  examples: { 'skein ls --json': 'For a script' },
  options: {
    names: flag('Print the names alone, one a line.'),
  },
  async run({ client }, { names }) {
    const listed = client.listDeployments();
    if (names) return { names: (await listed).deployments.map((view) => view.name) };
    const [{ deployments }, { settings }] = await Promise.all([listed, client.getLanguageModels()]);
    return { deployments, languageModels: settings.models.map(({ name }) => name) };
  },
  render({ names, deployments = [], languageModels = [] }, style) {
    if (names !== undefined) return names.join('\n');
    const language =
      languageModels.length === 0
        ? []
        : [
            `Language models: ${languageModels.map((name) => style.bold(name)).join(', ')}. See ${style.cyan(style.commands('skein model ls'))}.`,
          ];
    if (deployments.length === 0) {
      return (
        language[0] ??
        `Nothing is deployed. Try ${style.cyan(style.commands('skein deploy model.onnx --name NAME'))}.`
      );
    }
    const table = renderTable(style, deployments, [
      ['NAME', ({ name }) => style.bold(name)],
      ['STATUS', (view) => statusText(view, style)],
      ['VERSION', versionsText],
      ['REPLICAS', replicasText],
      ['OBJECTIVE', objectiveText],
      ['RATE', ({ last }) => formatRate(last.requestsPerSecond), 'right'],
      ['P99', ({ last }) => formatDuration(last.p99Ms), 'right'],
      ['IN TIME', ({ last }) => formatShare(last.sloAttainment), 'right'],
      ['NOTE', (view) => (view.status === 'ready' ? rolloutNote(view) : view.reason)],
    ]);
    return [table, ...language].join('\n\n');
  },
});

function rolloutNote({ rollout }: { rollout?: { phase: string; toVersion: string } | undefined }) {
  if (rollout === undefined || rollout.phase === 'finished') return '';
  return rollout.phase === 'rolled-back'
    ? `v${rollout.toVersion} was rolled back`
    : `v${rollout.toVersion}: ${rollout.phase}`;
}

export const undeploy = nodeCommand({
  name: 'undeploy',
  summary: 'Drain a deployment and remove it; its versions stay stored.',
  examples: { 'skein undeploy risk': 'Accepted requests are answered first' },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  async run({ client }, { name }) {
    await client.undeploy({ name });
    return { undeployed: name };
  },
  render: ({ undeployed }) => `${undeployed} is undeployed; its versions stay stored.`,
});
