/** Secure aggregation: a server learns the sum of updates, and no update. Runs in Node and in browsers. */
export { sealUpdate } from './committee/client.ts';
export type { CommitteeContext } from './committee/context.ts';
export { Helper } from './committee/helper.ts';
export { LeaderRound } from './committee/leader.ts';
export { helperKeys } from './committee/seeds.ts';
export type { AggregationContext } from './context.ts';
export { signerOf } from './crypto/identity.ts';
export type { Bytes, Signer } from './crypto/suite.ts';
export { SiteRound } from './pairwise/site.ts';
export { ServerRound, type Deliveries } from './pairwise/server.ts';
export type { ReadUpdate } from './upload.ts';
export { joined } from './wire/bytes.ts';
export { EXCHANGES, type Exchange } from './wire/envelope.ts';
