/** The metrics of a node about the other members of its fleet. */
import type { Forwarding } from '@skein/fleet';
import { type Exposition, labelled } from '@skein/http';

/** Requests of other members to this node; counts only grow. */
export interface Received {
  requests: number;
  predictions: number;
}

export const newReceived = (): Received => ({ requests: 0, predictions: 0 });

export function exposePeers(
  into: Exposition,
  { counters, leftOut }: Pick<Forwarding, 'counters' | 'leftOut'>,
  received: Received,
  connections: number,
): void {
  const { probes, forwards, refused, repeated } = counters;
  byLabel(
    into,
    'skein_fleet_probes_total',
    'Predictions that were asked of other members, by answer.',
    'answer',
    probes,
  );
  byLabel(
    into,
    'skein_fleet_forwards_total',
    'Requests that were sent to other members, by outcome.',
    'outcome',
    forwards,
  );
  byLabel(
    into,
    'skein_fleet_refused_total',
    'Refused requests that no other member took, by reason.',
    'reason',
    refused,
  );
  single(
    into,
    'skein_fleet_repeated_total',
    'counter',
    'Requests that ran again after the member that ran them was lost.',
    repeated,
  );
  byLabel(
    into,
    'skein_fleet_received_total',
    'Requests and predictions that other members asked of this node.',
    'kind',
    received,
  );
  single(
    into,
    'skein_fleet_members_left_out',
    'gauge',
    'Members that do not answer this node at present.',
    leftOut(),
  );
  single(
    into,
    'skein_fleet_connections',
    'gauge',
    'Connections of other members to this node.',
    connections,
  );
}

function byLabel(
  into: Exposition,
  name: string,
  help: string,
  label: string,
  counts: Readonly<Record<string, number>> | Received,
): void {
  into.family(name, 'counter', help);
  for (const [value, count] of Object.entries(counts))
    into.sample(labelled({ [label]: value }), count);
}

function single(
  into: Exposition,
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  value: number,
): void {
  into.family(name, type, help);
  into.sample('', value);
}
