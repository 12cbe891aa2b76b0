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

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const recentEnough = major > 22 || (major === 22 && minor >= 18);
if (!existsSync(node) && !recentEnough) {
  process.stderr.write(
    `No Node 24 for ${process.platform}-${process.arch} comes with the project, and this is Node ${process.versions.node}. Fix: install Node 24 or newer and run the command again.\n`,
  );
  process.exit(1);
}
