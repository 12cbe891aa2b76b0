/** The part that a site, a page and a coordinator share; runs in Node and in the browser. The coordinator: `@skein/federation/coordinator`. */
export { expectKind, join, type Joined, type JoinOptions } from './identity/handshake.ts';
export {
  createIdentity,
  type Identity,
  identityOf,
  importIdentity,
  isSignedBy,
  pseudonymOf,
} from './identity/keys.ts';
export { invitationOf, type Invitation } from './identity/invitation.ts';
export { LedgerEntry, type LedgerEvent } from './ledger/entry.ts';
export { LedgerExport } from './ledger/export.ts';
export { type Given, givenBy } from './ledger/given.ts';
export { type SeenEntry, seenOf, seenText } from './ledger/seen.ts';
export {
  ledgerText,
  type VerifiedLedger,
  verifyLedger,
  type VerifyOptions,
} from './ledger/verify.ts';
export { encodingOf, sumNumber } from './plan/encoding.ts';
export { checkPlan } from './plan/check.ts';
export { checkDraft, draftFor } from './plan/complete.ts';
export { Plan, type PlanDraft, PROTOCOL } from './plan/plan.ts';
export type { PlannedHelper } from './plan/terms.ts';
export { type Arrival, type Channel, openChannel } from './transport/channel.ts';
export { type Chunks, memoryChunks, type Payload } from './transport/chunks.ts';
export { type Connection, connectionOver, connectionPair } from './transport/connection.ts';
export type { Message, MessageOf, Place } from './transport/messages.ts';
