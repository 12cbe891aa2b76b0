import { GUEST_NODE, type Language } from './language.ts';
import { moduleEntry } from './modules.ts';

const extensions = ['.js', '.mjs', '.cjs'];

export const javascript: Language = {
  code: 'javascript',
  name: 'JavaScript',
  extensions,
  toolchain: { probe: [GUEST_NODE, '--version'], debianPackage: 'nodejs' },
  entry: moduleEntry(extensions),
  compile: ({ entry }) => [GUEST_NODE, '--check', entry],
  run: (place) => runNode(place, place.entry),
  pids: 64,
  grammar: 'javascript',
};

/** V8 may use all of the memory limit, so that what exceeds it is seen by the kernel. */
export function runNode(
  { folder, memoryBytes, stackBytes }: Parameters<Language['run']>[0],
  file: string,
): string[] {
  const heap = `--max-old-space-size=${Math.floor(memoryBytes / 2 ** 20)}`;
  // V8 checks its own bound, in KiB; it must stay below the stack that the process has.
  const stack = stackBytes === undefined ? [] : [`--stack-size=${Math.floor(stackBytes / 2048)}`];
  return [GUEST_NODE, heap, ...stack, `${folder}/${file}`];
}
