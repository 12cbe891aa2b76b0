/** Dependencies of the management API, and its handler for the HTTP listener. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NodeView, SandboxView } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import type { ArtifactHoldings, JobStore } from '@skein/jobs';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { ArtifactStore, Runs, State } from '@skein/state';
import type { GatewayLogger } from '@skein/http';
import type { Keys } from '../../access/contract.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';

export interface ManagementOptions {
  readonly control: DeploymentControl;
  readonly registry: Registry;
  readonly runs: Runs;
  readonly state: Pick<State, 'history' | 'historyAfter' | 'audit' | 'addAudit'>;
  readonly jobs: JobStore;
  readonly artifacts: ArtifactStore;
  readonly holdings: ArtifactHoldings;
  /** Budgets that tenants share, for `getKey`. */
  readonly budgets: readonly SharedBudget[];
  /** What each sandbox driver enforces on this host. */
  readonly sandboxes: () => Promise<SandboxView[]>;
  readonly access: FaceAccess;
  readonly keys: Keys;
  /** Announces events, so that event streams update at once and not at their next tick. */
  readonly events: { subscribe(listener: () => void): () => void };
  readonly nodeInfo: () => NodeView;
  /** Bodies in flight, shared with the faces. Default: its own. */
  readonly bodies?: SharedBudget | undefined;
  /** Open event streams. Default: its own. */
  readonly eventStreams?: SharedBudget | undefined;
  readonly logger: GatewayLogger;
  readonly limits?: Partial<ManagementLimits> | undefined;
}

export interface ManagementLimits {
  /** Bytes of a JSON body. */
  readonly maxJsonBytes: number;
  /** Bytes of an uploaded file. */
  readonly maxUploadBytes: number;
  /** Time in which a JSON body must be complete, and in which a client must read more of an answer; milliseconds. */
  readonly bodyTimeoutMs: number;
  /** Slowest accepted upload, on average over `bodyTimeoutMs`. */
  readonly minUploadBytesPerSecond: number;
  /** Milliseconds between two updates of the deployments while a client listens. */
  readonly eventTickMs: number;
  /** Milliseconds of silence after which a heartbeat is sent on an event stream. */
  readonly heartbeatMs: number;
}

export const MANAGEMENT_LIMITS: ManagementLimits = {
  maxJsonBytes: 1024 * 1024,
  maxUploadBytes: 2 ** 31,
  bodyTimeoutMs: 30_000,
  minUploadBytesPerSecond: 16 * 1024,
  eventTickMs: 1000,
  heartbeatMs: 15_000,
};

export interface Management {
  /**
   * Answers `/api/…`, `/openapi.json`, `/docs`, `/` and the console's files. Never rejects. The
   * origin policy has been applied before.
   * @returns false, with nothing read or written, if the path is none of these.
   */
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean>;
  /** Ends every event stream, so that the listener can close. */
  close(): void;
}
