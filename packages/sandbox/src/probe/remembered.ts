/**
 * The results of a driver's probe on this host, passed to the threads that the process starts
 * later: each has drivers of its own, and none has to repeat a probe.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/**
 * @param key names everything that the answer depends on. @param find runs when there is no answer
 * for the key yet.
 */
export async function remembered<Found>(key: string, find: () => Promise<Found>): Promise<Found> {
  const name = `skein:sandbox:${key}`;
  const known = getEnvironmentData(name);
  if (known !== undefined) return known as Found;
  const found = await find();
  setEnvironmentData(name, found as Parameters<typeof setEnvironmentData>[1]);
  return found;
}
