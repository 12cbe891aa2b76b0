/** Common terms of nodes, sites and pages for federations: without a schema, so that a page stays small. */
import type { FederationStatus } from './resources/federation.ts';

/** Where sites connect to a node, by WebSocket. */
export const FEDERATION_PATH = '/federation/v1';

/** Characters of what an operator calls a site. */
export const LONGEST_SITE_NAME = 200;

/** Whether a federation has ended, for whatever reason. */
export const isOver = ({ status }: { readonly status: FederationStatus }): boolean =>
  status !== 'running' && status !== 'paused';
