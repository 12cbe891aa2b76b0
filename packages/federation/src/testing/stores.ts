/** Where each backend of `FederationStore` keeps its data in a test: as the backends of `State` do. */
import { PLACES as OF_STATES } from '../../../state/src/testing/every-state.ts';
import type { FEDERATION_STORES } from '../store/open-store.ts';

export const PLACES: Readonly<
  Record<keyof typeof FEDERATION_STORES, (typeof OF_STATES)['sqlite']>
> = OF_STATES;
