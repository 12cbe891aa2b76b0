/** Every suite against the published answers of the primitives, and against the other suites. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { nobleCurves, webCurves, type Curves } from './curves.ts';
import { signerOf } from './identity.ts';
import { nodeSuite } from './node.ts';
import { randomBytes, type Bytes, type Suite } from './suite.ts';
import { webSuite } from './web.ts';

const hex = (text: string) => hexToBytes(text.replaceAll(' ', '')) as Bytes;

const SUITES: Suite[] = [nodeSuite()!, webSuite];
const CURVES: [string, Curves | Suite][] = [
  ...SUITES.map((suite) => [suite.name, suite] as [string, Suite]),
  ['WebCrypto curves', webCurves],
  ['noble', await nobleCurves()],
];

/** Each platform has its own words for a refusal. */
function refused(call: () => Promise<unknown>): Promise<boolean> {
  return call().then(
    () => false,
    () => true,
  );
}

describe.each(CURVES)('%s', (_, curves) => {
  it('agrees as RFC 7748, section 6.1', async () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const ofAlice = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    const ofBob = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
    expect(await curves.publicKey(alice)).toEqual(ofAlice);
    expect(await curves.publicKey(bob)).toEqual(ofBob);
    expect(await curves.agree(alice, ofBob)).toEqual(shared);
    expect(await curves.agree(bob, ofAlice)).toEqual(shared);
  });

  it('multiplies as RFC 7748, section 5.2', async () => {
    const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    const product = hex('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
    expect(await curves.agree(scalar, point)).toEqual(product);
  });

  it('refuses a point of small order', async () => {
    const agree = async () => curves.agree(randomBytes(32), new Uint8Array(32));
    expect(await refused(agree)).toBe(true);
  });

  it('verifies as RFC 8032, section 7.1, test 2', async () => {
    const key = hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    const signature = hex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    expect(await curves.verify(key, hex('72'), signature)).toBe(true);
    expect(await curves.verify(key, hex('73'), signature)).toBe(false);
  });
});

it.each([
  ['WebCrypto', webCurves],
  ['noble', await nobleCurves()],
])('%s signs as RFC 8032, section 7.1, test 1', async (_, curves) => {
  const secret = hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
  expect(await curves.signingKey(secret)).toEqual(
    hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
  );
  expect(await curves.sign(secret, new Uint8Array(0))).toEqual(
    hex(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ),
  );
});

describe.each(SUITES.map((suite) => [suite.name, suite] as const))('%s', (_, suite) => {
  it('derives as RFC 5869, test case 3', async () => {
    const secret = new Uint8Array(22).fill(0x0b);
    expect(await suite.derive(secret, new Uint8Array(0), 42)).toEqual(
      hex('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'),
    );
  });

  it('authenticates as RFC 4231, test case 2, and with a key of no bytes as Node does', async () => {
    const message = new TextEncoder().encode('what do ya want for nothing?');
    expect(await suite.hmac(new TextEncoder().encode('Jefe'), message)).toEqual(
      hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
    );
    const [first, other] = await Promise.all(
      SUITES.map(async (each) => each.hmac(new Uint8Array(0), message)),
    );
    expect(first).toEqual(other);
  });

  it('makes the keystream of SP 800-38A, F.5.1', async () => {
    const sum = new Uint32Array(16);
    const key = hex('2b7e151628aed2a6abf7158809cf4f3c');
    const counter = hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
    await suite.addKeystreams(sum, [key], 1, counter);
    expect(new Uint8Array(sum.buffer)).toEqual(
      hex(
        'ec8cdf7398607cb0f2d21675ea9ea1e4 362b7c3c6773516318a077d7fc5073ae 6a2cc3787889374fbeb4c81b17ba6c44 e89c399ff0f198c6d40a31db156cabfe',
      ),
    );
  });

  it('adds long keystreams, and takes them back', async () => {
    const keys = Array.from({ length: 7 }, () => randomBytes(16));
    // Longer than the pieces of both suites, and not a multiple of them.
    const sum = new Uint32Array(2 ** 18 + 5);
    await suite.addKeystreams(sum, keys, 1);
    const other = new Uint32Array(sum.length);
    const peer = SUITES.find((each) => each !== suite)!;
    for (const key of keys) await peer.addKeystreams(other, [key], 1);
    expect(sum).toEqual(other);
    await suite.addKeystreams(sum, keys, -1);
    expect(sum.every((word) => word === 0)).toBe(true);
  });

  it('seals so that every suite opens, and no change passes', async () => {
    const [key, plain, associated] = [randomBytes(16), randomBytes(66), randomBytes(32)];
    const sealed = await suite.seal(key, plain, associated);
    for (const each of SUITES) expect(await each.open(key, sealed, associated)).toEqual(plain);
    const open = async (bytes: Bytes, with_: Bytes) => suite.open(key, bytes, with_);
    sealed[3]! ^= 1;
    expect(await refused(() => open(sealed, associated))).toBe(true);
    sealed[3]! ^= 1;
    expect(await refused(() => open(sealed, randomBytes(32)))).toBe(true);
  });

  it('verifies what an identity signed', async () => {
    const signer = await signerOf();
    const { publicKey } = signer;
    const signature = await signer.sign(hex('010203'));
    expect(await suite.verify(publicKey, hex('010203'), signature)).toBe(true);
    expect(await suite.verify(publicKey, hex('010204'), signature)).toBe(false);
  });
});
