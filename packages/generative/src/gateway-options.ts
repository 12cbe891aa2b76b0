/** What a gateway is opened with: by a node, or by a program of its own. */
import type { GenerativeProvider, GenerativeSettings } from '@skein/api';
import type { Clock } from '@skein/serving';
import type { State } from '@skein/state';
import type { Provider } from './contract.ts';

/** Opens a provider of one kind; `openGateway` has a table of them, and an operator's own go before. */
export type ProviderFactory = (
  settings: GenerativeProvider,
  secret: string | undefined,
) => Promise<Provider>;

export interface GatewayOptions {
  readonly settings: GenerativeSettings;
  /** Holds the budgets, over a fleet where it is Redis. Absent: they hold in this process. */
  readonly state?: State | undefined;
  /** Providers that are open already, by name: they need no entry in the settings. */
  readonly providers?: readonly Provider[] | undefined;
  /** Weight of a tenant in the shares of a full provider. Default: 1. */
  readonly weightOf?: ((tenant: string) => number) | undefined;
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
}
