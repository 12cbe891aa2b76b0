/**
 * Ruby. It writes to its whole stack when it starts, so a stack as large as the memory limit would
 * leave no memory; calls of Ruby's own methods are kept on another stack, whose size a variable sets.
 */
import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.rb'];

/** A shell that gives Ruby a stack of 32 MiB, and its arguments. */
function withSmallStack(...args: readonly string[]): string[] {
  return ['sh', '-c', 'ulimit -S -s 32768 && exec ruby "$@"', 'ruby', ...args];
}

export const ruby: Language = {
  code: 'ruby',
  name: 'Ruby',
  extensions,
  toolchain: { probe: withSmallStack('--version'), debianPackage: 'ruby' },
  entry: mainFileEntry(extensions, ['main.rb']),
  compile: ({ entry }) => withSmallStack('-c', entry),
  run: ({ folder, entry }) => withSmallStack(`${folder}/${entry}`),
  env: { RUBY_THREAD_VM_STACK_SIZE: `${64 * 2 ** 20}` },
  pids: 32,
};
