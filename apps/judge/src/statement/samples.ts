/** The samples of a problem as its page shows them ("Displayed test cases"). */
import { openPackageFolder } from '../package/archive/package-folder.ts';
import type { Problem } from '../package/problem.ts';

export type Sample =
  | { readonly name: string; readonly input: string; readonly output: string }
  /** Lines that begin with `<` (to the submission) and `>` (from it); `---` between passes. */
  | { readonly name: string; readonly interaction: string };

const MAX_SHOWN_BYTES = 65_536;

export async function samplesOf(problem: Problem): Promise<Sample[]> {
  const folder = await openPackageFolder(problem.folder);
  const conversational = problem.type.interactive || problem.type.multiPass;
  const bases = new Set(
    folder
      .under('data/sample')
      .flatMap((entry) => /^(.*)\.(?:in|interaction)$/.exec(entry.path)?.[1] ?? []),
  );
  const show = async (paths: readonly string[]): Promise<string> => {
    const path = paths.find((one) => folder.has(one));
    if (path === undefined) return '';
    const size = folder.find(path)?.sizeBytes ?? 0;
    if (size > MAX_SHOWN_BYTES) return `(${size} bytes; too long to show)`;
    // Samples may hold any bytes.
    return new TextDecoder().decode(await folder.read(path));
  };
  return Promise.all(
    [...bases].sort().map(async (base): Promise<Sample> => {
      const name = base.slice('data/'.length);
      if (conversational && folder.has(`${base}.interaction`)) {
        return { name, interaction: await show([`${base}.interaction`]) };
      }
      // The messages between a legacy interactive problem and its validator are not for
      // contestants.
      if (problem.type.interactive && problem.version === 'legacy')
        return { name, interaction: '' };
      return {
        name,
        input: await show([`${base}.in.statement`, `${base}.in`]),
        output: await show([`${base}.ans.statement`, `${base}.out`, `${base}.ans`]),
      };
    }),
  );
}
