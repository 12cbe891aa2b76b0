import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openState, type State } from '@skein/state';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startRedis } from '../../../../packages/jobs/src/store/testing/redis-server.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { ISS, signer, tokenOf, type Signer, type TokenParts } from '../testing/serving.ts';
import { NOW } from '../testing/chart.ts';
import { issuersOf } from './issuers.ts';
import { createKeySets } from './key-sets.ts';
import { createTokens, TokenRefused, type Tokens } from './tokens.ts';

const HERE = 'https://cds.example/cds-services';
const seconds = NOW / 1000;
let own: Signer;
let other: Signer;
let state: State;
let tokens: Tokens;

const tokensOver = (shared: State, issuer: object = { keys: [own.jwk] }): Tokens =>
  createTokens({
    issuers: issuersOf(
      { issuers: [{ iss: ISS, site: 'va', tenant: undefined, ...issuer }] },
      'test',
    ),
    keySets: createKeySets(() => NOW),
    state: shared,
    now: () => NOW,
  });

beforeAll(async () => {
  [own, other] = [await signer(), await signer()];
  state = await openState(join(testFolder(), 'state.sqlite'), { clock: () => NOW });
  tokens = tokensOver(state);
});
afterAll(() => state.close());

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const plain = { iss: ISS, aud: HERE, exp: seconds + 300, iat: seconds, jti: 'plain' };

async function verdict(token: string, by = tokens): Promise<string> {
  try {
    return (await by.verify(`Bearer ${token}`, HERE)).iss;
  } catch (error) {
    if (error instanceof TokenRefused) return error.message;
    throw error;
  }
}

it.each(['ES384', 'RS384'])(
  'accepts a token as the public sandbox signs it, with %s',
  async (alg) => {
    const by = await signer(alg);
    const accepting = tokensOver(state, { keys: [by.jwk] });
    expect(await verdict(await tokenOf(by, HERE), accepting)).toBe(ISS);
    const several = await tokenOf(by, HERE, { claims: { aud: ['https://else.example', HERE] } });
    expect(await verdict(several, accepting)).toBe(ISS);
  },
);

/** The fourteenth kind, a replay at another replica, stands below. */
const REFUSED: readonly (readonly [string, () => string | Promise<string>, RegExp])[] = [
  [
    'none',
    () => `${base64({ alg: 'none', typ: 'JWT', kid: 'key-1' })}.${base64(plain)}.`,
    /bearer|algorithm is none/,
  ],
  [
    'HMAC with the public key as its secret',
    () => {
      const signed = `${base64({ alg: 'HS384', typ: 'JWT', kid: 'key-1' })}.${base64(plain)}`;
      const secret = JSON.stringify(own.jwk);
      return `${signed}.${createHmac('sha384', secret).update(signed).digest('base64url')}`;
    },
    /algorithm is HS384/,
  ],
  ['another issuer', () => tokenWith({ claims: { iss: 'https://evil.example' } }), /issuer/],
  ['another audience', () => tokenWith({ claims: { aud: `${HERE}/skein-heart` } }), /"aud"/],
  ['expired', () => tokenWith({ claims: { iat: seconds - 600, exp: seconds - 300 } }), /"exp"/],
  [
    'from the future',
    () => tokenWith({ claims: { iat: seconds + 600, exp: seconds + 900 } }),
    /iat/,
  ],
  ['valid for more than an hour', () => tokenWith({ claims: { exp: seconds + 3700 } }), /an hour/],
  ['without jti', () => tokenWith({ claims: { jti: null } }), /"jti"/],
  ['used before', () => usedBefore(), /used before/],
  ['without kid', () => tokenWith({ header: { kid: null } }), /kid is missing/],
  ['an unknown kid', () => tokenWith({ header: { kid: 'key-2' } }), /no applicable key/],
  ['a jku of its own', () => tokenWith({ header: { jku: 'https://evil.example/jwks' } }), /jku/],
  ['signed by another key', () => tokenOf(other, HERE), /signature/],
  ['changed after it was signed', async () => changed(await tokenWith({})), /signature/],
  ['of another type', () => tokenWith({ header: { typ: 'at+jwt' } }), /typ/],
  ['without a type', () => tokenWith({ header: { typ: null } }), /typ/],
  ['without exp', () => tokenWith({ claims: { exp: null } }), /"exp"/],
  ['without iat', () => tokenWith({ claims: { iat: null } }), /"iat"/],
  ['a jti that is a number', () => tokenWith({ claims: { jti: 7 } }), /jti/],
  [
    'critical headers',
    () =>
      tokenWith({ header: { crit: ['b64'], b64: false } }).catch(
        () =>
          `${base64({ alg: 'ES384', typ: 'JWT', kid: 'key-1', crit: ['x'], x: 1 })}.${base64(plain)}.AAAA`,
      ),
    /crit|Extension|signature/i,
  ],
  ['no token at all', () => 'x', /./],
];

