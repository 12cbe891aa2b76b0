/**
 * A problem statement for a page: Markdown becomes HTML that carries no script, LaTeX stays text, PDF
 * stays a file.
 *
 * A thread renders the Markdown: formulas and brackets of 64 KiB take seconds, in which the judge
 * would answer no request.
 */
import { SkeinError } from '@skein/api';
import { startOnDemand, startThread } from '@skein/calls';
import { openPackageFolder } from '../package/archive/package-folder.ts';
import type { Problem, Statement } from '../package/problem.ts';
import type { StatementCalls } from './statement-worker.ts';

export type RenderedStatement =
  | { readonly format: 'html'; readonly html: string }
  | { readonly format: 'tex'; readonly text: string }
  /** Path in the package. */
  | { readonly format: 'pdf'; readonly path: string };

/** Makes the address under which a page finds a file of the package. */
export type AssetAddress = (path: string) => string;

const IMAGE = /\.(?:png|jpe?g|svg)$/i;
/** Idle it keeps no process alive. */
const renderer = startOnDemand(() =>
  startThread<StatementCalls>(new URL('./statement-worker.ts', import.meta.url), {
    name: 'skein-statements',
    errors: [SkeinError],
    env: {},
  }),
);

/** @throws SkeinError PROBLEM_INVALID when the statement is too long. */
export async function renderStatement(
  problem: Problem,
  statement: Statement,
  asset: AssetAddress,
): Promise<RenderedStatement> {
  if (statement.format === 'pdf') return { format: 'pdf', path: statement.path };
  const folder = await openPackageFolder(problem.folder);
  const text = await folder.readText(statement.path);
  if (statement.format === 'tex') return { format: 'tex', text };
  const at = statement.path.slice(0, statement.path.lastIndexOf('/'));
  const images = folder
    .under(at)
    .filter(({ path }) => IMAGE.test(path))
    .map(({ path }) => [path.slice(at.length + 1), asset(path)] as const);
  const { path: file } = statement;
  const job = { file, text, constants: problem.constants, images: new Map(images) };
  return { format: 'html', html: await renderer.get().call('show', job) };
}
