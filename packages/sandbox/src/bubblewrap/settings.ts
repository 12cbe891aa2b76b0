/**
 * The /etc of a guest that runs the host's programs: copies of the settings that programs need,
 * made once per driver. The host's own /etc also has secrets.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

const NEEDED =
  /^(alternatives|fonts|java.*|jvm.*|ld\.so\..*|localtime|locale\.alias|magic|mime\.types|os-release|perl|protocols|python\d.*|services|terminfo)$/;
/** Parts of /etc/ssl, which also has private keys. */
const NEEDED_SSL = ['certs', 'openssl.cnf'];

/** The unprivileged user of Unix, which a guest runs as. */
const UNPRIVILEGED = 'nobody';

const WRITTEN = {
  passwd: `root:x:0:0:root:/:/sbin/nologin\n${UNPRIVILEGED}:x:65534:65534:${UNPRIVILEGED}:/tmp:/bin/sh\n`,
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
} as const;

/** Makes the folder `into`. A guest does not get files that this process may not read. */
export async function copySettings(into: string): Promise<void> {
  mkdirSync(`${into}/ssl`, { recursive: true, mode: 0o755 });
  const needed = readdirSync('/etc').filter((name) => NEEDED.test(name));
  await Promise.all([copy('/etc', needed, into), copy('/etc/ssl', NEEDED_SSL, `${into}/ssl`)]);
  for (const [name, text] of Object.entries(WRITTEN)) writeFileSync(`${into}/${name}`, text);
}

/** By a program of its own: Node would block the event loop for hundreds of files of certificates. */
async function copy(from: string, names: readonly string[], into: string): Promise<void> {
  if (names.length === 0) return;
  const paths = names.map((name) => `${from}/${name}`);
  // Files that are missing or cannot be read are left out; the rest is copied.
  await run('cp', ['-R', '-P', '--', ...paths, into]).catch(() => undefined);
}
