/** The fleet: its members, what they hold, how many there should be, and what rollouts rest on. */
import type { FleetScale, FleetView, MemberView, PlacementView } from '@skein/api';
import {
  ago,
  bytes,
  Chip,
  commands,
  cores,
  Empty,
  Facts,
  Heading,
  percent,
  perSecond,
  Progress,
  Table,
  took,
  useFresh,
  type Of,
} from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { Rollouts } from './rollouts.tsx';
import './fleet.css';
import type { ViewProps } from '../view.ts';

const JOIN = 'skein up --redis redis://10.0.0.5 --blobs s3://team/skein?region=eu-central-1';

export function Fleet({ focus }: ViewProps) {
  const { value, error } = useFresh({ everyMs: 1000 }, async (signal) => {
    const [fleet, scale, { placements }] = await Promise.all([
      node().getFleet({}, { signal }),
      node().getFleetScale({}, { signal }),
      node().listPlacements({}, { signal }),
    ]);
    return { fleet, scale, placements };
  });
  return (
    <>
      <section>
        <Heading focus={focus}>Fleet</Heading>
        <Refusal error={error} />
        {value === undefined ? null : (
          <>
            <Alerts of={value.fleet} />
            <Scale of={value.scale} fleet={value.fleet} />
            <Members of={value.fleet.members} />
          </>
        )}
      </section>
      {value === undefined ? null : <Placements of={value.placements} fleet={value.fleet} />}
      <Rollouts members={value?.fleet.members ?? []} />
    </>
  );
}

function Alerts({ of: { alerts } }: { readonly of: FleetView }) {
  return (
    <>
      {alerts.map(({ kind, text, fix }) => (
        <div class="panel alert" role="alert" key={`${kind} ${text}`} data-alert={kind}>
          <p>{commands(text)}</p>
          <small>{commands(fix)}</small>
        </div>
      ))}
    </>
  );
}

/** How many members the demand needs, and why. */
function Scale({ of, fleet }: { readonly of: FleetScale; readonly fleet: FleetView }) {
  const { members, desiredMembers, reason, demandCores, shedPerSecond, delayShare } = of;
  const isEnough = desiredMembers <= members;
  return (
    <div class="panel scale">
      <p id="desired">
        <strong>{`${desiredMembers} of ${members} members needed`}</strong>{' '}
        <Chip tone={isEnough ? 'good' : 'warn'}>{isEnough ? 'enough' : 'more are needed'}</Chip>
      </p>
      <p class="muted">{`${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`}</p>
      <Facts
        of={[
          ['Demand', `${demandCores.toFixed(2)} of ${cores(of.cores)}`],
          ['Refused for load', `${perSecond(shedPerSecond)} /s`],
          ['Wait', `${percent(delayShare)} of the objective`],
          ['Cold start', of.coldStartMs === null ? undefined : took(of.coldStartMs)],
          [
            'State',
            fleet.epoch === null ? 'the store is away' : `epoch ${fleet.epoch.slice(0, 8)}`,
          ],
          ['Schema', schemaText(fleet)],
        ]}
      />
      {members === 1 ? (
        <>
          <p class="muted" id="alone">
            A fleet of one. Start this node and others with the same Redis and bucket to make it
            larger:
          </p>
          <pre>
            <code>{commands(JOIN)}</code>
          </pre>
        </>
      ) : null}
    </div>
  );
}

function schemaText({ schema: { written, common } }: FleetView): string | undefined {
  if (written === null) return undefined;
  return common === null || common === written
    ? String(written)
    : `${written}, and all members read ${common}`;
}

function Members({ of: members }: { readonly of: readonly MemberView[] }) {
  const forwards = members.some(({ forwarding }) => forwarding !== undefined);
  return (
    <Table
      titles={[
        'Member',
        'Machine',
        'Load',
        'Refused',
        'Wait',
        'Holds',
        ...(forwards ? ['Probes', 'Forwards'] : []),
        'Lease',
      ]}
    >
      <tbody>
        {members.map((member) => (
          <MemberRow key={member.id} of={member} forwards={forwards} />
        ))}
      </tbody>
    </Table>
  );
}

function MemberRow({ of: member, forwards }: Of<MemberView> & { readonly forwards: boolean }) {
  const { id, self, name, address, version, load, loaded, accelerators, forwarding } = member;
  return (
    <tr data-member={id}>
      <th scope="row">
        {name} {self ? <Chip tone="accent">this node</Chip> : null}
        <small class="id" title={id}>
          {id.slice(0, 8)}
        </small>
        <small class="note">{`${address === '' ? 'peers cannot call it' : address}, ${version}`}</small>
      </th>
      <td>
        {`${cores(member.cores)}, ${bytes(member.memoryBytes)}`}
        {accelerators.map((accelerator) => (
          <Chip tone="plain">{accelerator}</Chip>
        ))}
      </td>
      <td>
        {load === undefined ? (
          <span class="muted">not reported yet</span>
        ) : (
          <>
            <Progress
              fraction={Math.min(1, load.demandCores / Math.max(member.cores, 0.001))}
              label={`${load.demandCores.toFixed(2)} of ${member.cores} cores`}
            />
            <small class="note">{`${perSecond(load.requestsPerSecond)} rows/s`}</small>
          </>
        )}
      </td>
      <td>{load === undefined ? '' : `${perSecond(load.shedPerSecond)} /s`}</td>
      <td>{load === undefined ? '' : percent(load.delayShare)}</td>
      <td>{loaded.length}</td>
      {forwards ? (
        <>
          <td>{countsText(forwarding?.probes)}</td>
          <td>
            {countsText(forwarding?.forwards)}
            <small class="note">{countsText(forwarding?.refused, 'stayed refused: ')}</small>
          </td>
        </>
      ) : null}
      <td>
        {`${(member.leaseAgeMs / 1000).toFixed(1)} s`}
        <small class="note">{`joined ${ago(member.joinedAt)}`}</small>
      </td>
    </tr>
  );
}

/** The counts, without zeros. */
function countsText(counts: Readonly<Record<string, number>> | undefined, before = ''): string {
  const seen = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  if (seen.length === 0) return before === '' ? 'none' : '';
  return before + seen.map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`).join(', ');
}

function Placements({ of, fleet }: Of<readonly PlacementView[]> & { readonly fleet: FleetView }) {
  const { members } = fleet;
  return (
    <section>
      <h2>Placement</h2>
      {of.length === 0 ? (
        <Empty command="skein deploy model.onnx --name risk">No member holds a version.</Empty>
      ) : (
        <Table titles={['Model', 'Version', 'Held by', 'Why']}>
          <tbody>
            {of.map(({ model, version, digest, members: holders, reason }) => (
              <tr data-placement={`${model}/${version}`} key={`${model}/${version}`}>
                <th scope="row">{model}</th>
                <td title={digest}>{version}</td>
                <td>
                  <span
                    class="pips"
                    role="img"
                    aria-label={`${holders.length} of ${members.length} members`}
                  >
                    {members.map(({ id, name }) => (
                      <i
                        key={id}
                        title={name}
                        data-used={holders.some((holder) => holder.id === id) ? '' : undefined}
                      />
                    ))}
                  </span>
                  <small class="note">{`${holders.length} of ${members.length}`}</small>
                </td>
                <td class="why">{reason}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </section>
  );
}
