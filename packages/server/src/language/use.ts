/**
 * The use of language models, by model and provider: for `/metrics` and the console, and
 * by caller for the audit trail. A row of the audit sums the requests of a minute, because a row per
 * request would displace what operators did.
 */
import type { LanguageUseView } from '@skein/api';
import type { Loss, Outcome, Receipt, Usage } from '@skein/generative';
import { type Exposition, type GatewayLogger, labelled } from '@skein/http';
import type { State } from '@skein/state';
import { countOf, expose, histogram, observe } from '../telemetry/metrics/histogram.ts';

/** Milliseconds. The objective of a model is usually among the middle ones. */
const TTFT_BOUNDS = [10, 25, 50, 100, 200, 350, 500, 750, 1000, 2000, 5000, 10_000, 30_000];
/** Models and providers that have series of their own; callers name none of them. */
const MAX_SERIES = 256;
const AUDIT_EVERY_MS = 60_000;
/** Rows of one minute in the audit, without the one that sums the rest. */
const MAX_AUDIT_ROWS = 50;
/** The rest, without a series or row of its own. No model has this name: names have no brackets. */
const OTHERS = '(others)';

interface Series {
  readonly model: string;
  readonly provider: string;
  readonly codes: Map<string, number>;
  readonly ttft: ReturnType<typeof histogram>;
  requests: number;
  cacheHits: number;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** Tokens of answers: calls that gave none have no speed. */
  answeredTokens: number;
  costUsd: number;
  /** From the first token to the end, of answers with tokens. */
  streamingMs: number;
}

interface AuditSum {
  readonly actor: string;
  readonly subject: string;
  requests: number;
  failed: number;
  tokens: number;
  costUsd: number;
}

export interface LanguageUse {
  readonly observe: (outcome: Outcome) => void;
  readonly observeLoss: (loss: Loss) => void;
  views(): LanguageUseView[];
  expose(into: Exposition): void;
  /** Writes what the audit does not have yet. */
  close(): Promise<void>;
}

export function countLanguageUse(
  state: Pick<State, 'addAudit'>,
  logger: GatewayLogger,
): LanguageUse {
  const all = new Map<string, Series>();
  let sums = new Map<string, AuditSum>();
  let rest: AuditSum | undefined;
  let timer: NodeJS.Timeout | undefined;

  function seriesOf(model: string, provider: string): Series {
    const key = `${model}\0${provider}`;
    const known = all.get(key);
    if (known !== undefined) return known;
    if (all.size >= MAX_SERIES && model !== OTHERS) return seriesOf(OTHERS, '');
    const series = newSeries(model, provider);
    all.set(key, series);
    return series;
  }

  function sumOf({ caller, model }: Pick<Outcome, 'caller' | 'model'>): AuditSum {
    const actor = caller.payer ?? caller.key ?? 'local';
    const key = `${actor} ${caller.tenant} ${model}`;
    const known = sums.get(key);
    if (known !== undefined) return known;
    const sum =
      sums.size < MAX_AUDIT_ROWS
        ? newSum(actor, `${model} (${caller.tenant})`)
        : (rest ??= newSum(OTHERS, OTHERS));
    if (sum !== rest) sums.set(key, sum);
    return sum;
  }

  function addToAudit(outcome: Outcome): void {
    const sum = sumOf(outcome);
    const { receipt, error } = outcome;
    sum.requests += 1;
    // A caller that has left is no failure.
    if (error !== undefined && error !== 'CANCELLED') sum.failed += 1;
    const { inputTokens, outputTokens } = generatedOf(receipt);
    sum.tokens += inputTokens + outputTokens;
    sum.costUsd += receipt?.answerUsd ?? 0;
    writeSoon();
  }

  function writeSoon(): void {
    timer ??= setTimeout(() => void write(), AUDIT_EVERY_MS).unref();
  }

  async function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const rows = [...sums.values(), ...(rest === undefined ? [] : [rest])];
    sums = new Map();
    rest = undefined;
    for (const { actor, subject, requests, failed, tokens, costUsd } of rows) {
      const outcome = `${requests} requests, ${failed} failed, ${tokens} tokens, $${costUsd.toFixed(6)}`;
      await state
        .addAudit({ actor, action: 'generate', subject, outcome, remote: '' })
        .catch((error: unknown) =>
          logger.error({ err: error }, 'The use of language models could not be written down.'),
        );
    }
  }

  return {
    observe(outcome) {
      const { model, receipt, error, durationMs } = outcome;
      // A name that no model has must not become a series.
      if (error === 'MODEL_UNKNOWN') return;
      const series = seriesOf(model, receipt?.provider ?? '');
      const code = error ?? 'ok';
      series.requests += 1;
      series.codes.set(code, (series.codes.get(code) ?? 0) + 1);
      if (receipt !== undefined) {
        const { answerUsd, cache, ttftMs } = receipt;
        const usage = generatedOf(receipt);
        if (cache !== 'miss') series.cacheHits += 1;
        series.inputTokens += usage.inputTokens;
        series.cachedTokens += usage.cachedInputTokens ?? 0;
        series.outputTokens += usage.outputTokens;
        series.answeredTokens += usage.outputTokens;
        series.costUsd += answerUsd;
        observe(series.ttft, ttftMs);
        if (isPaid(receipt)) series.streamingMs += Math.max(0, durationMs - ttftMs);
      }
      addToAudit(outcome);
    },
    /** Counts a hedge or a fallback too: the receipt of the answer counts only its own call. */
    observeLoss(loss) {
      const { usage, costUsd } = loss;
      const series = seriesOf(loss.model, loss.provider);
      series.inputTokens += usage.inputTokens;
      series.cachedTokens += usage.cachedInputTokens ?? 0;
      series.outputTokens += usage.outputTokens;
      series.costUsd += costUsd;
      const sum = sumOf(loss);
      sum.tokens += usage.inputTokens + usage.outputTokens;
      sum.costUsd += costUsd;
      writeSoon();
    },
    views: () => [...all.values()].map(viewOf),
    expose: (into) => exposeSeries([...all.values()], into),
    close: write,
  };
}

