/** What work under secure aggregation needs. */
import type { CommitteeTerms } from '../../plan/committee-terms.ts';
import type { SiteTraining } from './training.ts';

export interface SecureOptions extends Pick<
  CommitteeTerms,
  'run' | 'plan' | 'planDigest' | 'coordinator'
> {
  /** Ed25519. */
  readonly keys: CryptoKeyPair;
  readonly training: SiteTraining;
}
