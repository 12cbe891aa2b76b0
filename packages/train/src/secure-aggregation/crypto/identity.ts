/** Ed25519 identities as signers, from a WebCrypto key pair or from 32 secret bytes. */
import { curves } from './curves.ts';
import { randomBytes, type Bytes, type Signer } from './suite.ts';

/** @param secret 32 bytes, as in RFC 8032; default: new ones. */
export async function signerOf(secret: Bytes = randomBytes(32)): Promise<Signer> {
  const available = await curves();
  return {
    publicKey: await available.signingKey(secret),
    sign: (message) => available.sign(secret, message),
  };
}
