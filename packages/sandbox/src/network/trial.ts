/** The session in which a driver is tried: with a list of addresses, if one can be held here. */
import type { NetworkPolicy } from '../contract.ts';

export interface Trial<Session> {
  readonly session: Session;
  /** Why no list of addresses can be held; undefined where one can. */
  readonly noList: string | undefined;
}

/** @param noList why there is no need to try. */
export async function openTrial<Session>(
  open: (network: NetworkPolicy) => Promise<Session>,
  noList?: string,
): Promise<Trial<Session>> {
  if (noList !== undefined) return { session: await open('none'), noList };
  try {
    return { session: await open({ allow: [] }), noList };
  } catch (error) {
    // Where nothing can be opened at all, this says so.
    const session = await open('none');
    return { session, noList: error instanceof Error ? error.message : String(error) };
  }
}
