/** From one version to another: `skein rollout` and `skein rollback`. */
import { defined } from '@skein/api/defined';
import type { DeploymentView, RolloutPlan, RolloutView } from '@skein/api';
import { formatNumber } from '@skein/api/units';
import type { Context, OptionValues } from '../../command-line/command.ts';
import type { Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import {
  argument,
  decimal,
  decimals,
  duration,
  flag,
  integer,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { versionsText } from '../../output/deployment.ts';
import { bar } from '../../output/notes.ts';
import type { Style } from '../../output/style.ts';
import { settingsOf, settingsOptions } from '../../deploying/settings.ts';
import { pause } from '../../pause.ts';
import { usageError } from '../../command-line/usage.ts';

/** How a new version takes over, as options that `deploy` and `rollout` share. */
export const rolloutOptions = {
  canary: decimals(
    '5,25,100',
    'Shift traffic in these steps of percent; roll back automatically.',
    [0.01, 100],
  ),
  shadow: flag(
    'Copy traffic to the new version and compare its outputs; its answers are discarded.',
  ),
  stepTime: duration('Time that each canary step must hold (default 10s).', [100, 86_400_000]),
  minRequests: integer(
    'N',
    'Requests that a step or shadow must see before it is judged.',
    [1, 1_000_000_000],
  ),
  sticky: text('HEADER', 'Keep callers on one version by a hash of this request header.'),
  tolerance: decimal(
    'X',
    'Largest difference of outputs that is tolerated; a canary compares only with one.',
    [0, Number.MAX_VALUE],
  ),
  maxErrorShare: decimal('SHARE', 'Roll back above this share of errors (default 0.01).', [0, 1]),
};

/** The plan that the options ask for; the node fills in what they leave out. @throws SkeinError USAGE. */
export function rolloutPlan(
  choice: OptionValues<typeof rolloutOptions>,
): Partial<RolloutPlan> | undefined {
  if (choice.canary !== undefined && choice.shadow) {
    throw usageError('--canary and --shadow exclude each other.');
  }
  const { stepTime, minRequests, sticky: stickyHeader, tolerance, maxErrorShare } = choice;
  const stepMs = stepTime === undefined ? undefined : Math.round(stepTime);
  const details = defined({ stepMs, minRequests, stickyHeader, tolerance, maxErrorShare });
  if (choice.canary !== undefined) {
    const ordered = choice.canary.every((step, at) => step > (choice.canary?.[at - 1] ?? 0));
    if (!ordered) throw usageError(`--canary: the steps ${choice.canary.join(',')} must grow.`);
    const steps = choice.canary.at(-1) === 100 ? choice.canary : [...choice.canary, 100];
    return { strategy: 'canary', steps: [...steps], ...details };
  }
  if (choice.shadow) return { strategy: 'shadow', ...details };
  const [first] = Object.keys(details);
  if (first !== undefined) {
    throw usageError('The options of a rollout need --canary or --shadow.');
  }
  return undefined;
}

const POLL_MS = 500;

export const rollout = nodeCommand({
  name: 'rollout',
  summary: 'Show the progress of a rollout, or start one with a stored version.',
  details:
    'Without --version it shows the rollout in progress, or the last one. With --version it moves the deployment to a version that was uploaded before: at once, or by --canary or --shadow; where the name is not deployed, it deploys that version. Settings that are left out stay as they are.',
  examples: {
    'skein rollout risk': 'Show its progress',
    'skein rollout risk --version 3 --canary 5,25,100': 'Shift by steps',
    'skein rollout heart --version 2 --replicas 0..1': 'Serve the model of a federation',
    'skein rollout risk --watch': 'Wait for its end; exits 1 if it rolls back',
  },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    version: text('N', 'Stored version to move to.'),
    watch: flag('Wait until the rollout has ended.'),
    ...settingsOptions,
    ...rolloutOptions,
  },
  async run(connection, { name, version, watch, ...options }, context) {
    const plan = rolloutPlan(options);
    const settings = settingsOf(options);
    const changes = plan !== undefined || Object.keys(settings).length > 0;
    if (version === undefined && changes) {
      throw usageError(
        'Name the version to move to: --version N. `skein settings` changes a deployment as it runs.',
      );
    }
    let view =
      version === undefined
        ? await connection.client.getDeployment({ name })
        : await connection.client.deploy({
            name,
            version,
            plan,
            ...(Object.keys(settings).length === 0 ? {} : { settings }),
          });
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
    view = await client.getDeployment({ name: first.name });
  }
  return view;
}

function hasEnded(phase: string): boolean {
  return phase === 'finished' || phase === 'rolled-back';
}

export const rollback = nodeCommand({
  name: 'rollback',
  summary: 'Abort a rollout in progress, or take the last change of version or settings back.',
  details:
    'The deployment returns to the version and the settings that it had before. If skein settings has changed it since its last version, only that change is taken back. skein rollout NAME --version N serves any stored version.',
  examples: { "skein rollback risk --reason 'wrong threshold'": 'With its reason' },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    reason: withDefault(text('TEXT', 'Reason for the history.'), 'asked for by skein rollback'),
  },
  async run({ client }, { name, reason }) {
    const before = await client.getDeployment({ name });
    const view = await client.rollback({ name, reason });
    return { ...view, restored: restoredBy(before, view) };
  },
  render({ restored: { version, settings }, ...view }, style) {
    const which = settings.join(', ');
    const serves = `${view.name} is back to ${versionsText(view)}`;
    if (settings.length === 0) return `${serves}.`;
    if (version) return `${serves}, with other settings as they were then: ${which}.`;
    const other = style.commands(`skein rollout ${view.name} --version N`);
    return `${view.name} is back to its settings before: ${which}. It serves ${versionsText(view)} as it did; ${style.cyan(other)} serves another version.`;
  },
});

/** Changes of a rollback. */
function restoredBy(
  before: DeploymentView,
  after: DeploymentView,
): { readonly version: boolean; readonly settings: readonly string[] } {
  const settings = { ...before.settings, ...after.settings };
  return {
    version: versionsText(before) !== versionsText(after),
    settings: Object.keys(settings).filter((key) => {
      const of = ({ settings: each }: DeploymentView) =>
        JSON.stringify(each[key as keyof typeof settings]);
      return of(before) !== of(after);
    }),
  };
}

export function rolloutLine(rollout: RolloutView, style: Style): string {
  const versions = `v${rollout.fromVersion} → v${rollout.toVersion}`;
  const reason = rollout.reason === '' ? '' : style.dim(` ${rollout.reason}`);
  switch (rollout.phase) {
    case 'warming':
      return `${versions} ${style.yellow('warming')}${reason}`;
    case 'shifting':
      return `${versions} ${bar(rollout.share / 100, 20)} ${formatNumber(rollout.share)} %${reason}`;
    case 'comparing':
      return `${versions} ${style.yellow('comparing')}${comparisonText(rollout)}${reason}`;
    case 'finished':
      return `${versions} ${style.green('finished')}${comparisonText(rollout)}${reason}`;
    case 'rolled-back':
      return `${versions} ${style.red('rolled back')}${comparisonText(rollout)}${reason}`;
  }
}

function comparisonText({ comparison }: RolloutView): string {
  if (comparison === undefined) return '';
  const { compared, differing, maxDifference } = comparison;
  return ` ${compared} compared, ${differing} differ, largest difference ${maxDifference.toPrecision(3)};`;
}
