/** What work under secure aggregation needs. */
import type { Plan } from '../../plan/plan.ts';
import type { SiteTraining } from './training.ts';

export interface SecureOptions {
  readonly run: string;
  readonly plan: Plan;
  readonly planDigest: string;
  /** The coordinator's public key, in hex. */
  readonly coordinator: string;
  /** Ed25519. */
  readonly keys: CryptoKeyPair;
  readonly training: SiteTraining;
}
