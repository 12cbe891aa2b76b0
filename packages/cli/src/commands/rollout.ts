/** `skein rollout`: shows the progress of a rollout, or starts one with a stored version. */
import type { DeploymentView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { defineCommand, type Context } from '../command.ts';
import { connect, connectionOptions, type Connection } from '../connection.ts';
import { argument, flag, text } from '../option.ts';
import { versionsText } from '../output/deployment.ts';
import { rolloutLine } from '../output/rollout.ts';
import { rolloutOptions, rolloutPlan } from '../rollout-options.ts';
import { pause } from '../pause.ts';

const POLL_MS = 500;

export const rollout = defineCommand({
  name: 'rollout',
  summary: 'Show how a rollout is going, or start one with a stored version.',
  details:
    'Without --version it shows the rollout in progress, or the last one. With --version it moves the deployment to a version that was uploaded before: at once, or by --canary or --shadow.',
  examples: [
    { command: 'skein rollout risk', does: 'How it is going' },
    { command: 'skein rollout risk --version 3 --canary 5,25,100', does: 'Shift by steps' },
    { command: 'skein rollout risk --watch', does: 'Wait for its end; exits 1 if it rolls back' },
  ],
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    version: text('N', 'The stored version to move to.'),
    watch: flag('Wait until the rollout has ended.'),
    ...rolloutOptions,
    ...connectionOptions,
  },
  async run(context, { name, version, watch, ...options }) {
    const plan = rolloutPlan(options);
    const connection = await connect(context, options);
    if (version === undefined && plan !== undefined) {
      throw new SkeinError('USAGE', 'Say which version to move to: --version N.');
    }
    let view =
      version === undefined
        ? await connection.client.getDeployment({ name }, { signal: context.signal })
        : await connection.client.deploy(
            { name, version, ...(plan === undefined ? {} : { plan }) },
            { signal: context.signal },
          );
    if (watch) view = await waitForEnd(context, connection, view);
    return view;
  },
  render(view, style) {
    if (view.rollout === undefined) {
      return `${view.name} serves ${versionsText(view)}; no rollout is in progress.`;
    }
    return `${style.bold(view.name)}: ${rolloutLine(view.rollout, style)}`;
  },
  exitCode: (view) => (view.rollout?.phase === 'rolled-back' ? 1 : 0),
});

async function waitForEnd(
  context: Context,
  { client }: Connection,
  first: DeploymentView,
): Promise<DeploymentView> {
  let view = first;
  while (view.rollout !== undefined && !hasEnded(view.rollout.phase)) {
    context.notes.progress(rolloutLine(view.rollout, context.notes.style));
    await pause(POLL_MS, context.signal);
    view = await client.getDeployment({ name: first.name }, { signal: context.signal });
  }
  return view;
}

function hasEnded(phase: string): boolean {
  return phase === 'finished' || phase === 'rolled-back';
}
