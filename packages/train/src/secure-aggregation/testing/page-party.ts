/** A site and a client in a page: a test drives them from outside, with bytes as arrays of numbers. */
import { sealUpdate } from '../committee/client.ts';
import type { CommitteeContext } from '../committee/context.ts';
import type { AggregationContext } from '../context.ts';
import { signerOf } from '../crypto/identity.ts';
import type { Bytes } from '../crypto/suite.ts';
import { SiteRound } from '../pairwise/site.ts';
import type { Exchange } from '../wire/envelope.ts';
import { suite } from '../crypto/platform-suite.ts';

/** JSON in which bytes are `{bytes: [...]}`, both ways. */
export function writePlain(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each instanceof Uint8Array ? { bytes: [...each] } : each,
  );
}

export function readPlain(text: string): unknown {
  return JSON.parse(text, (_, each: unknown) =>
    typeof each === 'object' && each !== null && 'bytes' in each
      ? Uint8Array.from(each.bytes as number[])
      : each,
  );
}

/** Functions of the page; they take and return `writePlain` texts. */
export interface PageParty {
  suite(): string;
  begin(context: string, secret: string): Promise<void>;
  answer(exchange: Exchange, received: string, input: readonly number[]): Promise<string>;
  seal(context: string, secret: string, input: readonly number[]): Promise<string>;
}

let round: SiteRound | undefined;

export const pageParty: PageParty = {
  suite: () => suite.name,
  async begin(context, secret) {
    const signer = await signerOf(readPlain(secret) as Bytes);
    round = await SiteRound.begin(readPlain(context) as AggregationContext, signer, { after: -1 });
  },
  async answer(exchange, text, input) {
    const received = readPlain(text) as Bytes;
    const by: Record<Exchange, () => Promise<unknown>> = {
      keys: () => round!.advertise(),
      shares: () => round!.share(received),
      input: () => round!.mask(Uint32Array.from(input), received),
      consistency: () => round!.sign(received),
      unmasking: () => round!.unmask(received),
    };
    return writePlain(await by[exchange]());
  },
  async seal(context, secret, input) {
    const signer = await signerOf(readPlain(secret) as Bytes);
    const terms = readPlain(context) as CommitteeContext;
    return writePlain(await sealUpdate(terms, signer, Uint32Array.from(input), { after: -1 }));
  },
};

Object.assign(globalThis, { pageParty });
