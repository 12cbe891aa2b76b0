/** A service over a trained version in a test's folder, and a hospital's system that signs its calls as the public sandbox does. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { silentLogger } from './silent-logger.ts';
import { issuersOf } from '../hooks/issuers.ts';
import { serveHealth, type RunningHealth, type ServeOptions } from '../service/serve.ts';
import { generatedHospitals } from '../training/heart-rows.ts';
import { type TrainedVersion, trainVersion } from '../training/train-version.ts';
import { giveLabel, storeVersion } from '../training/version-store.ts';
import { NOW, prefetchOf } from './chart.ts';

export const ISS = 'https://ehr.cleveland.example';
const KID = 'key-1';

let trained: Promise<TrainedVersion> | undefined;
/** One training for all tests of a process. */
export const testVersion = (): Promise<TrainedVersion> =>
  (trained ??= trainVersion(generatedHospitals(), 'generated', 1));

export interface Signer {
  readonly key: CryptoKey;
  readonly jwk: JWK;
  readonly alg: string;
}

export async function signer(alg = 'ES384', kid = KID): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { key: privateKey, alg, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Claims and header of a token; an absent member is set as the sandbox sets it, one that is null is left out. */
export interface TokenParts {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

export async function tokenOf(
  { key, alg }: Pick<Signer, 'key' | 'alg'>,
  audience: string,
  { header = {}, claims = {} }: TokenParts = {},
  now = NOW,
): Promise<string> {
  const seconds = Math.floor(now / 1000);
  const all = {
    iss: ISS,
    aud: audience,
    exp: seconds + 300,
    iat: seconds,
    jti: randomUUID(),
    ...claims,
  };
  const given = (parts: object) =>
    Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== null));
  return new SignJWT(given(all))
    .setProtectedHeader({ alg, ...given({ kid: KID, typ: 'JWT', ...header }) })
    .sign(key);
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface Serving extends AsyncDisposable {
  readonly health: RunningHealth;
  readonly dataFolder: string;
  readonly signer: Signer;
  /** A call with a token of its own. @param token in place of it. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answered>;
  /** `patient-view` with a chart prefetched. */
  view(more?: Readonly<Record<string, unknown>>): Promise<Answered>;
}

export type ServingOptions = Partial<Omit<ServeOptions, 'issuers'>> & {
  readonly signer?: Signer;
  /** Members that differ from the test's issuer. */
  readonly issuer?: Readonly<Record<string, unknown>>;
};

export async function serving(folder: string, options: ServingOptions = {}): Promise<Serving> {
  const dataFolder = options.dataFolder ?? join(folder, 'data');
  await giveLabel(dataFolder, await storeVersion(dataFolder, await testVersion()));
  const own = options.signer ?? (await signer());
  const issuer = { iss: ISS, site: 'cleveland', keys: [own.jwk], ...options.issuer };
  const health = await serveHealth({
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    now: () => NOW,
    ...options,
    dataFolder,
    issuers: issuersOf({ issuers: [issuer] }, 'test'),
  });
  const call: Serving['call'] = async (method, path, body, token) => {
    const sent = token ?? (await tokenOf(own, `${health.url}${path}`));
    const response = await fetch(`${health.url}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${sent}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  };
  return {
    health,
    dataFolder,
    signer: own,
    call,
    view: (more) => call('POST', '/cds-services/skein-heart', viewOf(more)),
    [Symbol.asyncDispose]: () => health.close(),
  };
}

export function viewOf(more: Readonly<Record<string, unknown>> = {}) {
  return {
    hook: 'patient-view',
    hookInstance: randomUUID(),
    context: { userId: 'Practitioner/7', patientId: 'p1' },
    prefetch: prefetchOf(),
    ...more,
  };
}
