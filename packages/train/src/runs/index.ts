/** Trains from files into a run folder, as `skein train` does; needs Node. */
export { explaining } from './failure.ts';
export { gangOf, type Gang } from './gang.ts';
export { labelsFileOf } from './data-files.ts';
export {
  originOf,
  resolveOrigin,
  saveOrigin,
  type Origin,
  type ResolvedTraining,
} from './origin.ts';
export {
  checkTraining,
  followRun,
  resumeRun,
  trainRun,
  type CheckedTraining,
  type ResumeOptions,
  type RunOptions,
  type TrainedRun,
} from './train-run.ts';
