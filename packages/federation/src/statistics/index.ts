/** Counts of a federation, and what is computed from them; runs in Node and in the browser. */
export { type Axis, binOf, isNumeric } from './axes.ts';
export { calibrationOf, type BinnedCalibration } from './calibration.ts';
export { type Drift, driftOf, quantilesOf } from './columns.ts';
export { conformalQuantile, conformalSet, type ConformalQuantile } from './conformal.ts';
export { decisionsAt, rankingOf } from './performance.ts';
export {
  countedRoundOf,
  type CountTable,
  type NoisyCounts,
  type Statistics,
  statisticsOf,
  suppressed,
} from './released.ts';
export { reportOf, type TableReport } from './report.ts';
export { marginal, type ScoreCounts, scoresOf, tempered } from './score-counts.ts';
export { temperatureOf } from './temperature.ts';
