/** The coordinator's interface for operators. `openCoordinator` makes one. */
import type { UpgradeHandler } from '@skein/http';
import type { ArtifactStore } from '@skein/state';
import type { Identity } from '../identity/keys.ts';
import type { LedgerExport } from '../ledger/export.ts';
import type { PlanDraft } from '../plan/plan.ts';
import type {
  FederationStore,
  MemberRecord,
  RunRecord,
  RunState,
} from '../store/federation-store.ts';
import type { Statistics } from '../statistics/released.ts';
import type { Connection } from '../transport/connection.ts';
import type { SpentEpsilon } from '../plan/spent.ts';

export interface CoordinatorOptions {
  readonly store: FederationStore;
  /** Models, parameters and the payloads of answers. This coordinator alone uses it: artifacts that no run names are removed. */
  readonly artifacts: ArtifactStore;
  readonly identity: Identity;
  /** For payloads that have arrived in part. */
  readonly folder: string;
  /** ms since the epoch: for the ledger and for invitations, never for deadlines. */
  readonly clock?: (() => number) | undefined;
  /** How often each site is sent the status, so that it notices a network that is gone; default 20 s. */
  readonly statusMs?: number | undefined;
  /** How long a federation and its ledger are kept after its end, in milliseconds; default 183 days. */
  readonly keptMs?: number | undefined;
  /** Called with faults that end no call of an operator. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

export interface MemberView extends Pick<MemberRecord, 'key' | 'name' | 'role' | 'revokedAt'> {
  readonly pseudonym: string;
  readonly accepted: boolean;
  /** It was refused because the plan's maximum of sites has accepted, and joins when a place becomes free. */
  readonly waiting: boolean;
  readonly connected: boolean;
  /** Whether its answer to the present phase is stored. */
  readonly answered: boolean;
}

export interface FederationView
  extends
    Pick<RunRecord, 'id' | 'plan' | 'planDigest' | 'createdAt' | 'updatedAt'>,
    Pick<RunState, 'status' | 'reason' | 'round' | 'attempt' | 'phase' | 'parameters'> {
  readonly members: readonly MemberView[];
  /** Empty without differential privacy. */
  readonly spent: readonly SpentEpsilon[];
}

export interface InvitationOptions {
  /** How the operator calls the site; not in the ledger. */
  readonly name: string;
  readonly role?: 'site' | 'helper' | undefined;
  /** How many sites may use it, each under the name with a number. Default: 1. */
  readonly uses?: number | undefined;
  /** Default: a week. */
  readonly validMs?: number | undefined;
}

export interface Coordinator {
  /** The public key, in hex, that sites check. */
  readonly key: string;
  /**
   * Starts a federation. Its model is an artifact already.
   * @throws SkeinError PLAN_INVALID, PRIVACY_UNATTAINABLE, ARTIFACT_UNKNOWN.
   */
  start(draft: PlanDraft): Promise<FederationView>;
  /** @returns the invitation as one line of text. @throws SkeinError FEDERATION_UNKNOWN, FEDERATION_ENDED. */
  invite(run: string, options: InvitationOptions): Promise<string>;
  /** The site takes part in nothing more, and its connection ends. @throws SkeinError FEDERATION_UNKNOWN, IDENTITY_UNKNOWN. */
  revoke(run: string, key: string): Promise<void>;
  list(): Promise<FederationView[]>;
  /** @throws SkeinError FEDERATION_UNKNOWN. */
  view(run: string): Promise<FederationView>;
  /** The view now, and after each change. Ends when aborted, or after the run has ended. */
  watch(run: string, signal: AbortSignal): AsyncIterable<FederationView>;
  /** The present attempt resumes in its phase. @throws SkeinError FEDERATION_UNKNOWN, FEDERATION_ENDED. */
  pause(run: string, reason: string): Promise<void>;
  resume(run: string, reason: string): Promise<void>;
  stop(run: string, reason: string): Promise<void>;
  /** @throws SkeinError FEDERATION_UNKNOWN. */
  ledger(run: string): Promise<LedgerExport>;
  /**
   * The noised counts of a federation that counts.
   * @throws SkeinError FEDERATION_UNKNOWN, STATISTICS_MISSING where it trains, and before its sum.
   */
  statistics(run: string): Promise<Statistics>;
  /**
   * Removes runs that have been over for longer than they are kept, with their ledgers and all that was stored for
   * them. The coordinator does so automatically, at its start and then each hour. Only time counts that it has watched,
   * so that no clock, however wrong, removes a ledger early. @returns how many.
   */
  removeEnded(): Promise<number>;
  /** Serves a site or a helper over a connection of any kind. */
  connect(connection: Connection): void;
  /** Serves WebSockets at `FEDERATION_PATH` of an HTTP server. */
  readonly upgrade: UpgradeHandler;
  /** Ends the WebSockets and takes no more. Sites come again, and send again what was not acknowledged. */
  disconnect(): void;
  close(): Promise<void>;
}
