/**
 * The commands, in the order in which a new user needs them. Each is loaded when it is run, so that
 * `skein version` does not load the code of `skein up`.
 */
import type { Command } from './command.ts';

/**
 * A command with erased argument and option types: the parser passes to every command exactly the
 * values of its own specification, so the erasure is safe here and nowhere else.
 */
export type AnyCommand = Command;

const LOADERS = {
  up: async () => (await import('./commands/up.ts')).up,
  deploy: async () => (await import('./commands/deploy.ts')).deploy,
  undeploy: async () => (await import('./commands/undeploy.ts')).undeploy,
  ls: async () => (await import('./commands/ls.ts')).ls,
  show: async () => (await import('./commands/show.ts')).show,
  infer: async () => (await import('./commands/infer.ts')).infer,
  rollout: async () => (await import('./commands/rollout.ts')).rollout,
  rollback: async () => (await import('./commands/rollback.ts')).rollback,
  run: async () => (await import('./commands/run.ts')).run,
  'jobs ls': async () => (await import('./commands/jobs-ls.ts')).jobsLs,
  'jobs show': async () => (await import('./commands/jobs-show.ts')).jobsShow,
  'jobs logs': async () => (await import('./commands/jobs-logs.ts')).jobsLogs,
  'jobs cancel': async () => (await import('./commands/jobs-cancel.ts')).jobsCancel,
  'jobs retry': async () => (await import('./commands/jobs-retry.ts')).jobsRetry,
  'jobs preempt': async () => (await import('./commands/jobs-preempt.ts')).jobsPreempt,
  'jobs revive': async () => (await import('./commands/jobs-revive.ts')).jobsRevive,
  'pipeline run': async () => (await import('./commands/pipeline-run.ts')).pipelineRun,
  'pipeline show': async () => (await import('./commands/pipeline-show.ts')).pipelineShow,
  'pipeline resume': async () => (await import('./commands/pipeline-resume.ts')).pipelineResume,
  'pipeline graph': async () => (await import('./commands/pipeline-graph.ts')).pipelineGraph,
  map: async () => (await import('./commands/map.ts')).map,
  'queue ls': async () => (await import('./commands/queue-ls.ts')).queueLs,
  'queue pause': async () => (await import('./commands/queue-pause.ts')).queuePause,
  'queue drain': async () => (await import('./commands/queue-drain.ts')).queueDrain,
  'queue open': async () => (await import('./commands/queue-open.ts')).queueOpen,
  'queue tenant': async () => (await import('./commands/queue-tenant.ts')).queueTenant,
  'queue schedule ls': async () =>
    (await import('./commands/queue-schedule-ls.ts')).queueScheduleLs,
  'queue schedule put': async () =>
    (await import('./commands/queue-schedule-put.ts')).queueSchedulePut,
  'queue schedule rm': async () =>
    (await import('./commands/queue-schedule-rm.ts')).queueScheduleRm,
  worker: async () => (await import('./commands/worker.ts')).worker,
  'artifacts put': async () => (await import('./commands/artifacts-put.ts')).artifactsPut,
  'artifacts get': async () => (await import('./commands/artifacts-get.ts')).artifactsGet,
  train: async () => (await import('./commands/train.ts')).train,
  'runs ls': async () => (await import('./commands/runs-ls.ts')).runsLs,
  'runs show': async () => (await import('./commands/runs-show.ts')).runsShow,
  'runs compare': async () => (await import('./commands/runs-compare.ts')).runsCompare,
  bench: async () => (await import('./commands/bench.ts')).bench,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  'keys create': async () => (await import('./commands/keys-create.ts')).keysCreate,
  'keys ls': async () => (await import('./commands/keys-ls.ts')).keysLs,
  'keys show': async () => (await import('./commands/keys-show.ts')).keysShow,
  'keys revoke': async () => (await import('./commands/keys-revoke.ts')).keysRevoke,
  'client generate': async () => (await import('./commands/client-generate.ts')).clientGenerate,
  completion: async () => (await import('./commands/completion.ts')).completion,
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
