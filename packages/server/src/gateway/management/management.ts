/**
 * The management API of a node: its table of endpoints with their handlers, the console's pages, and
 * the audit trail of what callers change.
 */
import { ENDPOINTS, type NodeView, type SandboxView } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import { serveConsole } from '@skein/console';
import {
  createRoutes,
  type Handlers,
  type Operation,
  type Page,
  ROUTE_LIMITS,
  type RouteLimits,
  type RouteOptions,
  type Routes,
} from '@skein/http';
import type { ArtifactHoldings, JobStore, WorkerScale } from '@skein/jobs';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { ArtifactStore, Runs, State } from '@skein/state';
import type { Caller, Keys, Scope } from '../../access/contract.ts';
import { auditInto } from '../../access/audit-trail.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';
import type { FleetControl } from '../../fleet/fleet.ts';
import type { LanguageModels } from '../../language/language-models.ts';
import type { FederationComponent } from '../../components/federations.ts';
import { artifactHandlers } from './handlers/artifacts.ts';
import { deploymentHandlers } from './handlers/deployments.ts';
import { federationHandlers } from './handlers/federations.ts';
import { fleetHandlers } from './handlers/fleet.ts';
import { jobHandlers } from './handlers/jobs.ts';
import { keyHandlers } from './handlers/keys.ts';
import { languageHandlers } from './handlers/language.ts';
import { modelHandlers } from './handlers/models.ts';
import { nodeHandlers } from './handlers/node.ts';
import { runHandlers } from './handlers/runs.ts';
import { jobEvents } from './job-events.ts';
import { nodeEvents } from './node-events.ts';
import { createPages } from './pages.ts';

export type NodeCallers = Readonly<Record<Scope, Caller>>;

export type NodeHandlers = Handlers<typeof ENDPOINTS, NodeCallers>;

export interface ManagementOptions extends Pick<
  RouteOptions<NodeCallers>,
  'bodies' | 'eventStreams' | 'logger'
> {
  readonly control: DeploymentControl;
  readonly fleet: FleetControl;
  readonly federations: FederationComponent;
  readonly registry: Registry;
  readonly languageModels: Pick<LanguageModels, 'check' | 'declarations' | 'rollouts' | 'view'>;
  readonly runs: Runs;
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

const MANAGEMENT_LIMITS: ManagementLimits = { ...ROUTE_LIMITS, eventTickMs: 1000 };

/** Answers `/api/…`, `/openapi.json`, `/docs`, `/` and the console's files. */
export function createManagement(options: ManagementOptions): Routes {
  const { access, bodies, eventStreams, logger } = options;
  const limits = { ...MANAGEMENT_LIMITS, ...options.limits };
  const pages = createPages(options.nodeInfo);
  const audit = auditInto(options.state, logger);
  const boundedAudit = auditInto(options.bounded, logger);
  const handlers: NodeHandlers = {
    ...deploymentHandlers(options),
    ...modelHandlers(options),
    ...languageHandlers(options),
    ...runHandlers(options),
    ...jobHandlers(options),
    ...artifactHandlers(options),
    ...keyHandlers(options),
    ...federationHandlers(options),
    ...fleetHandlers(options),
    ...nodeHandlers(options),
    streamEvents: nodeEvents(options, limits),
    streamJobEvents: jobEvents(options),
  };
  return createRoutes<NodeCallers, typeof ENDPOINTS>(ENDPOINTS, handlers, {
    access,
    pages: async (path) => (await pages.find(path)) ?? serveConsole(path) ?? joinPage(path),
    record: (operation, run) => {
      const { id: action, remote, caller } = operation;
      const into = caller.scopes.includes('admin') ? audit : boundedAudit;
      return into({ actor: caller.actor, action, remote, subject: subjectOf(operation) }, run);
    },
    bodies,
    eventStreams,
    limits,
    logger,
  });
}

/** The page of a browser's site, imported when it is first asked for. */
async function joinPage(path: string): Promise<Page | undefined> {
  if (path !== '/join' && !path.startsWith('/join/')) return undefined;
  return (await import('@skein/federation/join')).serveJoin(path);
}

/** An id or name from the path, otherwise from the body or the answer: `risk`, `risk/2`. */
function subjectOf({
  params,
  body,
}: Pick<Operation<unknown>, 'params' | 'body'>): (answer: unknown) => string {
  return (answer) => {
    const path = Object.values((params ?? {}) as Record<string, unknown>);
    if (path.length > 0) return path.join('/');
    const named = { ...(answer as object | undefined), ...(body as object | undefined) };
    const { name, id } = named as { name?: string; id?: string };
    return name ?? id ?? '';
  };
}
