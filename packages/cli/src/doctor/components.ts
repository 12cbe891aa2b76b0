/** Other programs that parts of Skein can use: Docker, bubblewrap, Chromium. */
import { existsSync } from 'node:fs';
import { broken, check, firstLine, missing, ok, tryProgram } from './check.ts';
import { asRoot, installCommand } from './system.ts';

export const checkDocker = check('Docker', false, async () => {
  const docker = await tryProgram('docker', ['version', '--format', '{{.Server.Version}}']);
  if (docker.code === 0) return ok(`Engine ${firstLine(docker.stdout)}`);
  if (docker.absent) {
    return missing('not installed; only jobs in containers need it', installCommand('docker'));
  }
  const reason = firstLine(docker.stderr);
  if (/permission denied/i.test(reason)) {
    return broken(
      'this user may not use it',
      `${asRoot('usermod -aG docker $USER')}, then log in again`,
    );
  }
  return broken(`installed, but its engine does not answer: ${reason}`, startDocker());
});

function startDocker(): string {
  if (process.platform !== 'linux') return 'Start Docker Desktop';
  // Where systemd is not the first process, as in a container, systemctl cannot start anything.
  return asRoot(
    existsSync('/run/systemd/system') ? 'systemctl start docker' : 'service docker start',
  );
}

export const checkBubblewrap = check('bubblewrap', false, async () => {
  if (process.platform !== 'linux') {
    return missing(`not on ${process.platform}; sandboxed jobs use Docker there`, 'Nothing to do');
  }
  const program = await tryProgram('bwrap', ['--version']);
  if (program.absent) {
    return missing('not installed; only sandboxed jobs need it', installCommand('bubblewrap'));
  }
  const trial = await tryProgram('bwrap', [
    '--unshare-all',
    '--ro-bind',
    '/',
    '/',
    '--dev',
    '/dev',
    'true',
  ]);
  if (trial.code === 0) return ok(`${firstLine(program.stdout)}, makes a sandbox`);
  return broken(
    `installed, but makes no sandbox: ${firstLine(trial.stderr)}`,
    asRoot(
      'sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0',
    ),
  );
});

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

export const checkChromium = check('Chromium', false, async ({ env }) => {
  const named = env['CHROMIUM_PATH'];
  for (const program of named === undefined ? BROWSERS : [named]) {
    const browser = await tryProgram(program, ['--version']);
    if (browser.code === 0) return ok(firstLine(browser.stdout));
  }
  return missing('not found; only the project’s own tests need it', installCommand('chromium'));
});
