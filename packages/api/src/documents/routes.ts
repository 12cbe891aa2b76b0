/**
 * The client's copy of the endpoint table: methods, paths and the place of each field, without the
 * schemas. Written to `client/routes.gen.ts` by the `docs` script; a test fails when they drift.
 */
import { ENDPOINTS } from '../endpoints.ts';
import type { NodeEndpoint } from '../endpoint.ts';

export function renderRoutes(): string {
  const rows = Object.entries<NodeEndpoint>(ENDPOINTS)
    .filter(([, endpoint]) => endpoint.events === undefined)
    .map(([id, endpoint]) => {
      const query = Object.keys(endpoint.query?.shape ?? {});
      const body = endpoint.upload ?? (endpoint.body === undefined ? 'none' : 'json');
      return `  ${id}: { method: '${endpoint.method}', path: '${endpoint.path}', query: ${JSON.stringify(query)}, body: '${body}', answer: '${endpoint.download === undefined ? 'json' : 'stream'}' },`;
    });
  return `// Written from the endpoint table by packages/api/scripts/write-reference.ts; do not edit.
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
  /** \`none\`, \`json\`, or the media type of a raw body. */
  readonly body: string;
  readonly answer: 'json' | 'stream';
}

export const ROUTES: Readonly<Record<string, Route>> = {
${rows.join('\n')}
};
`;
}
