/** The federations that this node coordinates, newest first. */
import type { FederationStatus, FederationView } from '@skein/api';
import {
  Chip,
  Empty,
  Heading,
  linkTo,
  Moment,
  Progress,
  Table,
  useFresh,
  type Tone,
} from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { connectedOf } from './rounds.ts';
import type { ViewProps } from '../view.ts';

const START = 'skein federate start plan.json --name heart --site Cleveland --site Budapest';

const TONES: Readonly<Record<FederationStatus, Tone>> = {
  running: 'accent',
  paused: 'warn',
  finished: 'good',
  stopped: 'warn',
  failed: 'bad',
};

export function StatusChip({ status, reason }: Pick<FederationView, 'status' | 'reason'>) {
  return (
    <Chip tone={TONES[status]} title={reason}>
      {status}
    </Chip>
  );
}

/** The spent part of the budget, under the assumption that costs most. */
export function budgetOf({ plan: { privacy }, spent }: FederationView): string {
  if (privacy.mode === 'none') return 'none kept';
  const most = spent.map(({ epsilon }) => epsilon ?? Infinity);
  return `ε ${Math.max(0, ...most).toFixed(3)} of ${privacy.epsilon}`;
}

export function Federations({ focus }: ViewProps) {
  const { value, error } = useFresh({ everyMs: 2000 }, (signal) =>
    node().listFederations({}, { signal }),
  );
  const federations = value?.federations ?? [];
  return (
    <section>
      <Heading focus={focus}>Federations</Heading>
      <Refusal error={error} />
      {federations.length === 0 ? null : (
        <Table titles={['Federation', 'Status', 'Rounds', 'Sites', 'Privacy', 'Result', 'Started']}>
          <tbody>
            {federations.map((federation) => (
              <Row key={federation.id} of={federation} />
            ))}
          </tbody>
        </Table>
      )}
      {value?.federations.length === 0 ? (
        <Empty command={START}>This node coordinates no federation yet.</Empty>
      ) : null}
    </section>
  );
}

function Row({ of }: { readonly of: FederationView }) {
  const { id, name, round, plan, version, createdAt, status } = of;
  return (
    <tr data-id={id}>
      <th scope="row">
        <a href={linkTo('federations', [id])}>{name}</a>
        <small class="id">{id}</small>
      </th>
      <td>
        <StatusChip {...of} />
      </td>
      <td>
        {`${round} of ${plan.rounds}`}{' '}
        {status === 'running' ? <Progress fraction={round / plan.rounds} label="Rounds" /> : null}
      </td>
      <td>{connectedOf(of)}</td>
      <td>{budgetOf(of)}</td>
      <td>{version === undefined ? '–' : `${name} v${version}`}</td>
      <td>
        <Moment at={createdAt} />
      </td>
    </tr>
  );
}
