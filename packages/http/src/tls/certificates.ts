/**
 * The certificate of both faces, reloaded when its files change.
 *
 * The files are read every few seconds, soon after their folder changes, and on SIGHUP. The watch
 * alone is not enough: a mounted secret changes by a symbolic link in a parent folder, and some
 * file systems report no changes. New contents are used only if they pass every check. Otherwise
 * the old ones stay, and the log has the reason once per contents. Open connections keep their
 * certificate.
 */
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { labelled, type Exposition } from '../exposition.ts';
import type { GatewayLogger } from '../fault.ts';
import { checkTls, digestOf, readTlsFiles, type TlsFiles, type TlsMaterial } from './material.ts';

export interface Certificates {
  readonly current: TlsMaterial;
  /** Whether clients must present a certificate. */
  readonly mutual: boolean;
  /** Calls back with each new context. @returns stops it. */
  onChange(use: (context: SecureContextOptions) => void): () => void;
  /** Reads the files now; resolves when their contents are in use or rejected. */
  reload(): Promise<void>;
  expose(into: Exposition): void;
  close(): void;
}

/** Interval between two reads of the files, in milliseconds: three small reads. */
const LOOK_EVERY_MS = 5000;
/** Delay after a change of a folder, in milliseconds: certificate and key are written one after the other. */
const SETTLE_MS = 100;

/** @throws SkeinError FILE_UNREADABLE, TLS_INVALID. */
export async function openCertificates(
  files: TlsFiles,
  logger: Pick<GatewayLogger, 'warn'>,
): Promise<Certificates> {
  const first = await readTlsFiles(files);
  let current = checkTls(first, Date.now());
  /** Digest of the contents that were read last, used or rejected. */
  let seen = digestOf(first);
  let looking = Promise.resolve();
  const results = { loaded: 0, refused: 0 };
  const users = new Set<(context: SecureContextOptions) => void>();

  async function look(): Promise<void> {
    try {
      const contents = await readTlsFiles(files);
      const digest = digestOf(contents);
      if (digest === seen) return;
      seen = digest;
      current = checkTls(contents, Date.now());
      for (const use of users) use(current.context);
      results.loaded += 1;
      const expires = current.expiresAt.toISOString();
      logger.warn({ expires }, 'A new TLS certificate is served to new connections.');
    } catch (error) {
      const reason = (error as Error).message;
      if (seen === reason) return;
      // A file that cannot be read has no digest; its reason is logged once as well.
      if ((error as { code?: string }).code === 'FILE_UNREADABLE') seen = reason;
      results.refused += 1;
      logger.warn({ reason }, 'The new TLS files cannot be served; the old certificate stays.');
    }
  }
  const reload = (): Promise<void> => (looking = looking.then(look));
  const startReload = (): void => void reload();

  const poll = setInterval(startReload, LOOK_EVERY_MS);
  poll.unref();
  let settling: NodeJS.Timeout | undefined;
  const watchers = watchFolders(files, () => {
    clearTimeout(settling);
    settling = setTimeout(startReload, SETTLE_MS);
    settling.unref();
  });
  process.on('SIGHUP', startReload);

  return {
    get current() {
      return current;
    },
    mutual: files.clientAuthorities !== undefined,
    onChange(use) {
      users.add(use);
      return () => users.delete(use);
    },
    reload,
    expose(into) {
      into.family(
        'skein_tls_certificate_expiry_seconds',
        'gauge',
        'When the certificate that is served expires, in seconds since 1970.',
      );
      into.sample('', current.expiresAt.getTime() / 1000);
      into.family('skein_tls_reloads_total', 'counter', 'Changes of the TLS files, by result.');
      for (const [result, count] of Object.entries(results)) {
        into.sample(labelled({ result }), count);
      }
    },
    close() {
      process.off('SIGHUP', startReload);
      clearInterval(poll);
      clearTimeout(settling);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** If a folder cannot be watched, the interval remains. */
function watchFolders(files: TlsFiles, onChange: () => void): FSWatcher[] {
  const paths = Object.values(files).filter((path) => path !== undefined);
  return [...new Set(paths.map((path) => dirname(path)))].flatMap((folder) => {
    try {
      const watcher = watch(folder, { persistent: false }, onChange);
      watcher.on('error', () => watcher.close());
      return [watcher];
    } catch {
      return [];
    }
  });
}
