/** The constants of routing and admission, with their reasons. Times in milliseconds. */

/** Requests to a provider after which its quantiles are believed. Before that nothing is refused or hedged. */
export const BELIEVED_SAMPLES = 20;
/** Times to the first token that are kept per route: some minutes of a busy one, so that a change shows. */
export const KEPT_SAMPLES = 512;
/** Hedges for each request, at most: what a slow tail may cost more. */
export const HEDGE_SHARE = 0.05;
/** Hedges that may be saved up: a tail comes in bursts. */
export const HEDGE_BURST = 10;
/** Quantile of the time to the first token at which a request is hedged. */
export const HEDGE_QUANTILE = 0.95;
/** A hedge is sent a little after it: one that answers just then needs none, and would take the hedge of a slow one. */
export const HEDGE_MARGIN = 1.2;
/** Part of the objective that a request with a wait may fill: the rest is for what the prediction did not see. */
export const WAITING_FILL = 0.85;
/** The deadline of a request that names none, in objectives: late is better than never. */
export const DEADLINE_OBJECTIVES = 4;
/** Failures in a row that open a circuit: failures of one tenant open its own, and failures of as many tenants the one for all. A single one may be the fault of its request. */
export const CIRCUIT_FAILURES = 3;
/** First and longest pause of an open circuit. */
export const CIRCUIT_MS = { first: 1000, longest: 60_000 } as const;
/** Spent quotas of one backend: a bound on memory and on records, a real upstream has some for each model. */
export const MOST_QUOTAS = 64;
/** A quota that is reset later is written down: it outlasts a restart, which takes less than a minute. */
export const KEPT_QUOTA_MS = 60_000;
/** Waiting requests per place of a provider: a bound on memory, the objective refuses much earlier. */
export const WAITING_PER_PLACE = 64;
/** Copies of a shadow in flight, at most: a bound on memory; further requests are not copied. */
export const COPIES_IN_FLIGHT = 64;
/** Tokens of a prompt, at most one for each byte, from which other requests get a turn of the event loop before it is written. */
export const LARGE_PROMPT = 2 ** 20;
/** Times that a cut stream is continued: an upstream that cuts every answer is billed for its prompt each time. */
export const MOST_CONTINUATIONS = 3;
