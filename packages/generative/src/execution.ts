/** State that all calls of one request share. */
import type { LanguageModel } from '@skein/api';
import type { Instant } from '@skein/serving';
import type { Caller, GenerateRequest, Usage } from './contract.ts';
import { payerOf, type Ledger } from './money/ledger.ts';
import type { Assignment } from './rollout/assign.ts';
import type { HedgeBudget } from './routing/hedge-budget.ts';
import type { Route } from './routing/route.ts';
import { DEADLINE_OBJECTIVES } from './tuning.ts';

export interface Model {
  readonly settings: LanguageModel;
  readonly routes: readonly Route[];
  readonly hedges: HedgeBudget;
}

export interface Execution {
  readonly model: Model;
  /** The model's routes to which the tenant's data may go. */
  readonly routes: readonly Route[];
  /** Where a route of the model is being replaced. */
  readonly assignment?: Assignment | undefined;
  readonly caller: Caller;
  readonly ledger: Ledger;
  readonly clock: { now(): number };
  readonly random: () => number;
  /** How long it may wait for the first content, where others than its caller do so too; absent: by the caller's deadline. */
  readonly until?: Instant | undefined;
  /** Called at the first content. For an answer that is not streamed, that is long before its end. */
  readonly begun?: (() => void) | undefined;
  /** Called for each call that has failed, was overtaken or was left before it answered. */
  readonly lost?: ((loss: LostCall) => void) | undefined;
}

/** A call that has cost something and answered nothing. */
export interface LostCall {
  readonly provider: string;
  readonly nanoDollars: number;
  readonly usage: Usage;
}

/** A call that is to be made. */
export interface Start {
  readonly route: Route;
  readonly longestWaitMs: number;
  /** Longest wait for the first content, the one for a place included. */
  readonly firstMs: number;
  /** Whether the caller leaves the provider less time than its model does. */
  readonly isHurried: boolean;
}

/** The token limit for the provider. A budget's reserved worst case holds only if the provider is held to it. */
export function tokenLimitOf(
  { model, caller, ledger }: Pick<Execution, 'model' | 'caller' | 'ledger'>,
  { maxTokens }: GenerateRequest,
): number | undefined {
  return maxTokens ?? (ledger.counts(payerOf(caller)) ? model.settings.maxOutputTokens : undefined);
}

/** When the first content must be there: by the request's own deadline, and by its model's. */
export function deadlinesOf({ model: { settings }, caller }: Execution) {
  const { ttftMs, deadlineMs = DEADLINE_OBJECTIVES * ttftMs } = settings;
  const modelsAt = caller.arrivedAt + deadlineMs;
  return { ownAt: caller.deadline ?? modelsAt, modelsAt };
}
