/** The strategies that a plan may choose, one line each. */
import { fedadagrad, fedadam, fedyogi } from './adaptive.ts';
import { fedavg, fedprox, fedsgd } from './averages.ts';
import { fedbuff } from './fedbuff.ts';
import { scaffold } from './scaffold.ts';
import { statistics } from './statistics.ts';

export const STRATEGIES = [
  fedavg,
  fedprox,
  fedadam,
  fedyogi,
  fedadagrad,
  scaffold,
  fedbuff,
  fedsgd,
  statistics,
] as const;
