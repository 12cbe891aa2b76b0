/**
 * The commands, in the order in which a person meets them. Each is loaded when it is run, so that
 * `skein version` does not pay for what `skein up` needs.
 */
import type { Command } from './command.ts';

/**
 * A command whose argument and option types are forgotten: the parser hands every command exactly
 * the values that its own specification makes, so forgetting is safe here and nowhere else.
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
  bench: async () => (await import('./commands/bench.ts')).bench,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  'keys create': async () => (await import('./commands/keys-create.ts')).keysCreate,
  'keys ls': async () => (await import('./commands/keys-ls.ts')).keysLs,
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
