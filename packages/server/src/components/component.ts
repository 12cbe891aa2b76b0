/** The options, logger, lifecycle and clock that every component of a node gets. */
import type { Clock } from '@skein/serving';
import type { Lifecycle } from '../lifecycle.ts';
import type { createLogger } from '../telemetry/log.ts';
import type { NodeSettings } from './options.ts';

export interface Opening {
  readonly options: NodeSettings;
  readonly logger: ReturnType<typeof createLogger>;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
}

/** A model file may be larger than any inference request. */
export const MAX_MODEL_BYTES = 2 ** 36;
