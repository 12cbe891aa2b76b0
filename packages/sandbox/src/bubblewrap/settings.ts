/**
 * The /etc of a guest that runs the host's programs: copies of the settings that programs need,
 * made once per driver. The host's own /etc has secrets beside them.
 */
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const NEEDED =
  /^(alternatives|fonts|java.*|jvm.*|ld\.so\..*|localtime|locale\.alias|magic|mime\.types|os-release|perl|protocols|python\d.*|services|ssl|terminfo)$/;
/** Of /etc/ssl, where private keys lie too. */
const NEEDED_SSL = ['ssl/certs', 'ssl/openssl.cnf'];

const WRITTEN = {
  passwd: 'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
} as const;

/** Makes the folder `into`. What this process may not read, a guest does not get. */
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
      // Missing, or not ours to read.
    }
  }
  for (const [name, text] of Object.entries(WRITTEN)) writeFileSync(`${into}/${name}`, text);
}
