/**
 * The constants of dispatch, with their units and reasons. What each is worth is measured: halved
 * and doubled over the traces of `testing/traces.ts`, see docs/concepts/dispatch.md. A constant that
 * makes no difference there is deleted. What no simulation can judge is elsewhere: the constants of
 * replicas in `replica-tuning.ts`, bounds of memory next to the code that they bound.
 */
export const tuning = {
  // The cost of a run

  /** A smaller batch is preferred as long as it reaches this share of the best throughput. */
  goodThroughput: 0.97,
  /** Runs over which the share of a row count in all runs is computed. */
  cellMemoryRuns: 64,
  /** Fraction of a difference that a run corrects after the first samples. */
  cellGain: 0.1,
  /** Runs after which a size, or a row count that was interpolated, is known. */
  runsToKnow: 6,

  // The pace of the machine

  /** Runs whose median is the level, and arrivals whose rate is computed. */
  recentSamples: 32,
  /** Runs whose quantiles are the variation. */
  variationSamples: 128,
  /** A ratio this far from the level may belong to a new one; queued requests are repriced when the level has changed by it. */
  paceFar: 1.6,
  /** Consecutive runs far on one side that are a new level. */
  streak: 4,
  /** A larger tail of few runs is a stall, which admission cannot plan for. */
  maxTail: 5,
  /** Quantile beyond `maxTail` from which the tail is typical of the model. */
  regularQuantile: 0.95,
  /** The largest tail that is planned for. */
  maxRegularTail: 12,
  /** The p99 estimate is at most this much over what recent runs took; of few runs, over the largest. */
  tailMargin: 1.2,
  /** So many samples are few. */
  fewSamples: 16,
  /** Half-life of the bound at which an idle node accepts one request, while it refuses. */
  refusalHalfLifeMs: 500,

  // Which requests are accepted

  /** Fraction of its time that an answer should have left. */
  cautionClose: 0.05,
  /** Share of the answers that should have it. */
  cautionQuantile: 0.99,
  /** Increase of the caution by a close answer. */
  cautionStep: 0.02,
  /** The largest caution. */
  cautionMost: 0.5,
  /** The caution of a deployment without answers, whose cost is measured by warming alone. */
  cautionFirst: 0.1,
  /** Shift of the deadline per priority level, as a fraction of the objective. */
  levelObjectives: 0.5,
  /** A tenant of mean weight may fill this many times the free time: 4/5 of the queue while no other does. */
  tenantReach: 4,

  // The choice of the next run

  /** Longest batch, as a fraction of its requests’ time, so that they can wait for the previous one. */
  batchShare: 0.5,
  /** A smaller fixed cost is not worth waiting for: the gateway reads the next requests meanwhile (measured on a node: a quarter less throughput). */
  leastSavingMs: 2,
  /** Fraction of the time of all runs that trying other sizes may cost, by the estimates. */
  tryShare: 0.02,
  /** Least cost of a try, as a fraction of its run: it changes how long requests wait. */
  tryLeastCost: 0.25,
  /** Decisions between two tries. */
  tryEvery: 4,
};

export type Tunable = keyof typeof tuning;
