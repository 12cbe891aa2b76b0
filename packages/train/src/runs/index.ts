/** Trains from files into a run folder, as `skein train` does; needs Node. */
export { trainAsJobs } from './gang-jobs/train-jobs.ts';
export { explaining } from './failure.ts';
export { gangOf, type Gang } from './gang/gang.ts';
export { jobProgress } from './job-progress.ts';
export { formatOf, labelsFileOf, readTrainingData, tableOf } from './sources/data-files.ts';
export { networkOf } from './sources/model-source.ts';
export { originOf, type Origin, type PlacedVersion } from './origin.ts';
export type { Preparation } from './prepare.ts';
export { followRun, resumeRun, trainRun, type RunOptions, type TrainedRun } from './train-run.ts';
