/** The part that a site, a page and a coordinator share; runs in Node and in the browser. The coordinator: `@skein/federation/coordinator`. */
export { join, type Joined } from './identity/handshake.ts';
export { createIdentity, type Identity, identityOf, importIdentity } from './identity/keys.ts';
export { invitationOf } from './identity/invitation.ts';
export { LedgerExport } from './ledger/export.ts';
export { type Given, givenBy } from './ledger/given.ts';
export { type SeenEntry, seenOf, seenText } from './ledger/seen.ts';
export { ledgerText, verifyLedger } from './ledger/verify.ts';
export { encodingOf, sumNumber } from './plan/encoding.ts';
export { checkDraft, draftFor, isCounting } from './plan/complete.ts';
export { Plan, type PlanDraft } from './plan/plan.ts';
export type { PlannedHelper } from './plan/terms.ts';
export { type Arrival, openChannel } from './transport/channel.ts';
export { memoryChunks } from './transport/chunks.ts';
export { type Connection } from './transport/connection.ts';
export type { MessageOf } from './transport/messages.ts';
