/** One device: its report, its failed versions, and what a rollout allows it. */
import type { DeviceView } from '@skein/api';
import {
  ago,
  bytes,
  Chip,
  Facts,
  Heading,
  linkTo,
  milliseconds,
  Table,
  useFresh,
  type Of,
} from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import type { ViewProps } from '../view.ts';
import { answersText, labelsText, versionText } from './devices.tsx';

export function Device({ route: { parts }, focus }: ViewProps) {
  const [id = ''] = parts;
  const { value, error } = useFresh({ everyMs: 5000, identity: id }, (signal) =>
    node().getDevice({ id }, { signal }),
  );
  return (
    <section>
      <p class="back">
        <a href={linkTo('devices')}>All devices</a>
      </p>
      <div class="head">
        <Heading focus={focus}>{value?.name ?? id}</Heading>
        {value === undefined ? null : (
          <Chip tone={value.state === 'silent' ? 'warn' : 'plain'}>{value.state}</Chip>
        )}
      </div>
      <Refusal error={error} />
      {value === undefined ? null : <About of={value} />}
    </section>
  );
}

function About({
  of: { id, key, labels, enrolledAt, reportedAt, report, permission },
}: Of<DeviceView>) {
  return (
    <>
      <article class="panel card">
        <Facts
          of={[
            ['Id', <code>{id}</code>],
            ['Key', <code class="hex">{key}</code>],
            ['Labels', labelsText(labels)],
            ['Enrolled', ago(enrolledAt)],
            ['Report', reportedAt === null ? 'none yet' : ago(reportedAt)],
            ['May install', permission?.why],
            ...(report === null ? [] : reportFacts(report)),
          ]}
        />
      </article>
      {report === null || report.failed.length === 0 ? null : (
        <section class="failed">
          <h3>Failed versions</h3>
          <Table titles={['Version', 'Reason']}>
            <tbody>
              {report.failed.map(({ version, reason }) => (
                <tr key={version}>
                  <th scope="row">{`v${version}`}</th>
                  <td class="why">{reason}</td>
                </tr>
              ))}
            </tbody>
          </Table>
        </section>
      )}
    </>
  );
}

function reportFacts(report: NonNullable<DeviceView['report']>) {
  const { model, version, digest, trial, published, latency, energyProxies, last } = report;
  const { cpuSeconds, bytesReceived, bytesSent } = energyProxies;
  return [
    ['Bundle', `${model} ${versionText(version)}${trial ? ', on trial' : ''}`],
    ['Digest', digest === null ? undefined : <code class="hex">{digest}</code>],
    ['Published', published === null ? undefined : `v${published}, as the device has seen it`],
    [
      'Latency',
      latency === null
        ? 'too few runs yet'
        : `p50 ${milliseconds(latency.p50Ms)}, p90 ${milliseconds(latency.p90Ms)}, p99 ${milliseconds(latency.p99Ms)}, of ${latency.runs} runs`,
    ],
    ['Answers', answersText(report)],
    ['Last decision', last === null ? undefined : `${last.where}: ${last.why}, ${ago(last.at)}`],
    [
      'Energy proxies',
      `${milliseconds(cpuSeconds * 1000)} of CPU in runs, ${bytes(bytesReceived)} received, ${bytes(bytesSent)} sent`,
    ],
  ] as const;
}
