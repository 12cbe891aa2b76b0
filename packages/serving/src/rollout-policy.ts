/** The policy of rollouts, for what is rolled out outside of serving: no clocks, no I/O. */
export { BUCKETS, bucketOf, digestOf, type LatencyDigest } from '@skein/api/latency-buckets';
export { countsSince, isImprobable, NOTHING, type Counts } from './rollout/judge.ts';
export {
  advance,
  beginRollout,
  copiedShareOf,
  isOver,
  type Rollout,
  type RolloutEvent,
  shareOf,
} from './rollout/rollout.ts';
export { evidenceOf, p99Of, type RolloutWindow, weigh } from './rollout/windows.ts';
export { stickyPosition } from './deployment/traffic-split.ts';
