/** Options of a gateway that a node or a program opens. */
import type { ErrorCode, LanguageProvider, LanguageSettings } from '@skein/api';
import type { Clock } from '@skein/serving';
import type { State } from '@skein/state';
import type { Caller, Embeddings, Provider, Receipt, Usage } from './contract.ts';
import type { RouteMemory } from './routing/route-memory.ts';
import type { RolloutTraffic } from './rollout/traffic.ts';

/** Opens a provider of one kind. */
export type ProviderFactory = (
  settings: LanguageProvider,
  secret: string | undefined,
) => Promise<Provider>;

/** Finds a deployed text encoder: vectors of texts, one per text. Undefined: none has the name. */
export type EmbedDeployed = (
  model: string,
) => ((texts: readonly string[], caller: Caller) => Promise<Embeddings>) | undefined;

export interface Outcome {
  readonly caller: Pick<Caller, 'requestId' | 'tenant' | 'key' | 'payer'>;
  readonly model: string;
  /** Absent: refused, or failed before its first content. */
  readonly receipt?: Receipt | undefined;
  /** Absent: it succeeded. */
  readonly error?: ErrorCode | undefined;
  readonly durationMs: number;
}

/** The cost of a call that gave no answer: it failed, its caller left it, or another one was faster. */
export interface Loss extends Pick<Outcome, 'caller' | 'model'> {
  readonly provider: string;
  readonly usage: Usage;
  readonly costUsd: number;
}

export interface GatewayOptions {
  readonly settings: LanguageSettings;
  /** Holds the budgets, over a fleet where it is Redis. Absent: they hold in this process. */
  readonly state?: State | undefined;
  /** Providers that are open already: they need no entry in the settings. The gateway does not close them. */
  readonly providers?: readonly Provider[] | undefined;
  /** Opens further kinds of providers, such as local ones. */
  readonly factories?: Readonly<Record<string, ProviderFactory>> | undefined;
  /**
   * Called with a provider of the settings that cannot be opened, and, without an error, once it is
   * open: until then its routes are away. Absent: the gateway is not opened.
   */
  readonly unopened?: ((provider: string, error: unknown) => void) | undefined;
  /** Weight of a tenant in the shares of a full provider. Default: 1. */
  readonly weightOf?: ((tenant: string) => number) | undefined;
  /** Called at the end of each request: for metrics and the audit. It has no text of a request or an answer. */
  readonly observe?: ((outcome: Outcome) => void) | undefined;
  /** Called for each loss, before or after the end of its request, whose receipt has none of its tokens. */
  readonly observeLoss?: ((loss: Loss) => void) | undefined;
  /** Which share of a model's requests goes to another route, and what is seen of it. Default: none. */
  readonly rollouts?: RolloutTraffic | undefined;
  /** State of the routes of an earlier gateway over other settings. Default: none. */
  readonly memory?: RouteMemory | undefined;
  /** A language model of the settings may have the name too, and comes first. */
  readonly embed?: EmbedDeployed | undefined;
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
}

/** Every option by its name: a misspelt one would be ignored. */
export const GATEWAY_OPTIONS: Readonly<Record<keyof GatewayOptions, true>> = {
  settings: true,
  state: true,
  providers: true,
  factories: true,
  unopened: true,
  weightOf: true,
  observe: true,
  observeLoss: true,
  rollouts: true,
  memory: true,
  embed: true,
  clock: true,
  random: true,
};
