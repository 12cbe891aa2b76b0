/**
 * A registry on loopback with every package of this project as it would be published; the packages of
 * others come through it from the registry of npm's own configuration.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface Registry {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param root of the repository, with its tarballs in `dist/tarballs`.
 * @param folder an empty one; the registry keeps its packages there.
 */
export async function openRegistry(root: string, folder: string): Promise<Registry> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const outside = execFileSync('npm', ['config', 'get', 'registry'], {
    cwd: root,
    encoding: 'utf8',
  });
  const config = join(folder, 'registry.yaml');
  // JSON is YAML too.
  writeFileSync(config, JSON.stringify(configOf(join(folder, 'storage'), outside.trim())));
  const server = spawn(
    process.execPath,
    [join(root, 'node_modules/verdaccio/bin/verdaccio'), '--config', config, '--listen', url],
    {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
      // It complains about root, which a machine of CI is.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    },
  );
  const registry = { url, close: () => end(server) };
  try {
    await answers(`${url}-/ping`, server);
    await publishAll(root, folder, url);
    await fetchForeign(root, url);
  } catch (error) {
    await registry.close();
    throw error;
  }
  return registry;
}

/** Packages of this project are never sought elsewhere: a stranger may have taken a name there. */
function configOf(storage: string, outside: string): object {
  const own = { access: '$all', publish: '$all' };
  return {
    storage,
    // By default two slow answers close the way outside for five minutes, and every package is missing.
    uplinks: {
      outside: { url: outside, maxage: '60m', timeout: '2m', max_fails: 100, fail_timeout: '1s' },
    },
    packages: {
      '@skein/*': own,
      skein: own,
      'create-skein': own,
      '**': { access: '$all', proxy: 'outside' },
    },
    max_body_size: '200mb',
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
  };
}

/**
 * Fetches what `skein` depends on from outside: Verdaccio answers 404 for a package whose address outside does not
 * answer in time, and npm does not repeat such a request.
 */
async function fetchForeign(root: string, url: string): Promise<void> {
  const { dependencies } = JSON.parse(
    readFileSync(join(root, 'dist/skein/package.json'), 'utf8'),
  ) as { dependencies: Readonly<Record<string, string>> };
  const waiting = Object.keys(dependencies).filter((name) => !name.startsWith('@skein/'));
  const fetchNext = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      await fetchPackage(`${url}${next.replace('/', '%2f')}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, fetchNext));
}

async function fetchPackage(address: string): Promise<void> {
  for (let left = 10; ; left--) {
    const response = await fetch(address);
    const text = await response.text();
    if (response.ok) return;
    if (left === 1) throw new Error(`${address} answers ${response.status}: ${text}`);
    // Longer than `fail_timeout`.
    await pause(2000);
  }
}

async function publishAll(root: string, folder: string, url: string): Promise<void> {
  const home = join(folder, 'publisher');
  mkdirSync(home);
  // npm wants a token, and this registry asks for none.
  const token = `--${url.replace(/^http:/, '')}:_authToken=none`;
  const npm = (...args: readonly string[]) =>
    promisify(execFile)('npm', [...args, `--registry=${url}`, token], { cwd: home });
  const waiting = [...tarballsOf(root), ...absentPlatforms(root, home)];
  const publish = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      await rehearse(next, npm);
      await npm('publish', next, '--provenance=false', '--loglevel=error');
    }
  };
  await Promise.all(Array.from({ length: 4 }, publish));
}

/**
 * Folders of empty packages for the optional ones that only a release packs: `npm ci` refuses a lock file without them.
 */
function absentPlatforms(root: string, folder: string): readonly string[] {
  const { version, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'dist/skein/package.json'), 'utf8'),
  ) as { version: string; optionalDependencies: Readonly<Record<string, string>> };
  const packed = new Set(tarballsOf(root).map((file) => basename(file)));
  return Object.keys(optionalDependencies).flatMap((name) => {
    if (packed.has(`${name.replace('@', '').replace('/', '-')}-${version}.tgz`)) return [];
    const [, os, cpu] = /-(linux|win|darwin)-(\w+)$/.exec(name)!;
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    const manifest = { name, version, os: [os === 'win' ? 'win32' : os], cpu: [cpu] };
    writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
    return [place];
  });
}

/** Publishes nothing. @throws Error where npm would change the package's metadata, or refuses it. */
async function rehearse(
  tarball: string,
  npm: (...args: readonly string[]) => Promise<{ stderr: string }>,
): Promise<void> {
  const { stderr } = await npm('publish', tarball, '--dry-run', '--loglevel=warn');
  if (stderr !== '') throw new Error(`npm publish --dry-run ${tarball} warns:\n${stderr}`);
}

/** Every package of a release. */
export const tarballsOf = (root: string): readonly string[] =>
  globSync('dist/tarballs/**/*.tgz', { cwd: root }).map((file) => join(root, file));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Asks until the registry answers. @throws Error when its process ends first. */
async function answers(url: string, server: ChildProcess): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`The registry ended with ${server.exitCode}.`);
    const isThere = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
