import { invalidRequest } from '../../brief.ts';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function runHandlers({ runs }: Pick<ManagementOptions, 'runs'>) {
  return {
    listRuns: ({ query }) => runs.list(query),
    getRun: ({ params }) => runs.get(params.id),
    async putRun({ params, body: { run } }) {
      if (run.id === params.id) return runs.put(run);
      throw invalidRequest(
        `The run in the body is "${run.id}", but the path names "${params.id}".`,
      );
    },
    async removeRun({ params }) {
      await runs.remove(params.id);
      return undefined;
    },
  } satisfies Partial<NodeHandlers>;
}
