/** Scripted nodes that forward to each other. */
import { SkeinError } from '@skein/api';
import type { Clock, DeployedModel } from '@skein/serving';
import { Peer } from '../../link/peer.ts';
import { bytesBudget } from '../../link/testing/bytes-budget.ts';
import { seededRandom } from '../../simulation/random.ts';
import { forwardRefused } from '../forwarding.ts';
import type { FleetMember } from '../holders.ts';
import { riskModel } from './requests.ts';
import { KEY, TestNode } from './scripted-node.ts';

export interface ScriptedFleetOptions {
  readonly model?: Partial<DeployedModel>;
  readonly clock?: Clock;
  /** Whether the nodes lack the deployment that the members hold. */
  readonly isUnknown?: boolean;
}

let nodes: TestNode[] = [];

/** The first of them gets the requests. */
export async function fleetOf(
  count: number,
  { model = {}, clock = performance, isUnknown = false }: ScriptedFleetOptions = {},
): Promise<TestNode[]> {
  nodes = Array.from({ length: count }, (_, i) => new TestNode(`member-${i}`));
  await Promise.all(nodes.map((node) => node.listen()));
  let members: FleetMember[] | undefined;
  const described = riskModel(model);
  for (const node of nodes) {
    node.forwarding = forwardRefused({
      local: {
        infer: (request) => node.infer(request),
        predict: (request) => node.prediction(request),
        describe() {
          if (isUnknown) throw new SkeinError('MODEL_UNKNOWN', 'It is not known here.');
          return described;
        },
        list: () => [described],
        isReady: () => true,
      },
      // Their addresses are read at the first request.
      members: () =>
        (members ??= nodes.map(({ incarnation, address }) => ({
          incarnation,
          address,
          loaded: [{ model: 'risk', version: '3', digest: 'd' }],
        }))),
      self: () => node.incarnation,
      open: (address) =>
        new Peer(address, {
          key: KEY,
          clock,
          random: Math.random,
          maxBytes: 1e8,
          budget: bytesBudget(1e9),
        }),
      clock,
      random: seededRandom(1),
    });
  }
  return nodes;
}

export function closeNodes(): void {
  for (const node of nodes) {
    node.forwarding.close();
    node.kill();
  }
  nodes = [];
}
