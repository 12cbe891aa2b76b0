/**
 * The constants of replicas, with their units and reasons: how long they may take to start and to
 * run, how they are warmed, and when a lost one is replaced. They bound what the simulation of
 * `tuning.ts` does not play: threads that hang, processes that end, models that do not load.
 */
export const replicaTuning = {
  // Warming

  /** Warming ends after this time, even if sizes are left, in milliseconds. */
  warmingMs: 1_000,
  /** Runs of each size: the first is slower than the later ones. */
  runsPerSize: 2,
  /** A size that takes more of the objective would never be used, so larger ones are not tried. */
  longestWarmingRun: 0.5,

  // Starting

  /** Start timeout of a version that has served before, as a multiple: a starting node loads all versions at once. */
  provenStartTimes: 5,
  /** Estimated loading time before the first measurement, in milliseconds. */
  loadingGuessMs: 1_000,
  /** Time in which a worker must end; native code that does not return is abandoned then, in milliseconds. */
  closingMs: 1_000,

  // Replacing lost replicas

  /** Pause before the second replacement, in milliseconds; each later pause is twice as long. */
  firstPauseMs: 100,
  /** Consecutive replicas that end without serving before the version is failed. */
  maxAttempts: 8,
  /** Replicas lost in a run lengthen the pause only up to here: 400 ms. */
  maxRunEnds: 4,
  /** How often a failed version tries again, in milliseconds. */
  failedPauseMs: 60_000,
  /** A replica that was ready for this long counts as good, even without a request, in milliseconds. */
  goodServiceMs: 30_000,
  /** Lost replicas that stay in a snapshot. */
  rememberedLost: 3,

  // Prepared runs

  /** Runs are prepared while the loop's thread is busy for less than this share of the time. */
  busyThread: 0.8,
  /** How often the share is read, in runs. */
  loadEveryRuns: 64,
  /** One in so many tries of other sizes interrupts runs that are prepared. With every one they gain half as much. */
  preparedTries: 8,

  /** Runs of lone requests on the thread of the loop. */
  inline: {
    /** Consecutive requests that came alone, before one runs there. */
    loneRequests: 16,
    /** The longest run, in milliseconds: about what this thread takes to read half a megabyte of JSON. */
    longestMs: 0.5,
    /** How much of a difference to the expected time each run corrects. */
    gain: 0.2,
    /** Sizes of requests that are remembered. */
    sizes: 64,
    /** One runs in the replica, whose costs admission plans with, after so many milliseconds and runs. */
    replicaEveryMs: 1_000,
    replicaEveryRuns: 16,
    /** The largest file of a model, in bytes: its weights are there twice, and loading holds up the thread for 20 ms. */
    modelBytes: 8 * 2 ** 20,
    /** The most nodes of its graph: more would not run in that time, and take long to look at. */
    nodes: 1_024,
    /** Bound for all models of a node together, in bytes, and as a share of the memory that it may use. */
    allBytes: 32 * 2 ** 20,
    memoryShare: 1 / 64,
    /** A session without a run for so long gives back its memory, in milliseconds. */
    unusedMs: 60_000,
  },

  // Timeouts of runs

  /** Longest time before the grace, whatever the deadline: the largest of these, in milliseconds, objectives and expected runs. */
  longestMs: 10_000,
  longestObjectives: 10,
  longestRuns: 20,
  /** After the deadline: at least so many milliseconds, and so many times the expected run time at p99. */
  graceMs: 1_000,
  graceRuns: 4,
  /** A thread cannot be ended: it keeps its core, so a mistake costs more. */
  threadGraceMs: 5_000,
  /** A size without a measured run may be slow, and could never show it if its first run were ended. */
  unknownGraceMs: 10_000,
  /** How often runs are checked against their timeouts, in milliseconds. */
  watchEveryMs: 250,
  /** A check that is so many milliseconds late shows a stall of this thread or the machine, not of the runs. */
  stallMs: 1_000,
};
