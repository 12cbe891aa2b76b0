/** A federation and its ledger, which is fetched again only when the federation has changed. */
import type { FederationLedger, FederationView } from '@skein/api';
import { type Loaded, useFresh } from '@skein/ui';
import { useRef } from 'preact/hooks';
import { node } from '../node.ts';

export interface Followed {
  readonly view: FederationView;
  readonly ledger: FederationLedger;
}

export function useFederation(id: string): Loaded<Followed> {
  const seen = useRef<Followed | undefined>(undefined);
  return useFresh({ everyMs: 1000, identity: id }, async (signal) => {
    const view = await node().getFederation({ id }, { signal });
    const isSame = seen.current?.view.updatedAt === view.updatedAt;
    const ledger = isSame ? seen.current!.ledger : await node().getLedger({ id }, { signal });
    return (seen.current = { view, ledger });
  });
}
