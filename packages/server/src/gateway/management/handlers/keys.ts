import type { KeyView } from '@skein/api';
import type { KeyView as HeldKeyView } from '../../../access/contract.ts';
import type { ManagementOptions } from '../contract.ts';
import type { Handlers } from '../handler.ts';

export function keyHandlers({
  keys,
}: Pick<ManagementOptions, 'keys'>): Pick<Handlers, 'listKeys' | 'createKey' | 'revokeKey'> {
  return {
    listKeys: async () => ({ keys: (await keys.list()).map(viewOf) }),
    async createKey({ body }) {
      const { key, secret } = await keys.create(body);
      return { ...viewOf(key), secret };
    },
    async revokeKey({ params }) {
      await keys.revoke(params.id);
      return undefined;
    },
  };
}

function viewOf(key: HeldKeyView): KeyView {
  return { ...key, scopes: [...key.scopes] };
}
