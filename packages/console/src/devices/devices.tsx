/** The devices of the node: their versions, latency and last decisions, and the rollouts of their bundles. */
import type { DeviceRolloutView, DeviceView } from '@skein/api';
import {
  ago,
  Chip,
  Empty,
  Facts,
  Heading,
  linkTo,
  milliseconds,
  Progress,
  Table,
  useFresh,
  type Of,
  type Tone,
} from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import './devices.css';
import type { ViewProps } from '../view.ts';

const REFRESH_MS = 5000;

const STATES: Readonly<Record<DeviceView['state'], Tone>> = {
  enrolled: 'plain',
  reporting: 'good',
  silent: 'warn',
};
const OPINIONS: Readonly<Record<DeviceRolloutView['opinion'], Tone>> = {
  good: 'good',
  bad: 'bad',
  doubtful: 'warn',
  unknown: 'plain',
};

export function Devices({ focus }: ViewProps) {
  const { value, error } = useFresh({ everyMs: REFRESH_MS }, (signal) =>
    node().listDevices({}, { signal }),
  );
  return (
    <>
      <section>
        <Heading focus={focus}>Devices</Heading>
        <Refusal error={error} />
        {value === undefined ? null : <List of={value.devices} />}
      </section>
      {value === undefined || value.rollouts.length === 0 ? null : (
        <section>
          <h2>Rollouts</h2>
          {value.rollouts.map((each) => (
            <Rollout key={each.model} of={each} />
          ))}
        </section>
      )}
    </>
  );
}

function List({ of: devices }: Of<readonly DeviceView[]>) {
  if (devices.length === 0) {
    return (
      <Empty command="skein edge invite 'till 4' --label site=a">
        No device is enrolled. Invite one, and give its link to createEdge:
      </Empty>
    );
  }
  return (
    <Table titles={['Device', 'State', 'Bundle', 'p99', 'Answers', 'Last decision']}>
      <tbody>
        {devices.map((device) => (
          <Row key={device.id} of={device} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({ of: { id, name, labels, state, reportedAt, report } }: Of<DeviceView>) {
  return (
    <tr data-device={id}>
      <th scope="row">
        <a href={linkTo('devices', [id])}>{name}</a>
        <small class="note">{labelsText(labels)}</small>
      </th>
      <td>
        <Chip tone={STATES[state]}>{state}</Chip>
        {reportedAt === null ? null : <small class="note">{ago(reportedAt)}</small>}
      </td>
      <td>
        {report === null ? '' : `${report.model} ${versionText(report.version)}`}
        {report === null ? null : ' '}
        {report?.trial === true ? <Chip tone="accent">on trial</Chip> : null}
        {report === null || report.failed.length === 0 ? null : (
          <Chip tone="bad">{`${report.failed.length} failed`}</Chip>
        )}
      </td>
      <td class="whole">{report === null ? '' : milliseconds(report.latency?.p99Ms)}</td>
      <td class="whole">{report === null ? '' : answersText(report)}</td>
      <td class="why">
        {report?.last ? (
          <>
            <Chip tone={report.last.where === 'refused' ? 'warn' : 'plain'}>
              {report.last.where}
            </Chip>{' '}
            {report.last.why}
          </>
        ) : null}
      </td>
    </tr>
  );
}

function Rollout({ of }: Of<DeviceRolloutView>) {
  const { model, version, share, labels, phase, reason, devices, opinion, verdict } = of;
  const where = labelsText(labels);
  return (
    <article class="panel card" data-rollout={model}>
      <div class="head">
        <h3>{`${model}: version ${version}`}</h3>
        <Chip tone={phase === 'halted' ? 'bad' : 'accent'}>{phase}</Chip>
        <Chip tone={OPINIONS[opinion]}>{opinion}</Chip>
      </div>
      <p class="why">{phase === 'halted' ? `Halted: ${reason}` : verdict}</p>
      <Progress
        fraction={devices.included === 0 ? 0 : Math.min(1, devices.installed / devices.included)}
        label={`${devices.installed} of ${devices.included} devices that may have it`}
      />
      <Facts
        of={[
          ['Share', `${share} % of the devices${where === '' ? '' : ` with ${where}`}`],
          ['Devices', `${devices.included} of ${devices.reporting} may have it`],
          ['Installed', `${devices.installed}, failed on ${devices.failed}`],
          ['p99', sidesText(of)],
          [
            'Answers',
            `${of.candidate.requests}: ${of.candidate.errors} failed, ${of.candidate.late} late`,
          ],
          ['Started', ago(of.startedAt)],
        ]}
      />
    </article>
  );
}

function sidesText({ candidate, stable }: DeviceRolloutView): string | undefined {
  if (candidate.p99Ms === null) return undefined;
  const before = stable.p99Ms === null ? '' : `, ${milliseconds(stable.p99Ms)} before`;
  return `${milliseconds(candidate.p99Ms)}${before}`;
}

export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

export const versionText = (version: number | null): string =>
  version === null ? 'not installed' : `v${version}`;

export function answersText({ answers }: NonNullable<DeviceView['report']>): string {
  const { local, remote, refused } = answers;
  return `${local} local, ${remote} remote${refused === 0 ? '' : `, ${refused} refused`}`;
}
