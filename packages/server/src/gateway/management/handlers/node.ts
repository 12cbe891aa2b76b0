import { ERRORS } from '@skein/api';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

const ERROR_ROWS = Object.entries(ERRORS).map(([code, row]) => ({ code, ...row }));

export function nodeHandlers({
  nodeInfo,
  adoptStore,
  state,
}: Pick<ManagementOptions, 'nodeInfo' | 'adoptStore' | 'state'>) {
  return {
    getNode: () => nodeInfo(),
    async adoptStore() {
      await adoptStore();
      return nodeInfo();
    },
    listErrors: () => ({ errors: ERROR_ROWS }),
    listAudit: async ({ query }) => ({ entries: await state.audit(query.limit, query.before) }),
  } satisfies Partial<NodeHandlers>;
}
