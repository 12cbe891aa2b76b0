/**
 * Bundles a page for browsers: one script and one style sheet, with everything in them.
 *
 * A node that runs from source bundles a page when it is first asked for, so that its start does not
 * wait; `npm run packages` does it once, and an installed package needs no bundler.
 */
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

export interface Bundle {
  readonly script: string;
  readonly style: string;
}

/** Browsers from 2024 on: what `light-dark()` in the theme needs. */
const TARGETS = ['chrome123', 'firefox120', 'safari17.5'];

/**
 * @param entry the first module of the page; the style sheets that modules import become one.
 * @throws Error with the messages of the bundler.
 */
export async function bundlePage(entry: URL): Promise<Bundle> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    outdir: '/',
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    target: TARGETS,
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
    write: false,
  });
  const textOf = (extension: string): string =>
    outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? '';
  return { script: textOf('.js'), style: textOf('.css') };
}
