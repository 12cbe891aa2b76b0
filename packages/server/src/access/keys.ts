/** The keys of a node that does not run, in its data folder; without the rest of the node, which takes longer to load. */
export { issueToken } from '@skein/http';
export { auditTrail } from './audit-trail.ts';
export { openKeyRing } from './keys/key-ring.ts';
