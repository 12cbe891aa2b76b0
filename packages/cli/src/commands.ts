/**
 * The commands, in the order in which a new user needs them. Each is loaded when it is run, so that
 * `skein version` does not load the code of `skein up`.
 */
import type { Command } from './command-line/command.ts';
import { didYouMean, usageError } from './command-line/usage.ts';

/**
 * A command with erased argument and option types: the parser passes to every command exactly the
 * values of its own specification, so the erasure is safe here and nowhere else.
 */
export type AnyCommand = Command;

const LOADERS = {
  up: async () => (await import('./commands/node/up.ts')).up,
  deploy: async () => (await import('./commands/serving/deploy.ts')).deploy,
  undeploy: async () => (await import('./commands/serving/deployments.ts')).undeploy,
  ls: async () => (await import('./commands/serving/deployments.ts')).ls,
  show: async () => (await import('./commands/serving/show.ts')).show,
  infer: async () => (await import('./commands/serving/infer.ts')).infer,
  rollout: async () => (await import('./commands/serving/rollout.ts')).rollout,
  rollback: async () => (await import('./commands/serving/rollout.ts')).rollback,
  settings: async () => (await import('./commands/serving/settings.ts')).settings,
  'versions ls': async () => (await import('./commands/serving/versions.ts')).versionsLs,
  'versions rm': async () => (await import('./commands/serving/versions.ts')).versionsRm,
  'provider put': async () => (await import('./commands/language/provider.ts')).providerPut,
  'provider ls': async () => (await import('./commands/language/provider.ts')).providerLs,
  'provider rm': async () => (await import('./commands/language/provider.ts')).providerRm,
  'provider allow': async () => (await import('./commands/language/provider.ts')).providerAllow,
  'model put': async () => (await import('./commands/language/language-model.ts')).modelPut,
  'model ls': async () => (await import('./commands/language/language-model.ts')).modelLs,
  'model rm': async () => (await import('./commands/language/language-model.ts')).modelRm,
  'model rollout': async () =>
    (await import('./commands/language/language-rollout.ts')).modelRollout,
  'model rollback': async () =>
    (await import('./commands/language/language-rollout.ts')).modelRollback,
  'budget put': async () => (await import('./commands/language/budget.ts')).budgetPut,
  'budget ls': async () => (await import('./commands/language/budget.ts')).budgetLs,
  'budget rm': async () => (await import('./commands/language/budget.ts')).budgetRm,
  'redaction put': async () => (await import('./commands/language/redaction.ts')).redactionPut,
  'redaction ls': async () => (await import('./commands/language/redaction.ts')).redactionLs,
  'redaction rm': async () => (await import('./commands/language/redaction.ts')).redactionRm,
  'responses put': async () => (await import('./commands/language/responses.ts')).responsesPut,
  'responses rm': async () => (await import('./commands/language/responses.ts')).responsesRm,
  'fleet ls': async () => (await import('./commands/node/fleet.ts')).fleetLs,
  'fleet show': async () => (await import('./commands/node/fleet.ts')).fleetShow,
  'fleet finalise': async () => (await import('./commands/node/fleet.ts')).fleetFinalise,
  run: async () => (await import('./commands/jobs/run.ts')).run,
  'jobs ls': async () => (await import('./commands/jobs/jobs.ts')).jobsLs,
  'jobs show': async () => (await import('./commands/jobs/jobs.ts')).jobsShow,
  'jobs logs': async () => (await import('./commands/jobs/jobs.ts')).jobsLogs,
  'jobs cancel': async () => (await import('./commands/jobs/jobs.ts')).jobsCancel,
  'jobs retry': async () => (await import('./commands/jobs/jobs.ts')).jobsRetry,
  'jobs preempt': async () => (await import('./commands/jobs/jobs.ts')).jobsPreempt,
  'jobs revive': async () => (await import('./commands/jobs/jobs.ts')).jobsRevive,
  'jobs rm': async () => (await import('./commands/jobs/jobs.ts')).jobsRm,
  'pipeline run': async () => (await import('./commands/jobs/pipeline.ts')).pipelineRun,
  'pipeline show': async () => (await import('./commands/jobs/pipeline.ts')).pipelineShow,
  'pipeline resume': async () => (await import('./commands/jobs/pipeline.ts')).pipelineResume,
  'pipeline graph': async () => (await import('./commands/jobs/pipeline.ts')).pipelineGraph,
  map: async () => (await import('./commands/jobs/map.ts')).map,
  'data add': async () => (await import('./commands/data/add.ts')).dataAdd,
  'data ls': async () => (await import('./commands/data/ls.ts')).dataLs,
  'data show': async () => (await import('./commands/data/show.ts')).dataShow,
  'data diff': async () => (await import('./commands/data/diff.ts')).dataDiff,
  'data head': async () => (await import('./commands/data/head.ts')).dataHead,
  'data rm': async () => (await import('./commands/data/rm.ts')).dataRm,
  'data profile': async () => (await import('./commands/data/profile.ts')).dataProfile,
  'data check': async () => (await import('./commands/data/check.ts')).dataCheck,
  'data suggest': async () => (await import('./commands/data/check.ts')).dataSuggest,
  'data split': async () => (await import('./commands/data/split.ts')).dataSplit,
  'data dedupe': async () => (await import('./commands/data/dedupe.ts')).dataDedupe,
  'data sample': async () => (await import('./commands/data/sample.ts')).dataSample,
  'queue ls': async () => (await import('./commands/jobs/queue.ts')).queueLs,
  'queue pause': async () => (await import('./commands/jobs/queue.ts')).queuePause,
  'queue drain': async () => (await import('./commands/jobs/queue.ts')).queueDrain,
  'queue open': async () => (await import('./commands/jobs/queue.ts')).queueOpen,
  'queue tenant': async () => (await import('./commands/jobs/queue.ts')).queueTenant,
  'queue tenants': async () => (await import('./commands/jobs/queue.ts')).queueTenants,
  'queue schedule ls': async () =>
    (await import('./commands/jobs/queue-schedule.ts')).queueScheduleLs,
  'queue schedule put': async () =>
    (await import('./commands/jobs/queue-schedule.ts')).queueSchedulePut,
  'queue schedule rm': async () =>
    (await import('./commands/jobs/queue-schedule.ts')).queueScheduleRm,
  worker: async () => (await import('./commands/jobs/worker.ts')).worker,
  'artifacts put': async () => (await import('./commands/jobs/artifacts.ts')).artifactsPut,
  'artifacts get': async () => (await import('./commands/jobs/artifacts.ts')).artifactsGet,
  'state export': async () => (await import('./commands/node/state.ts')).stateExport,
  'state import': async () => (await import('./commands/node/state.ts')).stateImport,
  'state move': async () => (await import('./commands/node/state.ts')).stateMove,
  train: async () => (await import('./commands/training/train.ts')).train,
  'runs ls': async () => (await import('./commands/training/runs.ts')).runsLs,
  'runs show': async () => (await import('./commands/training/runs.ts')).runsShow,
  'runs compare': async () => (await import('./commands/training/runs-compare.ts')).runsCompare,
  'runs rm': async () => (await import('./commands/training/runs.ts')).runsRm,
  'federate start': async () => (await import('./commands/federation/federate.ts')).federateStart,
  'federate invite': async () => (await import('./commands/federation/federate.ts')).federateInvite,
  'federate status': async () => (await import('./commands/federation/federate.ts')).federateStatus,
  'federate pause': async () => (await import('./commands/federation/federate.ts')).federatePause,
  'federate resume': async () => (await import('./commands/federation/federate.ts')).federateResume,
  'federate stop': async () => (await import('./commands/federation/federate.ts')).federateStop,
  'federate simulate': async () =>
    (await import('./commands/federation/federate-simulate.ts')).federateSimulate,
  'federate statistics': async () =>
    (await import('./commands/federation/federate-statistics.ts')).federateStatistics,
  'federate revoke': async () => (await import('./commands/federation/federate.ts')).federateRevoke,
  join: async () => (await import('./commands/federation/join.ts')).join,
  'helper key': async () => (await import('./commands/federation/helper.ts')).helperKey,
  'helper join': async () => (await import('./commands/federation/helper.ts')).helperJoin,
  'ledger export': async () => (await import('./commands/federation/ledger.ts')).ledgerExport,
  'ledger verify': async () => (await import('./commands/federation/ledger.ts')).ledgerVerify,
  privacy: async () => (await import('./commands/federation/privacy.ts')).privacy,
  'privacy audit': async () =>
    (await import('./commands/federation/privacy-audit.ts')).privacyAudit,
  'privacy canaries': async () =>
    (await import('./commands/federation/privacy-canaries.ts')).privacyCanaries,
  'privacy account': async () =>
    (await import('./commands/federation/privacy-account.ts')).privacyAccount,
  'privacy limit': async () =>
    (await import('./commands/federation/privacy-account.ts')).privacyLimit,
  'privacy close': async () =>
    (await import('./commands/federation/privacy-account.ts')).privacyClose,
  'privacy recount': async () =>
    (await import('./commands/federation/privacy-recount.ts')).privacyRecount,
  quantise: async () => (await import('./commands/edge/quantise.ts')).quantise,
  'edge keys': async () => (await import('./commands/edge/edge-keys.ts')).edgeKeys,
  'edge pack': async () => (await import('./commands/edge/edge-pack.ts')).edgePack,
  'edge verify': async () => (await import('./commands/edge/edge-verify.ts')).edgeVerify,
  'edge renew': async () => (await import('./commands/edge/edge-keys.ts')).edgeRenew,
  'edge invite': async () => (await import('./commands/edge/edge-devices.ts')).edgeInvite,
  'edge ls': async () => (await import('./commands/edge/edge-devices.ts')).edgeLs,
  'edge show': async () => (await import('./commands/edge/edge-devices.ts')).edgeShow,
  'edge rollout': async () => (await import('./commands/edge/edge-rollout.ts')).edgeRollout,
  'edge remove': async () => (await import('./commands/edge/edge-devices.ts')).edgeRemove,
  bench: async () => (await import('./commands/serving/bench.ts')).bench,
  doctor: async () => (await import('./commands/node/doctor.ts')).doctor,
  'keys create': async () => (await import('./commands/node/keys.ts')).keysCreate,
  'keys generate': async () => (await import('./commands/node/keys.ts')).keysGenerate,
  'keys ls': async () => (await import('./commands/node/keys.ts')).keysLs,
  'keys show': async () => (await import('./commands/node/keys.ts')).keysShow,
  'keys revoke': async () => (await import('./commands/node/keys.ts')).keysRevoke,
  audit: async () => (await import('./commands/node/audit.ts')).audit,
  'client generate': async () => (await import('./commands/client-generate.ts')).clientGenerate,
  completion: async () => (await import('./command-line/completion.ts')).completion,
  'fleet adopt': async () => (await import('./commands/node/fleet.ts')).fleetAdopt,
  version: async () => (await import('./commands/version.ts')).version,
  help: async () => (await import('./commands/help.ts')).help,
} as const;

