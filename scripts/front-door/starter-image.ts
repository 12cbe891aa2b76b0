/**
 * Builds the Dockerfile of a new project and runs it. Its base image is in a registry of images, which no test asks: a
 * local image in its place has Debian, the same Node, the machine's npm and the user `node`.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const BASE = 'node:24-slim';
const BASE_FILE = `FROM skein-base
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && useradd --create-home node
`;

export interface StarterImage {
  /** The request that the node prints, for this machine. */
  readonly request: string;
  /** Ends the container, and removes the images. */
  remove(): void;
}

const docker = (...args: readonly string[]): string =>
  execFileSync('docker', args, {
    encoding: 'utf8',
    // The other builder is a plug-in, which Debian has apart.
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 300_000,
  }).trim();

/**
 * @param app a project that is installed, so that its lock file names the registry on loopback.
 * @param key a key of `skein keys generate`.
 */
export async function runStarterImage(
  root: string,
  app: string,
  key: string,
): Promise<StarterImage> {
  const id = `skein-front-door-${randomUUID().slice(0, 8)}`;
  const base = `${id}-base`;
  const place = mkdtempSync(join(tmpdir(), 'skein-starter-image-'));
  const remove = (): void => {
    for (const args of [
      ['rm', '--force', '--volumes', id],
      ['rmi', '--force', id, base],
    ]) {
      try {
        docker(...args);
      } catch {
        // It was not made.
      }
    }
    rmSync(place, { recursive: true, force: true });
  };
  try {
    buildBase(root, place, base);
    const text = readFileSync(join(app, 'Dockerfile'), 'utf8');
    if (!text.startsWith(`FROM ${BASE}\n`)) throw new Error(`The Dockerfile is not from ${BASE}.`);
    const file = join(place, 'Dockerfile');
    writeFileSync(file, text.replace(BASE, base));
    docker('build', '--quiet', '--network', 'host', '--tag', id, '--file', file, app);
    const publish = ['--publish', '127.0.0.1:0:4700', '--env', `SKEIN_ADMIN_KEY=${key}`];
    docker('run', '--detach', '--name', id, ...publish, id);
    const printed = await printedRequest(id);
    const port = docker('port', id, '4700/tcp').split(':').at(-1);
    const request = printed
      .replace(/127\.0\.0\.1:4700|0\.0\.0\.0:4700/, `127.0.0.1:${port}`)
      .replace(/^curl /, `curl -H 'Authorization: Bearer ${key}' `);
    return { request, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function buildBase(root: string, place: string, name: string): void {
  if (docker('image', 'ls', '--quiet', 'skein-base') === '') {
    execFileSync('bash', [join(root, 'deploy/container/base-image.sh')], { stdio: 'ignore' });
  }
  const context = join(place, 'base');
  mkdirSync(context);
  cpSync(realpathSync(join(root, 'node_modules/.bin/node')), join(context, 'node'));
  const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
  cpSync(dirname(dirname(realpathSync(npm))), join(context, 'npm'), { recursive: true });
  writeFileSync(join(context, 'Dockerfile'), BASE_FILE);
  docker('build', '--quiet', '--tag', name, context);
}

/** Waits until the container prints it. @throws Error when the container ends first. */
async function printedRequest(container: string): Promise<string> {
  for (;;) {
    const output = docker('logs', container);
    const line = /^\s*(curl .*)$/m.exec(output)?.[1];
    if (line !== undefined) return line;
    if (docker('inspect', '--format', '{{.State.Running}}', container) !== 'true') {
      throw new Error(`The container of the starter has ended:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
