/** Bad tokens of 14 kinds, each sent to a running service; two replicas share a Redis for the tokens that were used. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { requireComponent } from '../../../scripts/testing/components.ts';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { ISS, signer, tokenOf, type TokenParts } from '../../../apps/health/src/testing/serving.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { HOOK, openHospital, viewToday, type Hospital } from './service.ts';

/** Public address of both replicas, which tokens name; calls go to the replicas directly. */
const PUBLIC_URL = 'https://cds.hospital.example';
const ALL_KINDS = 14;

export const TOKENS: RowGroup = {
  measures: [
    {
      key: 'tokens_refused',
      what: `bad tokens that are refused, of ${ALL_KINDS} kinds`,
      unit: '',
      target: { atLeast: ALL_KINDS },
    },
  ],
  async measure({ progress }) {
    if (requireComponent('redis').skip) {
      progress('tokens left out: redis-server is not installed');
      return { results: {}, details: {} };
    }
    progress('tokens');
    const folder = await temporaryFolder();
    const redis = await startRedis();
    const own = await signer();
    const replicas = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const home = join(folder.path, name);
        await mkdir(home);
        const replica = { redis: redis.url, signer: own, publicUrl: PUBLIC_URL };
        return openHospital({ folder: home, replica });
      }),
    );
    const services = await Promise.all(replicas.map((each) => each.start()));
    try {
      const accepted: string[] = [];
      for (const [kind, make] of Object.entries(KINDS)) {
        await assertGoodTokensPass(replicas);
        const { status, body } = await replicas[0]!.view(viewToday(), await make(replicas));
        if (status !== 401 || body['code'] !== 'HEALTH_TOKEN') accepted.push(kind);
      }
      return {
        results: { tokens_refused: Object.keys(KINDS).length - accepted.length },
        details: { tokens_accepted: accepted },
      };
    } finally {
      await Promise.all(services.map((each) => each.stop()));
      await redis.destroy();
      await folder.remove();
    }
  },
};

type Replicas = readonly Hospital[];

/** A service that refuses all calls would pass otherwise. */
async function assertGoodTokensPass(replicas: Replicas): Promise<void> {
  for (const each of replicas) {
    const { status } = await each.view();
    if (status !== 200) throw new Error(`A good token was answered with ${status}.`);
  }
}

const seconds = (): number => Math.floor(Date.now() / 1000);
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const from =
  (partsOf: () => TokenParts) =>
  ([one]: Replicas): Promise<string> =>
    one!.token(partsOf());

function unsigned(alg: string): string {
  const claims = { iss: ISS, aud: `${PUBLIC_URL}${HOOK}`, exp: seconds() + 300, iat: seconds() };
  const header = { alg, typ: 'JWT', kid: 'key-1' };
  return `${base64(header)}.${base64({ ...claims, jti: alg })}`;
}

const KINDS: Readonly<Record<string, (replicas: Replicas) => string | Promise<string>>> = {
  'algorithm none': () => `${unsigned('none')}.`,
  'HMAC with the public key': ([one]) => {
    const signed = unsigned('HS384');
    const secret = JSON.stringify(one!.signer.jwk);
    return `${signed}.${createHmac('sha384', secret).update(signed).digest('base64url')}`;
  },
  'another issuer': from(() => ({ claims: { iss: 'https://evil.example' } })),
  'another audience': from(() => ({ claims: { aud: `${PUBLIC_URL}/cds-services` } })),
  expired: from(() => ({ claims: { iat: seconds() - 600, exp: seconds() - 300 } })),
  'from the future': from(() => ({ claims: { iat: seconds() + 600, exp: seconds() + 900 } })),
  'valid for more than an hour': from(() => ({ claims: { exp: seconds() + 3700 } })),
  'without jti': from(() => ({ claims: { jti: null } })),
  'used before': async ([one]) => usedAt(one!),
  'an unknown kid': from(() => ({ header: { kid: 'key-2' } })),
  'a jku of its own': from(() => ({ header: { jku: 'https://evil.example/jwks' } })),
  'signed by another key': async () =>
    tokenOf(await signer(), `${PUBLIC_URL}${HOOK}`, {}, Date.now()),
  'of another type': from(() => ({ header: { typ: 'at+jwt' } })),
  'used at another replica': async ([, two]) => usedAt(two!),
};

async function usedAt(replica: Hospital): Promise<string> {
  const token = await replica.token();
  const { status } = await replica.view(viewToday(), token);
  if (status !== 200) throw new Error(`A token was answered with ${status} at its first use.`);
  return token;
}
