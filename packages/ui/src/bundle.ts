/**
 * Bundles a page for browsers: one script and one style sheet, with everything in them.
 *
 * A node that runs from source bundles a page when it is first asked for, so that its start does not
 * wait; `npm run packages` does it once, and an installed package needs no bundler.
 */
import { build, type Plugin } from 'esbuild';
import { fileURLToPath } from 'node:url';

export interface Bundle {
  readonly script: string;
  readonly style: string;
}

/** Browsers from 2024 on: what `light-dark()` in the theme needs. */
const TARGETS = ['chrome123', 'firefox120', 'safari17.5'];

/**
 * Modules of Node are empty in a page: code that runs anywhere may import a part that needs Node when
 * it is first used, which in a page is never.
 */
const withoutNode: Plugin = {
  name: 'without-node',
  setup(bundler) {
    bundler.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'node' }));
    bundler.onLoad({ filter: /./, namespace: 'node' }, () => ({ contents: '' }));
  },
};

/**
 * @param entry the first module of the page or worker; the style sheets that modules import become one.
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
    plugins: [withoutNode],
    write: false,
  });
  const textOf = (extension: string): string =>
    outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? '';
  return { script: textOf('.js'), style: textOf('.css') };
}
