import { ERRORS } from '@skein/api';
import type { ManagementOptions } from '../contract.ts';
import type { Handlers } from '../handler.ts';

const ERROR_ROWS = Object.entries(ERRORS).map(([code, row]) => ({ code, ...row }));

export function nodeHandlers({
  nodeInfo,
  state,
}: Pick<ManagementOptions, 'nodeInfo' | 'state'>): Pick<
  Handlers,
  'getNode' | 'listErrors' | 'listAudit'
> {
  return {
    getNode: () => nodeInfo(),
    listErrors: () => ({ errors: ERROR_ROWS }),
    listAudit: async ({ query }) => ({ entries: await state.audit(query.limit) }),
  };
}
