/** Seeds of masks, sealed to helpers: each opens in one sum, of one client, at one helper only. */
import type { Bytes, Signer } from '../crypto/suite.ts';
import { Writer } from '../wire/bytes.ts';
import type { HelperKeys } from './context.ts';
import { open, scheduleContext, seal, type Sealed } from './hpke.ts';
import { suite } from '../crypto/platform-suite.ts';

/** The keys of a helper, as contexts name them. @param secret X25519, 32 bytes. */
export async function helperKeys(signer: Signer, secret: Bytes): Promise<HelperKeys> {
  return { identity: signer.publicKey, sealing: await suite.publicKey(secret) };
}

function contextOf(digest: Bytes): Promise<Bytes> {
  return scheduleContext(new Writer().text('skein sealed seed').raw(digest).bytes());
}

function associated(client: number, helper: number): Bytes {
  return new Writer().u16(client).u8(helper).bytes();
}

/** @param seeds one for each helper. @param digest of `committeeDigest`. */
export async function sealSeeds(
  digest: Bytes,
  client: number,
  helpers: readonly HelperKeys[],
  seeds: readonly Bytes[],
): Promise<Sealed[]> {
  const context = await contextOf(digest);
  return Promise.all(
    helpers.map(({ sealing }, at) => seal(sealing, context, associated(client, at), seeds[at]!)),
  );
}

/** @returns opens the seed of a client; throws where it was not sealed so. */
export async function seedOpener(
  digest: Bytes,
  helper: number,
  secret: Bytes,
): Promise<(client: number, sealed: Sealed) => Promise<Bytes>> {
  const context = await contextOf(digest);
  const keys = { secret, publicKey: await suite.publicKey(secret) };
  return (client, sealed) => open(keys, context, associated(client, helper), sealed);
}
