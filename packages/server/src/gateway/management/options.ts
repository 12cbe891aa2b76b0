/** Options of the management API: the parts of a node that its handlers call. */
import type { Caller, Keys, Scope } from '../../access/contract.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';
import type { FederationComponent } from '../../components/federations.ts';
import type { DeviceRegistry } from '../../devices/device-registry.ts';
import type { FleetControl } from '../../fleet/fleet.ts';
import type { LanguageModels } from '../../language/language-models.ts';
import type { ENDPOINTS, NodeView, SandboxView } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import type { Handlers, RouteLimits, RouteOptions } from '@skein/http';
import type { ArtifactHoldings, JobStore, WorkerScale } from '@skein/jobs';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { ArtifactStore, DataSets, Runs, State } from '@skein/state';

export type NodeCallers = Readonly<Record<Scope | 'public', Caller>>;

export type NodeHandlers = Handlers<typeof ENDPOINTS, NodeCallers>;

export interface ManagementOptions extends Pick<
  RouteOptions<NodeCallers>,
  'bodies' | 'eventStreams' | 'logger'
> {
  readonly control: DeploymentControl;
  readonly fleet: FleetControl;
  readonly federations: FederationComponent;
  readonly devices: DeviceRegistry;
  readonly registry: Registry;
  readonly languageModels: Pick<LanguageModels, 'check' | 'declarations' | 'rollouts' | 'view'>;
  readonly runs: Runs;
  readonly dataSets: DataSets;
  readonly state: Pick<State, 'history' | 'historyAfter' | 'audit' | 'addAudit'>;
  /** Takes the records of callers below `admin`, which must not push out others. */
  readonly bounded: Pick<State, 'addAudit'>;
  readonly jobs: JobStore;
  readonly scale: WorkerScale;
  readonly artifacts: ArtifactStore;
  readonly holdings: ArtifactHoldings;
  /** Budgets that tenants share, for `getKey`. */
  readonly budgets: readonly SharedBudget[];
  /** The capabilities that each sandbox driver enforces on this host. */
  readonly sandboxes: () => Promise<SandboxView[]>;
  readonly access: FaceAccess;
  readonly keys: Keys;
  /** Announces events, so that event streams update at once and not at their next tick. */
  readonly events: { subscribe(listener: () => void): () => void };
  readonly nodeInfo: () => NodeView;
  /** Takes the store of a fleet as it is. @throws SkeinError STORE_UNREACHABLE. */
  readonly adoptStore: () => Promise<void>;
  readonly limits?: Partial<ManagementLimits> | undefined;
}

export interface ManagementLimits extends RouteLimits {
  /** Milliseconds between two updates of the deployments while a client listens. */
  readonly eventTickMs: number;
}
