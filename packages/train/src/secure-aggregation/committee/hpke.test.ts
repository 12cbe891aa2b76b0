/** HPKE against the appendix of its RFC, and against hpke-js, in both directions. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { Aead, CipherSuite, Kdf, Kem } from 'hpke-js';
import { expect, it } from 'vitest';
import { randomBytes, type Bytes } from '../crypto/suite.ts';
import { open, scheduleContext, seal } from './hpke.ts';
import { suite } from '../crypto/platform-suite.ts';

const hex = (text: string) => hexToBytes(text) as Bytes;
const ascii = (text: string) => new TextEncoder().encode(text);

const peer = new CipherSuite({
  kem: Kem.DhkemX25519HkdfSha256,
  kdf: Kdf.HkdfSha256,
  aead: Aead.Aes128Gcm,
});

it('opens as RFC 9180, appendix A.1.1', async () => {
  const keys = {
    secret: hex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
    publicKey: hex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'),
  };
  const sealed = {
    encapsulated: hex('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
    ciphertext: hex(
      'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
    ),
  };
  const context = await scheduleContext(ascii('Ode on a Grecian Urn'));
  const plain = await open(keys, context, ascii('Count-0'), sealed);
  expect(new TextDecoder().decode(plain)).toBe('Beauty is truth, truth beauty');
  const other = open(keys, context, ascii('Count-1'), sealed);
  await expect(other).rejects.toThrow(/authenticate/);
});

it('opens what hpke-js seals, and seals what hpke-js opens', async () => {
  const secret = randomBytes(32);
  const publicKey = await suite.publicKey(secret);
  const [info, associated, plain] = [randomBytes(40), randomBytes(3), randomBytes(16)];
  const context = await scheduleContext(info);

  const recipientPublicKey = await peer.kem.deserializePublicKey(publicKey);
  const sender = await peer.createSenderContext({ recipientPublicKey, info });
  const ciphertext = new Uint8Array(await sender.seal(plain, associated));
  const theirs = { encapsulated: new Uint8Array(sender.enc), ciphertext };
  expect(await open({ secret, publicKey }, context, associated, theirs)).toEqual(plain);

  const ours = await seal(publicKey, context, associated, plain);
  const recipientKey = await peer.kem.deserializePrivateKey(secret);
  const recipient = await peer.createRecipientContext({
    recipientKey,
    enc: ours.encapsulated,
    info,
  });
  expect(new Uint8Array(await recipient.open(ours.ciphertext, associated))).toEqual(plain);
});