export type CommandName = keyof typeof LOADERS;

export const COMMAND_NAMES = Object.keys(LOADERS) as readonly CommandName[];

export async function loadCommand(name: CommandName): Promise<AnyCommand> {
  return LOADERS[name]();
}

export async function loadCommands(): Promise<readonly AnyCommand[]> {
  return Promise.all(COMMAND_NAMES.map(loadCommand));
}

export interface Selection {
  /** Absent: no command was named, or only a group (`keys`, `queue schedule`). */
  readonly name?: CommandName | undefined;
  /** A group that was named without the word that follows. */
  readonly group?: string | undefined;
  readonly rest: readonly string[];
}

/** Splits the command's name off. Options before it are allowed when they take no value. */
export function selectCommand(argv: readonly string[]): Selection {
  const start = argv.findIndex((word) => !word.startsWith('-'));
  if (start < 0) return { rest: argv };
  const before = argv.slice(0, start);
  const first = argv[start] ?? '';
  let name = first;
  for (let next = start + 1; ; next++) {
    const known = wordsOf(name);
    const word = argv[next] ?? '';
    if (known.includes(word)) {
      name = `${name} ${word}`;
      continue;
    }
    const rest = [...before, ...argv.slice(next)];
    const found = COMMAND_NAMES.find((each) => each === name);
    if (found !== undefined) return { name: found, rest };
    if (known.length === 0) {
      throw usageError(`There is no command "${first}".${didYouMean(first, wordsOf(''))}`);
    }
    if (word === '' || word.startsWith('-')) return { group: name, rest };
    throw usageError(
      `"skein ${name}" has no command "${word}".${didYouMean(word, known)} It has: ${known.join(', ')}.`,
    );
  }
}

/** The subcommands of a group; none when it is not a group. Of '': the first words of all commands. */
function wordsOf(group: string): readonly string[] {
  const start = group === '' ? '' : `${group} `;
  const inside = COMMAND_NAMES.filter((name) => name.startsWith(start));
  return [...new Set(inside.map((name) => name.slice(start.length).split(' ')[0] ?? ''))];
}
