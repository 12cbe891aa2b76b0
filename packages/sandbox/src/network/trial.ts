/** The session of a driver's probe: with an address list, if one can be enforced here. */
import type { NetworkPolicy } from '../contract.ts';

export interface Trial<Session> {
  readonly session: Session;
  /** Why no address list can be enforced; undefined when one can. */
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
    // When no session can be opened, this reports it.
    const session = await open('none');
    return { session, noList: error instanceof Error ? error.message : String(error) };
  }
}
