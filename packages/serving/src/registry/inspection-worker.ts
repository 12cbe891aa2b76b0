/** Reads one model file in its own thread. */
import { serve } from '@skein/calls/serve';
import { inspectModel } from './inspection.ts';

const calls = {
  inspect: ([path, sizeBytes]: readonly [path: string, sizeBytes: number]) =>
    inspectModel(path, sizeBytes),
};
export type InspectionCalls = typeof calls;
serve(calls);
