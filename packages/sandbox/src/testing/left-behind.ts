/**
 * A node that will be killed: opens the driver in argv, runs a command in it, and reports that it
 * runs.
 */
import { SANDBOXES, type SandboxName } from '@skein/api/implementations';
import { openDriver } from '../drivers.ts';

const [driver, mark = ''] = process.argv.slice(2);
const name = driver as SandboxName;
const trusted = !SANDBOXES[name].isolates;
const sandbox = await openDriver(name);
const session = await sandbox.open({
  mounts: [],
  limits: {
    wallMs: 600_000,
    memoryBytes: 1 << 26,
    pids: 20,
    outputBytes: 1000,
    fileBytes: 1000,
    diskBytes: trusted ? Infinity : 1 << 20,
  },
  network: trusted ? 'host' : 'none',
  untrusted: !trusted,
});
const command = session.start({
  argv: ['sh', '-c', `setsid sleep ${mark} & echo running; sleep ${mark}`],
  workspace: 'writable',
});
command.stdout.on('data', (chunk: Buffer) => process.stdout.write(chunk));
