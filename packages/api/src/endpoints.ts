/**
 * The management API, as one table. The node dispatches and validates by it, the OpenAPI document
 * and the reference pages are rendered from it, and the typed client derives its types from it.
 *
 * The key of a row is its operation id: the client's method, and the action in the audit trail.
 * Names of path, query and body fields of one row never collide, because the client takes them
 * side by side.
 */
import type { NodeEndpoint } from './endpoint.ts';
import { ARTIFACT_ENDPOINTS } from './endpoints/artifacts.ts';
import { DATA_ENDPOINTS } from './endpoints/data-sets.ts';
import { DEPLOYMENT_ENDPOINTS } from './endpoints/deployments.ts';
import { DEVICE_ENDPOINTS } from './endpoints/devices.ts';
import { FEDERATION_ENDPOINTS } from './endpoints/federations.ts';
import { FLEET_ENDPOINTS } from './endpoints/fleet.ts';
import { JOB_ENDPOINTS } from './endpoints/jobs.ts';
import { KEY_ENDPOINTS } from './endpoints/keys.ts';
import { LANGUAGE_ENDPOINTS } from './endpoints/language.ts';
import { MODEL_ENDPOINTS } from './endpoints/models.ts';
import { NODE_ENDPOINTS } from './endpoints/node.ts';
import { RUN_ENDPOINTS } from './endpoints/runs.ts';

export const ENDPOINTS = {
  ...DEPLOYMENT_ENDPOINTS,
  ...MODEL_ENDPOINTS,
  ...LANGUAGE_ENDPOINTS,
  ...RUN_ENDPOINTS,
  ...JOB_ENDPOINTS,
  ...ARTIFACT_ENDPOINTS,
  ...DATA_ENDPOINTS,
  ...FEDERATION_ENDPOINTS,
  ...DEVICE_ENDPOINTS,
  ...FLEET_ENDPOINTS,
  ...NODE_ENDPOINTS,
  ...KEY_ENDPOINTS,
} as const satisfies Record<string, NodeEndpoint>;

/** The rows under each heading of the documentation. */
const GROUPS: Readonly<Record<string, object>> = {
  Deployments: DEPLOYMENT_ENDPOINTS,
  Models: MODEL_ENDPOINTS,
  'Language models': LANGUAGE_ENDPOINTS,
  Runs: RUN_ENDPOINTS,
  Jobs: JOB_ENDPOINTS,
  Artifacts: ARTIFACT_ENDPOINTS,
  'Data sets': DATA_ENDPOINTS,
  Federations: FEDERATION_ENDPOINTS,
  Devices: DEVICE_ENDPOINTS,
  Fleet: FLEET_ENDPOINTS,
  Node: NODE_ENDPOINTS,
  Keys: KEY_ENDPOINTS,
};

/** The heading of an operation in the documentation. */
export function groupOf(id: string): string {
  return Object.keys(GROUPS).find((name) => Object.hasOwn(GROUPS[name]!, id))!;
}

export type OperationId = keyof typeof ENDPOINTS;
export type EndpointOf<Id extends OperationId> = (typeof ENDPOINTS)[Id];
