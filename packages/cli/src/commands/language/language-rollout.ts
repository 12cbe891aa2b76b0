/** From one route of a language model to another: `skein model rollout` and `skein model rollback`. */
import type { LanguageRolloutView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { Context } from '../../command-line/command.ts';
import type { Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, flag, text, withDefault } from '../../command-line/option.ts';
import { languageRolloutLine } from '../../output/language-rollout.ts';
import { pause } from '../../pause.ts';
import { usageError } from '../../command-line/usage.ts';
import { routeOf } from './language-model.ts';
import { rolloutOptions, rolloutPlan } from '../serving/rollout.ts';

const POLL_MS = 500;
const { canary, stepTime, minRequests, maxErrorShare } = rolloutOptions;

export const modelRollout = nodeCommand({
  name: 'model rollout',
  summary: 'Show the progress of a language model’s rollout, or start one with another route.',
  details:
    'Without --route it shows the rollout in progress, or the last one. With --route it gives a share of the requests to that route by --canary, or copies them to it by --shadow. A canary takes the place of the first route, or of the one that --replaces names. It rolls back automatically when it fails or is late more often than the replaced route. The answers of a shadow are discarded; its copies count in the budgets of `all` and `operator`, never in the callers’ budgets.',
  examples: {
    'skein model rollout assistant': 'Show its progress',
    'skein model rollout assistant --route google=gemini-3-flash,input=0.5,output=3 --canary 5,25,100':
      'Shift by steps; other routes answer what it fails',
    'skein model rollout assistant --route own=qwen --shadow --step-time 1h':
      'Copies of the requests only',
  },
  arguments: { name: argument('NAME', 'The model.') },
  options: {
    route: text(
      'ROUTE',
      'New route: PROVIDER=MODEL[,quality=N,input=$,output=$ …], as in skein model put.',
    ),
    replaces: text('ROUTE', 'Route to compare with: PROVIDER=MODEL; default the first one.'),
    watch: flag('Wait until the rollout has ended.'),
    canary,
    shadow: flag('Copy requests to the new route; its answers are discarded.'),
    stepTime,
    minRequests,
    maxErrorShare,
  },
  async run(connection, { name, route, replaces, watch, ...options }, context) {
    const plan = rolloutPlan({ ...options, sticky: undefined, tolerance: undefined });
    if (route === undefined && (plan ?? replaces) !== undefined) {
      throw new SkeinError('USAGE', 'Name the route to move to: --route PROVIDER=MODEL.');
    }
    let view: LanguageRolloutView | undefined;
    if (route !== undefined) {
      const { strategy, ...details } = plan ?? {};
      if (strategy !== 'canary' && strategy !== 'shadow') {
        throw usageError('A rollout of a language model needs --canary or --shadow.');
      }
      const replaced = replaces === undefined ? undefined : routeOf(replaces);
      view = await connection.client.rollOutLanguageModel({
        name,
        route: routeOf(route),
        plan: { strategy, ...details },
        replaces: replaced && { provider: replaced.provider, model: replaced.model },
      });
    } else view = await rolloutOf(connection, name);
    if (watch && view !== undefined) view = await waitForEnd(context, connection, view);
    return { name, rollout: view };
  },
  render({ name, rollout }, style) {
    if (rollout === undefined) return `No route of ${name} has been rolled out.`;
    return `${style.bold(name)}: ${languageRolloutLine(rollout, style)}`;
  },
  exitCode: ({ rollout }) => (rollout?.phase === 'rolled-back' ? 1 : 0),
});

/** @throws SkeinError MODEL_UNKNOWN. */
async function rolloutOf(
  { client }: Connection,
  name: string,
): Promise<LanguageRolloutView | undefined> {
  const { settings, rollouts } = await client.getLanguageModels();
  if (!settings.models.some((model) => model.name === name)) {
    throw new SkeinError('MODEL_UNKNOWN', `No language model "${name}" is declared.`);
  }
  return rollouts.find(({ model }) => model === name);
}

async function waitForEnd(
  context: Context,
  connection: Connection,
  first: LanguageRolloutView,
): Promise<LanguageRolloutView> {
  let view: LanguageRolloutView | undefined = first;
  while (view.phase === 'shifting' || view.phase === 'comparing') {
    context.notes.progress(languageRolloutLine(view, context.notes.style));
    await pause(POLL_MS, context.signal);
    view = (await rolloutOf(connection, first.model)) ?? view;
  }
  return view;
}

export const modelRollback = nodeCommand({
  name: 'model rollback',
  summary: 'Abort the rollout of a language model, or return to the routes before it.',
  examples: {
    "skein model rollback assistant --reason 'worse answers'": 'With its reason',
  },
  arguments: { name: argument('NAME', 'The model.') },
  options: {
    reason: withDefault(text('TEXT', 'Reason for the audit.'), 'asked for by skein model rollback'),
  },
  run: ({ client }, { name, reason }) => client.rollBackLanguageModel({ name, reason }),
  render: ({ model, from }) => `${model} is back to ${from}.`,
});
