import type { Responses } from '../responses/responses.ts';
import type { Calls } from './calls.ts';

export function responseCalls({ run }: Calls): Responses {
  return {
    async putResponse(owner, { id, previous = '', value }, { count, bytes, endsAt }) {
      return (await run('put-response', owner, id, previous, value, count, bytes, endsAt)) === '1';
    },
    async responseChain(owner, id) {
      const rows = (await run('response-chain', owner, id)) as [string, string, string][];
      return rows.map(([each, previous, value]) => ({
        id: each,
        previous: previous === '' ? undefined : previous,
        value,
      }));
    },
    async removeResponse(owner, id) {
      return (await run('remove-response', owner, id)) === '1';
    },
    async removeResponses() {
      await run('remove-responses');
    },
  };
}
