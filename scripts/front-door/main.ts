/**
 * Follows the installation guide as a new user does, with what a release would publish: `npx skein`,
 * `npm install`, `npm install --global` and `npm create skein`, each from an empty folder with an empty home.
 *
 *     node scripts/front-door/main.ts
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { absentFiles } from './named-files.ts';
import { requireComponent } from '../testing/components.ts';
import { openRegistry, tarballsOf } from './registry.ts';
import { runStarterImage } from './starter-image.ts';
import { createUser, type User } from './user.ts';

const root = dirname(dirname(import.meta.dirname));
const place = mkdtempSync(join(tmpdir(), 'skein-front-door-'));
const UP = 'up --example ocr --port 0 --grpc-port 0';
/** The first line of the picture that the example reads. */
const ANSWER = /Try it[\s\S]*│ INVOICE/;

/** A busy machine of CI may miss the objective; this is no test of speed. */
const PATIENT = "-H 'Skein-Timeout-Ms: 30000'";

/** Imports every entry point of the packages in the tarball, with what the user has installed. */
const LOAD_ALL = `
import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
for (const file of globSync("node_modules/skein/node_modules/{*,@*/*}/package.json")) {
  const { name, exports, main } = JSON.parse(readFileSync(file, "utf8"));
  if (name === "@skein/shared") continue;
  const entries = exports === undefined ? ["."] : Object.keys(exports);
  const { resolve } = createRequire(process.cwd() + "/node_modules/skein/node_modules/x");
  for (const entry of entries) {
    const specifier = name + entry.slice(1);
    const path = resolve(specifier);
    if (/\\.m?js$/.test(path)) await import(path).catch((error) => { throw new Error(specifier, { cause: error }); });
  }
}
process.exit();`;

async function step(name: string, check: () => unknown): Promise<void> {
  const begun = performance.now();
  await check();
  console.log(`ok: ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
}

/** The request that a command has printed, as it is printed. */
async function requestWorks(user: User, output: string, answer: RegExp): Promise<void> {
  const line = /^\s*(curl .*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`No request is printed:\n${output}`);
  const body = user.run(line.replace(/^curl/, `curl ${PATIENT}`));
  if (!answer.test(body)) throw new Error(`${line} answers ${body}`);
}

if (tarballsOf(root).length === 0) {
  console.error('No packages are in dist/tarballs. Fix: npm run pack, then run the command again.');
  process.exit(1);
}
try {
  const registry = await openRegistry(root, place);
  const user = createUser(place, registry.url);
  try {
    await step(`npx skein ${UP}`, async () => {
      const node = await user.start(`npx skein ${UP}`, ANSWER);
      await requestWorks(user, node.output, /INVOICE/);
      await node.end();
    });
    console.log(`    downloaded: ${(user.downloaded() / 1e6).toFixed(1)} MB`);

    await step('npm install skein', async () => {
      user.run('npm install --prefer-offline skein');
      const version = user.run('npx skein version');
      const { version: expected } = JSON.parse(
        readFileSync(join(root, 'package.json'), 'utf8'),
      ) as { version: string };
      if (!version.includes(expected)) throw new Error(`npx skein version prints ${version}`);
    });

    await step('every module in the package skein', () => {
      user.run(`node_modules/.bin/node --input-type=module --eval '${LOAD_ALL}'`);
    });

    await step('every file that a module in the package skein names', () => {
      const absent = absentFiles(join(user.folder, 'node_modules/skein/node_modules/@skein'));
      if (absent.length > 0) throw new Error(`Absent from the package:\n${absent.join('\n')}`);
    });

    await step('npm install --global skein', async () => {
      const prefix = join(place, 'global');
      user.run(`npm install --prefer-offline --global --prefix ${prefix} skein`);
      const node = await user.start(`${join(prefix, 'bin/skein')} ${UP} --data other`, ANSWER);
      await node.end();
    });

    await step('npm create skein@latest my-app', async () => {
      const app = join(user.folder, 'my-app');
      user.run('npm create skein@latest my-app');
      user.run('npm install --prefer-offline', app);
      user.run('npm run check', app);
      user.run('npm test', app);
      const node = await user.start('npm start', /^ {2}curl /m, app);
      await requestWorks(user, node.output, /"high"|"low"/);
      await node.end();
    });

    if (!requireComponent('docker').skip) {
      await step('docker build and docker run of my-app', async () => {
        const app = join(user.folder, 'my-app');
        const key = user.run('npx skein keys generate', app).trim();
        const image = await runStarterImage(root, app, key);
        try {
          await requestWorks(user, image.request, /"high"|"low"/);
        } finally {
          image.remove();
        }
      });
    }
  } finally {
    user.close();
    await registry.close();
  }
} finally {
  rmSync(place, { recursive: true, force: true });
}
