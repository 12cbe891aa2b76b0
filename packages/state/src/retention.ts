/** How much history every backend keeps. The bounds hold after each write, so a data folder cannot grow without limit. */
export const RETENTION = {
  /** History entries per deployment and kind: a busy autoscaler must not displace changes by operators. */
  historyPerKind: 1000,
  /** History entries over all deployments. */
  history: 100_000,
  audit: 100_000,
  runs: 10_000,
  /** Entries of the change feed; a reader that is further behind takes a new snapshot. */
  changes: 10_000,
  /** Earlier rows of one deployment that a rollback can return to. */
  deploymentRevisions: 100,
} as const;
