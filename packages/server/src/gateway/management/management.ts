/**
 * The management API of a node: its table of endpoints with their handlers, the console's pages, and
 * the audit trail of what callers change.
 */
import { ENDPOINTS } from '@skein/api';
import { serveConsole } from '@skein/console';
import { createRoutes, type Operation, type Page, ROUTE_LIMITS, type Routes } from '@skein/http';
import type { Caller } from '../../access/contract.ts';
import { auditInto } from '../../access/audit-trail.ts';
import { artifactHandlers } from './handlers/artifacts.ts';
import { dataSetHandlers } from './handlers/data-sets.ts';
import { deploymentHandlers } from './handlers/deployments.ts';
import { deviceHandlers } from './handlers/devices.ts';
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
import type { NodeCallers, NodeHandlers, ManagementOptions, ManagementLimits } from './options.ts';

const MANAGEMENT_LIMITS: ManagementLimits = { ...ROUTE_LIMITS, eventTickMs: 1000 };

/** The caller of `public` calls, which prove themselves by the key of a device. */
const DEVICE: Caller = Object.freeze({ actor: 'device', tenant: 'devices', scopes: [] });

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
    ...dataSetHandlers(options),
    ...keyHandlers(options),
    ...federationHandlers(options),
    ...deviceHandlers(options),
    ...fleetHandlers(options),
    ...nodeHandlers(options),
    streamEvents: nodeEvents(options, limits),
    streamJobEvents: jobEvents(options),
  };
  return createRoutes<NodeCallers, typeof ENDPOINTS>(ENDPOINTS, handlers, {
    access: {
      authorize: (authorization, scope, from) =>
        scope === 'public' ? DEVICE : access.authorize(authorization, scope, from),
      watch: (caller, onEnd) => access.watch(caller, onEnd),
    },
    pages: async (path) => (await pages.find(path)) ?? serveConsole(path) ?? joinPage(path),
    record: (operation, run) => {
      const { id: action, remote, caller } = operation;
      // Every device reports twice a minute: its rows would push out all others.
      if (action === 'reportDevice') return run();
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
