// Written from the endpoint table by packages/api/scripts/write-reference.ts; do not edit.
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
  /** `none`, `json`, or the media type of a raw body. */
  readonly body: string;
}

export const ROUTES: Readonly<Record<string, Route>> = {
  listDeployments: { method: 'GET', path: '/api/v1/deployments', query: [], body: 'none' },
  deploy: { method: 'POST', path: '/api/v1/deployments', query: [], body: 'json' },
  getDeployment: { method: 'GET', path: '/api/v1/deployments/{name}', query: [], body: 'none' },
  changeSettings: { method: 'PATCH', path: '/api/v1/deployments/{name}', query: [], body: 'json' },
  undeploy: { method: 'DELETE', path: '/api/v1/deployments/{name}', query: [], body: 'none' },
  rollback: { method: 'POST', path: '/api/v1/deployments/{name}/rollback', query: [], body: 'json' },
  deploymentHistory: { method: 'GET', path: '/api/v1/deployments/{name}/history', query: ["kind","limit"], body: 'none' },
  listHistory: { method: 'GET', path: '/api/v1/history', query: ["kind","limit"], body: 'none' },
  listModels: { method: 'GET', path: '/api/v1/models', query: [], body: 'none' },
  listVersions: { method: 'GET', path: '/api/v1/models/{name}/versions', query: [], body: 'none' },
  importModel: { method: 'PUT', path: '/api/v1/models/{name}/versions', query: ["metadata"], body: 'application/octet-stream' },
  getVersion: { method: 'GET', path: '/api/v1/models/{name}/versions/{version}', query: [], body: 'none' },
  removeVersion: { method: 'DELETE', path: '/api/v1/models/{name}/versions/{version}', query: [], body: 'none' },
  importComposition: { method: 'POST', path: '/api/v1/models/{name}/compositions', query: [], body: 'json' },
  getNode: { method: 'GET', path: '/api/v1/node', query: [], body: 'none' },
  listErrors: { method: 'GET', path: '/api/v1/errors', query: [], body: 'none' },
  listAudit: { method: 'GET', path: '/api/v1/audit', query: ["limit"], body: 'none' },
  listKeys: { method: 'GET', path: '/api/v1/keys', query: [], body: 'none' },
  createKey: { method: 'POST', path: '/api/v1/keys', query: [], body: 'json' },
  revokeKey: { method: 'DELETE', path: '/api/v1/keys/{id}', query: [], body: 'none' },
};
