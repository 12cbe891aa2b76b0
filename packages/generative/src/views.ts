/** The gateway's models, routes and budgets as the faces, the console and the metrics show them. */
import type { ClosedBy } from './routing/circuit.ts';

export interface LanguageModelView {
  readonly name: string;
  readonly providers: readonly string[];
  readonly kinds: readonly ('generate' | 'embed')[];
  readonly contextTokens?: number | undefined;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A route of a model as it stands, for the console and for metrics. Times in milliseconds. */
export interface RouteView {
  readonly provider: string;
  readonly model: string;
  readonly running: number;
  readonly waiting: number;
  readonly failures: number;
  /** Until it is asked again, by all tenants or by those that `closedBy` counts; 0: it is asked now. */
  readonly closedInMs: number;
  /** Why, with the code of the last failure; absent: it is asked now. */
  readonly closedBy?: ClosedBy | undefined;
  /** Spent quotas by id, and in how many milliseconds each is reset. */
  readonly quotas: Readonly<Record<string, number>>;
  /** Quantiles of the time to the first token of an empty prompt; absent: too few requests so far. */
  readonly ttft?: { readonly p50: number; readonly p95: number; readonly p99: number } | undefined;
  readonly msPerPromptToken: number;
}

export interface ModelView {
  readonly name: string;
  readonly ttftMs: number;
  readonly routes: readonly RouteView[];
}

export interface GatewayView {
  readonly models: readonly ModelView[];
  readonly budgets: readonly {
    readonly subject: string;
    readonly period: string;
    readonly unit: 'usd' | 'tokens';
    readonly limit: number;
    /** Spent, reserved, or held by a node for its next requests. */
    readonly taken: number;
  }[];
}
