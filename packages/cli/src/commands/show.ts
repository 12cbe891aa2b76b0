/** `skein show`: all details of one deployment, with the reasons of its decisions. */
import { defineCommand, type Context } from '../command.ts';
import { connect, connectionOptions, type Connection } from '../connection.ts';
import { argument, flag, integer, withDefault } from '../option.ts';
import { renderDeployment, type DeploymentDetails } from '../output/details.ts';
import { pause } from '../pause.ts';
import { usageError } from '../usage.ts';

const REDRAW_MS = 1000;
const CLEAR_SCREEN = '\u001B[H\u001B[2J\u001B[3J';

export const show = defineCommand({
  name: 'show',
  summary: 'Show a deployment: versions, replicas, latencies, history with reasons.',
  examples: [
    { command: 'skein show ocr', does: 'Now' },
    { command: 'skein show ocr --watch', does: 'Redrawn every second until Ctrl-C' },
  ],
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    history: withDefault(
      integer('N', 'Entries of the history to show.', { min: 1, max: 1000 }),
      '10',
    ),
    watch: flag('Redraw every second until Ctrl-C.'),
    ...connectionOptions,
  },
  async run(context, { name, history, watch, ...options }): Promise<DeploymentDetails> {
    if (watch && context.json) {
      throw usageError('--watch and --json exclude each other; ask again with --json instead.');
    }
    const connection = await connect(context, options);
    if (watch) return redrawForever(context, connection, name, history);
    return load(context, connection, name, history);
  },
  render: (details, style) => renderDeployment(details, style, Date.now()),
});

/** Ends by Ctrl-C alone. */
async function redrawForever(
  context: Context,
  connection: Connection,
  name: string,
  history: number,
): Promise<never> {
  for (;;) {
    const details = await load(context, connection, name, history);
    const screen = renderDeployment(details, context.style, Date.now());
    context.print(CLEAR_SCREEN, 'raw');
    context.print(`${screen}\n`);
    await pause(REDRAW_MS, context.signal);
  }
}

async function load(
  context: Context,
  { client }: Connection,
  name: string,
  limit: number,
): Promise<DeploymentDetails> {
  const call = { signal: context.signal };
  const [deployment, { entries }, { versions }] = await Promise.all([
    client.getDeployment({ name }, call),
    client.deploymentHistory({ name, limit }, call),
    client.listVersions({ name }, call),
  ]);
  return { deployment, history: entries, versions };
}
