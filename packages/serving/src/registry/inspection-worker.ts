/** Reads one model file in its own thread. */
import { readFileSync } from 'node:fs';
import { serve } from '@skein/calls/serve';
import { inspectModel } from './inspection.ts';

const calls = { inspect: (path: string) => inspectModel(readFileSync(path)) };
export type InspectionCalls = typeof calls;
serve(calls);
