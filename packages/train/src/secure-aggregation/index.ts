/** Secure aggregation: a server learns the sum of updates, and no update. Runs in Node and in browsers. */
export type { AggregationContext } from './context.ts';
export { signerOf } from './crypto/identity.ts';
export type { Bytes, Signer } from './crypto/suite.ts';
export { graphTerms, quorum, type GraphTerms } from './graph.ts';
export { SiteRound, type MaskedUpdate } from './pairwise/site.ts';
export { ServerRound, type SecureSum } from './pairwise/server.ts';
export type { Liar } from './pairwise/unmasking.ts';
export { memorySpool, type Spool } from './upload.ts';
export { EXCHANGES, type Exchange } from './wire/envelope.ts';
