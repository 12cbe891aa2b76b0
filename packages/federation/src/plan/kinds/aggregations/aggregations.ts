/** The aggregations that a plan may choose, one line each. */
import { committee } from './committee.ts';
import { pairwise } from './pairwise.ts';
import { plain } from './plain.ts';

export const AGGREGATIONS = [pairwise, committee, plain] as const;
