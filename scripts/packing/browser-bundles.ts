/**
 * Bundles for pages what pages use of each package, with esbuild and with Vite, as users do: a module of
 * Node that such code imports is an error of the one and a warning of the other.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';
import { build, createLogger, type LogOptions } from 'vite';

/** Entry points that work in a page, by package. */
const FOR_PAGES: Readonly<Record<string, readonly string[]>> = {
  api: ['.', './client', './errors', './units'],
  edge: ['.', './page', './publish'],
  federation: ['.', './site'],
  onnx: ['.', './element-type', './numbers', './tensor'],
  runtime: ['./contract', './wasm', './web-session'],
  train: ['.', './federated', './secure-aggregation', './wasm'],
  ui: ['.'],
};

/**
 * @param project a folder in which the package is installed.
 * @throws Error with every error and warning of a bundler.
 */
export async function checkBrowserBundles(name: string, project: string): Promise<void> {
  const imports = (FOR_PAGES[name] ?? []).map(
    (path, i) => `import * as part${i} from '${join('@skein', name, path)}';\nprint(part${i});\n`,
  );
  if (imports.length === 0) return;
  const page = join(project, 'page');
  mkdirSync(page);
  const script = `const print = (part: object) => console.log(part);\n${imports.join('')}`;
  writeFileSync(join(page, 'main.ts'), script);
  writeFileSync(join(page, 'index.html'), '<script type="module" src="./main.ts"></script>');
  const complaints = [...(await complaintsOfEsbuild(page)), ...(await complaintsOfVite(page))];
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

async function complaintsOfEsbuild(page: string): Promise<readonly string[]> {
  const messages = await bundle({
    entryPoints: [join(page, 'main.ts')],
    outdir: '/',
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
    write: false,
  }).then(
    ({ warnings }) => warnings,
    (error: { readonly errors: readonly { text: string; location: { file: string } | null }[] }) =>
      error.errors,
  );
  return messages.map(({ text, location }) => `esbuild: ${text} (${location?.file ?? page})`);
}

async function complaintsOfVite(page: string): Promise<readonly string[]> {
  const complaints: string[] = [];
  const collect = (message: string, _options?: LogOptions) => {
    complaints.push(`vite: ${message}`);
  };
  await build({
    root: page,
    configFile: false,
    logLevel: 'warn',
    customLogger: { ...createLogger('silent'), warn: collect, warnOnce: collect, error: collect },
    // Whole libraries in one script, which is not what is checked here.
    build: { write: false, chunkSizeWarningLimit: 100_000 },
  }).catch((error: unknown) => collect(String(error)));
  return complaints;
}
