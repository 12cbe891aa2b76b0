/**
 * The service in a data folder: `versions/` and the label, `audit/` and its key, `state.sqlite`. Replicas have a
 * folder each and share one Redis, in which used tokens are kept.
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createExchangeListener,
  createOriginPolicy,
  DEFAULT_LIMITS,
  type GatewayLogger,
  openCertificates,
  type TlsFiles,
} from '@skein/http';
import { openDataFolder, openFleetState, openState, type State } from '@skein/state';
import { SkeinError } from '@skein/api';
import { openAuditLog } from '../audit/audit-log.ts';
import { FIXES } from '../fixes.ts';
import type { Issuer } from '../hooks/issuers.ts';
import { createKeySets } from '../hooks/key-sets.ts';
import { createTokens } from '../hooks/tokens.ts';
import { openScorer } from '../method/scorer.ts';
import { labelled, loadVersion } from '../training/version-store.ts';
import { createInference } from './inference.ts';
import { createRefusals } from './refusals.ts';
import { createHealthRoutes } from './routes.ts';

/** Milliseconds for calls in progress when the service stops. */
const CLOSE_MS = 5000;
const KEY_BYTES = 32;

export interface ServeOptions {
  readonly dataFolder: string;
  readonly issuers: readonly Issuer[];
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Address that callers use, which their tokens name; default: where it listens. */
  readonly publicUrl?: string | undefined;
  /** Shared by replicas. Default: a file in the folder. */
  readonly redis?: string | undefined;
  readonly namespace?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** Origins of pages that may call, such as a sandbox in a browser. */
  readonly origins?: readonly string[] | undefined;
  readonly logger: GatewayLogger;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

export interface RunningHealth {
  readonly url: string;
  /** Digest of the version that answers. */
  readonly version: string;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, HEALTH_VERSION, HEALTH_AUDIT, STORE_UNREACHABLE,
 * PORT_IN_USE, TLS_INVALID.
 */
export async function serveHealth(options: ServeOptions): Promise<RunningHealth> {
  const started: (() => unknown)[] = [];
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    for (const close of started.splice(0).reverse()) await close();
  };
  try {
    const running = await bringUp(options, (close) => started.push(close));
    return { ...running, close: () => (closing ??= closeAll()) };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function bringUp(
  options: ServeOptions,
  onClose: (close: () => unknown) => void,
): Promise<Omit<RunningHealth, 'close'>> {
  const { issuers, logger, tls, now = Date.now } = options;
  const folder = await openDataFolder(options.dataFolder);
  onClose(() => folder.close());
  const { version, model } = await loadVersion(folder.root, await labelled(folder.root));
  const scorer = await openScorer(model);
  onClose(() => scorer.close());
  const state = await stateOf(options, folder.databasePath);
  onClose(() => state.close());
  const key = await openAuditKey(folder.root);
  const log = await openAuditLog({ folder: auditFolder(folder.root), now });
  onClose(() => log.close());

  let url = options.publicUrl?.replace(/\/$/, '');
  const serve = createHealthRoutes({
    tokens: createTokens({ issuers, keySets: createKeySets(now), state, now }),
    infer: createInference({ log, key, model: { version, scorer }, now }),
    log,
    refuse: createRefusals(log, now),
    publicUrl: () => url!,
  });
  const certificates = tls && (await openCertificates(tls, logger));
  onClose(() => certificates?.close());
  const listener = createExchangeListener(serve, {
    origins: createOriginPolicy(false, options.origins ?? []),
    limits: DEFAULT_LIMITS,
    logger,
    certificates,
    fixes: FIXES,
  });
  const { host, port } = await listener.listen(options);
  onClose(() => listener.drain(performance.now() + CLOSE_MS));
  url ??= `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  await folder.announce(url);
  return { url, version: version.digest };
}

export const auditFolder = (root: string): string => join(root, 'audit');

async function stateOf({ redis, namespace }: ServeOptions, path: string): Promise<State> {
  return redis === undefined ? openState(path) : openFleetState(redis, { namespace });
}

/** The key of the digests in the audit log; made with the folder. @throws SkeinError HEALTH_AUDIT. */
export async function openAuditKey(root: string): Promise<Uint8Array> {
  const path = join(root, 'audit.key');
  await writeFile(path, randomBytes(KEY_BYTES), { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST')
        throw new SkeinError('HEALTH_AUDIT', `${path} cannot be written (${error.code}).`);
    },
  );
  return readAuditKey(root);
}

/** @throws SkeinError HEALTH_AUDIT when there is no whole key. */
export async function readAuditKey(root: string): Promise<Uint8Array> {
  const key = await readFile(join(root, 'audit.key')).catch(() => Buffer.alloc(0));
  if (key.length === KEY_BYTES) return key;
  throw new SkeinError('HEALTH_AUDIT', `${join(root, 'audit.key')} holds no key.`);
}
