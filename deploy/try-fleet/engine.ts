/** The container engine, by its command line, which podman and Docker share. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type EngineName = 'podman' | 'docker';

export interface Engine extends Disposable {
  /** Runs a command of the engine, and resolves with its output. @throws Error with its error output. */
  (...words: readonly string[]): Promise<string>;
}

/** Podman asks for more open files than a container around it may have, and runs best with runc here. */
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=4096:4096"]
[engine]
runtime = "runc"
`;

export function openEngine(name: EngineName): Engine {
  const folder = mkdtempSync(join(tmpdir(), 'skein-engine-'));
  const settings = join(folder, 'containers.conf');
  writeFileSync(settings, CONTAINERS_CONF);
  const env = {
    ...process.env,
    CONTAINERS_CONF_OVERRIDE: settings,
    PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
  };
  const call = async (...words: readonly string[]): Promise<string> =>
    (await run(name, words, { env, maxBuffer: 2 ** 26 })).stdout.trim();
  return Object.assign(call, {
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  });
}

/** Returns the name of the image. */
export async function buildImage(engine: EngineName, tag = 'skein'): Promise<string> {
  const script = join(import.meta.dirname, '../container/build.sh');
  await run('bash', [script, '--engine', engine, '--tag', tag], { maxBuffer: 2 ** 26 });
  return tag;
}
