/**
 * What a driver found out about this host, told to the threads that the process starts later: each
 * has drivers of its own, and none of them has to try again what was tried.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** @param key names all that the answer depends on. @param find is asked where nobody was before. */
export async function remembered<Found>(key: string, find: () => Promise<Found>): Promise<Found> {
  const name = `skein:sandbox:${key}`;
  const known = getEnvironmentData(name);
  if (known !== undefined) return known as Found;
  const found = await find();
  setEnvironmentData(name, found as Parameters<typeof setEnvironmentData>[1]);
  return found;
}
