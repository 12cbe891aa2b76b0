/**
 * The /etc of a guest that runs the host's programs: copies of the settings that programs need,
 * made once per driver. The host's own /etc also has secrets.
 */
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const NEEDED =
  /^(alternatives|fonts|java.*|jvm.*|ld\.so\..*|localtime|locale\.alias|magic|mime\.types|os-release|perl|protocols|python\d.*|services|ssl|terminfo)$/;
/** Parts of /etc/ssl, which also has private keys. */
const NEEDED_SSL = ['ssl/certs', 'ssl/openssl.cnf'];

/** The unprivileged user of Unix, which a guest runs as. */
const UNPRIVILEGED = 'nobody';

const WRITTEN = {
  passwd: `root:x:0:0:root:/:/sbin/nologin\n${UNPRIVILEGED}:x:65534:65534:${UNPRIVILEGED}:/tmp:/bin/sh\n`,
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
} as const;

/** Makes the folder `into`. A guest does not get files that this process may not read. */
export function copySettings(into: string): void {
  mkdirSync(into, { mode: 0o755 });
  const paths = readdirSync('/etc')
    .filter((name) => NEEDED.test(name))
    .flatMap((name) => (name === 'ssl' ? NEEDED_SSL : [name]));
  for (const path of paths) {
    try {
      mkdirSync(dirname(`${into}/${path}`), { recursive: true });
      cpSync(`/etc/${path}`, `${into}/${path}`, { recursive: true, verbatimSymlinks: true });
    } catch {
      // Missing, or not readable for this process.
    }
  }
  for (const [name, text] of Object.entries(WRITTEN)) writeFileSync(`${into}/${name}`, text);
}