/**
 * Whether the calls to providers are on the receipt. Of callers that share an answer one pays: not always the one that
 * began it, which may have left.
 */
const isPaid = ({ attempts }: Receipt): boolean => attempts > 0;

/** The tokens of a shared answer are counted once, with its cost. */
function generatedOf(receipt: Receipt | undefined): Usage {
  return receipt !== undefined && isPaid(receipt)
    ? receipt.usage
    : { inputTokens: 0, outputTokens: 0 };
}

const newSum = (actor: string, subject: string): AuditSum => ({
  actor,
  subject,
  requests: 0,
  failed: 0,
  tokens: 0,
  costUsd: 0,
});

const newSeries = (model: string, provider: string): Series => ({
  model,
  provider,
  codes: new Map(),
  ttft: histogram(TTFT_BOUNDS),
  requests: 0,
  cacheHits: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  answeredTokens: 0,
  costUsd: 0,
  streamingMs: 0,
});

function viewOf(series: Series): LanguageUseView {
  const { model, provider, requests, codes, cacheHits, ttft, streamingMs } = series;
  const { inputTokens, outputTokens, answeredTokens, costUsd } = series;
  return {
    model,
    provider,
    requests,
    failed: requests - (codes.get('ok') ?? 0) - (codes.get('CANCELLED') ?? 0),
    cacheHits,
    inputTokens,
    outputTokens,
    costUsd,
    ...(countOf(ttft) === 0
      ? {}
      : { ttftMs: { p50: quantile(ttft, 0.5), p99: quantile(ttft, 0.99) } }),
    tokensPerSecond: streamingMs === 0 ? 0 : (answeredTokens * 1000) / streamingMs,
  };
}

/** The upper bound of the bucket that holds it; beyond the last bound, that one. */
function quantile({ bounds, counts }: ReturnType<typeof histogram>, at: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [bucket, bound] of bounds.entries()) {
    seen += counts[bucket] ?? 0;
    if (seen >= at * total) return bound;
  }
  return bounds.at(-1) ?? 0;
}

/** Names and units follow Prometheus; the measures follow OpenTelemetry's GenAI conventions. */
function exposeSeries(all: readonly Series[], into: Exposition): void {
  if (all.length === 0) return;
  const labels = new Map(
    all.map((series) => [series, labelled({ model: series.model, provider: series.provider })]),
  );
  const counter = (name: string, help: string, valueOf: (series: Series) => number): void => {
    into.family(name, 'counter', help);
    for (const series of all) into.sample(labels.get(series)!, valueOf(series));
  };
  into.family(
    'skein_language_requests_total',
    'counter',
    'Requests to language models, by outcome.',
  );
  for (const series of all) {
    for (const [code, count] of series.codes) {
      into.sample(`${labels.get(series)},code="${code}"`, count);
    }
  }
  into.family('skein_language_tokens_total', 'counter', 'Tokens, as the providers counted them.');
  for (const series of all) {
    const { inputTokens: input, cachedTokens: cached, outputTokens: output } = series;
    for (const [type, count] of Object.entries({ input, cached_input: cached, output })) {
      into.sample(`${labels.get(series)},type="${type}"`, count);
    }
  }
  counter(
    'skein_language_cost_usd_total',
    'Cost at the declared prices, in US dollars.',
    (series) => series.costUsd,
  );
  counter(
    'skein_language_cache_hits_total',
    'Answers from the cache.',
    (series) => series.cacheHits,
  );
  into.family('skein_language_ttft_seconds', 'histogram', 'Time to the first token.');
  for (const series of all) expose(series.ttft, labels.get(series)!, 1000, into);
}
