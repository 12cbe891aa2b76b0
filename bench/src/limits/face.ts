/** Requests of any face, and the processes that they are sent to. */
import type { EnrolledSite } from './enrolled-site.ts';
import type { Random } from './faces/grammar.ts';
import type { NodeUnderAttack, Probed } from './node-under-attack.ts';

/** One way into a process, with a grammar of what may come. */
export interface Face {
  readonly name: string;
  /** The process that reads it. Default: the node. */
  readonly place?: 'node' | 'reader';
  /** Whether its requests count for a tenant. */
  readonly hasTenant?: true;
  make(random: Random): Sent;
}

export interface Sent {
  /** The place that was amplified, for the log. */
  readonly what: string;
  readonly bytes: number;
  /** @returns the status of the answer, or what ended the connection. */
  send(places: Places): Promise<string>;
}

export interface Places {
  readonly node: NodeUnderAttack;
  /** A site of a federation on the node. */
  readonly site: EnrolledSite;
  /** A process that reads problem packages. */
  readonly reader: Probed;
  readonly readerUrl: string;
}

export interface Turn {
  /** The longest time of the processor between two turns of the event loop, in milliseconds. */
  readonly ms: number;
  readonly status: string;
}

/** Sends one request, and reads how long the process that reads it was blocked. */
export async function turnOf(
  places: Places,
  sent: Sent,
  { place = 'node' }: Pick<Face, 'place'> = {},
): Promise<Turn> {
  const probed = places[place];
  await probed.reading();
  const status = await sent.send(places);
  return { ms: (await probed.reading()).blockedMs, status };
}
