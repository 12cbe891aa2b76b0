/** A key pair of WebCrypto as the signer that secure aggregation asks for. */
import type { Signer } from '@skein/train/secure-aggregation';

/** @param pair Ed25519; the private key may not be extractable. */
export async function signerOfPair({ privateKey, publicKey }: CryptoKeyPair): Promise<Signer> {
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)),
    sign: async (message) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, message)),
  };
}
