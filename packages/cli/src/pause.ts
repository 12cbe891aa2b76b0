/** Waits, unless the signal aborts it: then it rejects with the signal's reason. */
import { setTimeout } from 'node:timers/promises';

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal });
}
