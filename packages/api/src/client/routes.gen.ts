// Written from the endpoint table by packages/api/scripts/write-reference.ts; do not edit.
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
  /** `none`, `json`, or the media type of a raw body. */
  readonly body: string;
  readonly answer: 'json' | 'stream';
}

export const ROUTES: Readonly<Record<string, Route>> = {
  listDeployments: { method: 'GET', path: '/api/v1/deployments', query: [], body: 'none', answer: 'json' },
  deploy: { method: 'POST', path: '/api/v1/deployments', query: [], body: 'json', answer: 'json' },
  getDeployment: { method: 'GET', path: '/api/v1/deployments/{name}', query: [], body: 'none', answer: 'json' },
  changeSettings: { method: 'PATCH', path: '/api/v1/deployments/{name}', query: [], body: 'json', answer: 'json' },
  undeploy: { method: 'DELETE', path: '/api/v1/deployments/{name}', query: [], body: 'none', answer: 'json' },
  rollback: { method: 'POST', path: '/api/v1/deployments/{name}/rollback', query: [], body: 'json', answer: 'json' },
  rolloutEvidence: { method: 'GET', path: '/api/v1/deployments/{name}/evidence', query: [], body: 'none', answer: 'json' },
  deploymentTraffic: { method: 'GET', path: '/api/v1/deployments/{name}/traffic', query: ["range"], body: 'none', answer: 'json' },
  deploymentHistory: { method: 'GET', path: '/api/v1/deployments/{name}/history', query: ["kind","limit"], body: 'none', answer: 'json' },
  listHistory: { method: 'GET', path: '/api/v1/history', query: ["kind","limit"], body: 'none', answer: 'json' },
  listModels: { method: 'GET', path: '/api/v1/models', query: [], body: 'none', answer: 'json' },
  listVersions: { method: 'GET', path: '/api/v1/models/{name}/versions', query: [], body: 'none', answer: 'json' },
  importModel: { method: 'PUT', path: '/api/v1/models/{name}/versions', query: ["metadata","trust"], body: 'application/octet-stream', answer: 'json' },
  getVersion: { method: 'GET', path: '/api/v1/models/{name}/versions/{version}', query: [], body: 'none', answer: 'json' },
  removeVersion: { method: 'DELETE', path: '/api/v1/models/{name}/versions/{version}', query: [], body: 'none', answer: 'json' },
  importComposition: { method: 'POST', path: '/api/v1/models/{name}/compositions', query: [], body: 'json', answer: 'json' },
  listRuns: { method: 'GET', path: '/api/v1/runs', query: ["status","limit"], body: 'none', answer: 'json' },
  getRun: { method: 'GET', path: '/api/v1/runs/{id}', query: [], body: 'none', answer: 'json' },
  putRun: { method: 'PUT', path: '/api/v1/runs/{id}', query: [], body: 'json', answer: 'json' },
  removeRun: { method: 'DELETE', path: '/api/v1/runs/{id}', query: [], body: 'none', answer: 'json' },
  listJobs: { method: 'GET', path: '/api/v1/jobs', query: ["queue","tenant","state","group","limit","after"], body: 'none', answer: 'json' },
  enqueueJobs: { method: 'POST', path: '/api/v1/jobs', query: [], body: 'json', answer: 'json' },
  getJob: { method: 'GET', path: '/api/v1/jobs/{id}', query: [], body: 'none', answer: 'json' },
  readJobLog: { method: 'GET', path: '/api/v1/jobs/{id}/log', query: ["attempt","offset","maxBytes"], body: 'none', answer: 'json' },
  cancelJob: { method: 'POST', path: '/api/v1/jobs/{id}/cancel', query: [], body: 'json', answer: 'json' },
  reviveJob: { method: 'POST', path: '/api/v1/jobs/{id}/revive', query: [], body: 'none', answer: 'json' },
  preemptJob: { method: 'POST', path: '/api/v1/jobs/{id}/preempt', query: [], body: 'none', answer: 'json' },
  listQueues: { method: 'GET', path: '/api/v1/queues', query: [], body: 'none', answer: 'json' },
  setQueueMode: { method: 'PUT', path: '/api/v1/queues/{queue}/mode', query: [], body: 'json', answer: 'json' },
  listTenants: { method: 'GET', path: '/api/v1/tenants', query: [], body: 'none', answer: 'json' },
  putTenant: { method: 'PUT', path: '/api/v1/tenants/{tenant}', query: [], body: 'json', answer: 'json' },
  listWorkers: { method: 'GET', path: '/api/v1/workers', query: [], body: 'none', answer: 'json' },
  listSandboxes: { method: 'GET', path: '/api/v1/sandboxes', query: [], body: 'none', answer: 'json' },
  listSchedules: { method: 'GET', path: '/api/v1/schedules', query: [], body: 'none', answer: 'json' },
  putSchedule: { method: 'PUT', path: '/api/v1/schedules/{schedule}', query: [], body: 'json', answer: 'json' },
  removeSchedule: { method: 'DELETE', path: '/api/v1/schedules/{schedule}', query: [], body: 'none', answer: 'json' },
  uploadArtifact: { method: 'PUT', path: '/api/v1/artifacts', query: [], body: 'application/octet-stream', answer: 'json' },
  getArtifact: { method: 'GET', path: '/api/v1/artifacts/{digest}', query: [], body: 'none', answer: 'json' },
  downloadArtifact: { method: 'GET', path: '/api/v1/artifacts/{digest}/content', query: [], body: 'none', answer: 'stream' },
  getFleet: { method: 'GET', path: '/api/v1/fleet', query: [], body: 'none', answer: 'json' },
  listPlacements: { method: 'GET', path: '/api/v1/fleet/placements', query: [], body: 'none', answer: 'json' },
  getFleetScale: { method: 'GET', path: '/api/v1/fleet/scale', query: [], body: 'none', answer: 'json' },
  finaliseFleet: { method: 'POST', path: '/api/v1/fleet/finalise', query: [], body: 'none', answer: 'json' },
  getNode: { method: 'GET', path: '/api/v1/node', query: [], body: 'none', answer: 'json' },
  adoptStore: { method: 'POST', path: '/api/v1/node/adopt-store', query: [], body: 'none', answer: 'json' },
  listErrors: { method: 'GET', path: '/api/v1/errors', query: [], body: 'none', answer: 'json' },
  listAudit: { method: 'GET', path: '/api/v1/audit', query: ["limit"], body: 'none', answer: 'json' },
  listKeys: { method: 'GET', path: '/api/v1/keys', query: [], body: 'none', answer: 'json' },
  createKey: { method: 'POST', path: '/api/v1/keys', query: [], body: 'json', answer: 'json' },
  getKey: { method: 'GET', path: '/api/v1/keys/{id}', query: [], body: 'none', answer: 'json' },
  revokeKey: { method: 'DELETE', path: '/api/v1/keys/{id}', query: [], body: 'none', answer: 'json' },
};
