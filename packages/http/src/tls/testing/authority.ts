/** Certificates for tests, created by OpenSSL in a folder that is removed after the test. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Paths of PEM files. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Issued {
  /** PEM of its certificate. */
  readonly pem: Buffer;
  /** A certificate for `localhost` and 127.0.0.1, or for `san`, valid for a day or until `ends`. */
  issue(name: string, options?: { readonly san?: string; readonly ends?: string }): Issued;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export function createAuthority(folder: string, name: string): Authority {
  const make = (of: string, ...args: string[]): Issued => {
    const certificate = join(folder, `${of}.pem`);
    const key = join(folder, `${of}.key`);
    const subject = ['-subj', `/CN=${of}`];
    const out = ['-keyout', key, '-out', certificate];
    execFileSync('openssl', ['req', '-x509', ...KEY, ...subject, ...out, ...args], {
      stdio: 'pipe',
    });
    return { certificate, key };
  };
  const own = make(name, '-days', '2', '-addext', 'keyUsage=critical,keyCertSign');
  return {
    ...own,
    pem: readFileSync(own.certificate),
    issue: (of, { san = 'DNS:localhost,IP:127.0.0.1', ends } = {}) =>
      make(
        `${name}-${of}`,
        '-CA',
        own.certificate,
        '-CAkey',
        own.key,
        '-addext',
        `subjectAltName=${san}`,
        '-addext',
        'basicConstraints=critical,CA:FALSE',
        ...(ends === undefined
          ? ['-days', '1']
          : ['-not_before', '20200101000000Z', '-not_after', ends]),
      ),
  };
}

/** Writes the files one after another into the place where a node reads them, as an operator would. */
export function install(from: Issued, to: Issued): void {
  cpSync(from.certificate, to.certificate);
  cpSync(from.key, to.key);
}