const tokenWith = (parts: TokenParts) => tokenOf(own, HERE, parts);
async function usedBefore(): Promise<string> {
  const token = await tokenWith({});
  expect(await verdict(token)).toBe(ISS);
  return token;
}
function changed(token: string): string {
  const [header, payload, signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as object;
  return [header, base64({ ...claims, sub: 'x' }), signature].join('.');
}

it.each(REFUSED)('refuses a token that is %s', async (_name, make, reason) => {
  expect(await verdict(await make())).toMatch(reason);
});

it('refuses what is no bearer token, and another tenant', async () => {
  for (const header of [undefined, '', 'Basic eDp5', 'Bearer', `Bearer ${'a'.repeat(9000)}`]) {
    await expect(tokens.verify(header, HERE)).rejects.toThrow(TokenRefused);
  }
  const strict = tokensOver(state, { keys: [own.jwk], tenant: 'ward-3' });
  expect(await verdict(await tokenWith({}), strict)).toMatch(/tenant/);
  expect(await verdict(await tokenWith({ claims: { tenant: 'ward-3' } }), strict)).toBe(ISS);
});

describe.skipIf(requireComponent('redis').skip)('replicas', () => {
  it('share the tokens that were used', async () => {
    const server = await startRedis();
    onTestFinished(() => server.destroy());
    const states = await Promise.all([1, 2].map(() => openState(server.url)));
    const [one, two] = states.map((each) => tokensOver(each));
    const token = await tokenWith({});
    expect([await verdict(token, one), await verdict(token, two)]).toEqual([
      ISS,
      expect.stringMatching(/used before/),
    ]);
    // At once, exactly one of two replicas takes it.
    const raced = await tokenWith({});
    const both = await Promise.all([verdict(raced, one), verdict(raced, two)]);
    expect(both.filter((each) => each === ISS)).toHaveLength(1);
    for (const each of states) await each.close();
  });
});

describe('a key set at the issuer’s address', () => {
  let server: Server;
  let asked = 0;
  let answer: unknown;
  let jku: string;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      asked++;
      response.end(JSON.stringify(answer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    jku = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    asked = 0;
  });

  it('is fetched once, and again for a new key, but not for every unknown one', async () => {
    let now = NOW;
    const issuers = issuersOf({ issuers: [{ iss: ISS, site: 'va', jku }] }, 'test');
    const by = createTokens({ issuers, keySets: createKeySets(() => now), state, now: () => NOW });
    answer = { keys: [own.jwk] };
    const named = (kid: string, by_: Signer) => tokenOf(by_, HERE, { header: { kid, jku } });
    expect(await verdict(await named('key-1', own), by)).toBe(ISS);
    expect(await verdict(await named('key-1', own), by)).toBe(ISS);
    expect(asked).toBe(1);
    const added = await signer('ES384', 'key-2');
    answer = { keys: [added.jwk] };
    expect(await verdict(await named('key-2', added), by)).toMatch(/no applicable key/);
    expect(asked).toBe(1);
    now += 31_000;
    expect(await verdict(await named('key-2', added), by)).toBe(ISS);
    // The withdrawn one is refused with the new set.
    expect(await verdict(await named('key-1', own), by)).toMatch(/no applicable key/);
  });

  it('that is broken refuses the call', async () => {
    const by = tokensOver(state, { keys: undefined, jku });
    answer = { keys: 7 };
    expect(await verdict(await tokenOf(own, HERE), by)).not.toBe(ISS);
    // A caller without a key cannot make the service ask each time.
    expect(await verdict(await tokenOf(own, HERE), by)).toMatch(/a moment ago/);
    expect(asked).toBe(1);
  });
});

it.each([
  [{ iss: ISS, site: 'va' }, /either jku or keys/],
  [{ iss: ISS, site: 'va', jku: 'http://ehr.example/jwks' }, /must be https/],
  [{ iss: ISS, site: 'va', keys: [{ kty: 'oct', kid: 'a' }] }, /kty/],
  [{ iss: ISS, keys: [] }, /site/],
])('refuses the issuer %j', (issuer, message) => {
  expect(() => issuersOf({ issuers: [issuer] }, 'clients.json')).toThrow(
    expect.objectContaining({ code: 'HEALTH_CLIENTS', message: expect.stringMatching(message) }),
  );
});
