// Installs the project's dependencies when they are missing or older than the lock file, so that
// `npm start` and `npm test` work on a fresh clone. Plain JavaScript: it runs on the machine's own
// Node before the project's private Node 24 exists.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.package-lock.json');
const lock = join(root, 'package-lock.json');
const node = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const recentEnough = major > 22 || (major === 22 && minor >= 18);
// The platforms of optionalDependencies in package.json: Node 24 comes with the project there.
const bringsNode = ['linux-x64', 'linux-arm64', 'win32-x64'];
const platform = `${process.platform}-${process.arch}`;
if (!recentEnough && !bringsNode.includes(platform)) {
  process.stderr.write(
    `No Node 24 for ${platform} comes with the project, and this is Node ${process.versions.node}. Fix: install Node 24 or newer and run the command again.\n`,
  );
  process.exit(1);
}

const installed = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;
if (!installed) {
  process.stderr.write('Installing dependencies (once, about 20 seconds) …\n');
  // ONNX Runtime's CPU library is inside its package; its install script would only fetch CUDA.
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error', '--no-progress'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) {
    process.stderr.write(
      `npm ci failed (exit ${npm.status ?? npm.signal}). Fix: check the network and that this folder is writable, then run the command again.\n`,
    );
    process.exit(1);
  }
}

if (!existsSync(node) && !recentEnough) {
  process.stderr.write(
    `The project's own Node 24 was not installed (does npm omit optional dependencies?). Fix: run npm ci --ignore-scripts --include=optional, then run the command again.\n`,
  );
  process.exit(1);
}
