/** Devices for a terminal. */
import type { DeviceRolloutView, DeviceView } from '@skein/api';
import { formatAge, formatBytes, formatDuration, formatNumber } from '@skein/api/units';
import { bar } from './notes.ts';
import type { Style } from './style.ts';
import { type Field, renderFields, renderTable } from './table.ts';

export function renderDevices(devices: readonly DeviceView[], style: Style): string {
  if (devices.length === 0) {
    return style.commands('There are no devices. `skein help edge invite` shows how to enrol one.');
  }
  const now = Date.now();
  return renderTable(style, devices, [
    ['DEVICE', ({ name }) => name],
    ['ID', ({ id }) => id.slice(0, 8)],
    ['LABELS', ({ labels }) => labelsText(labels)],
    ['STATE', (device) => stateText(device, now)],
    ['BUNDLE', versionText],
    ['P99', ({ report }) => (report?.latency ? formatDuration(report.latency.p99Ms) : ''), 'right'],
    [
      'LAST DECISION',
      ({ report }) => (report?.last ? `${report.last.where}: ${report.last.why}` : ''),
    ],
  ]);
}

export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** A rollout over devices: where it stands, and the evidence. */
export function deviceRolloutLine(rollout: DeviceRolloutView, style: Style): string {
  const { model, version, share, labels, phase, reason, devices, verdict } = rollout;
  const where = Object.keys(labels).length === 0 ? '' : ` with ${labelsText(labels)}`;
  const counts = `${devices.included} of ${devices.reporting} devices may have it, ${devices.installed} have it, ${devices.failed} failed`;
  const standing =
    phase === 'halted'
      ? `${style.red('halted')}: ${reason}`
      : `${bar(share / 100, 20)} ${formatNumber(share)} %${where}`;
  return [
    `${style.bold(model)} v${version} ${standing}`,
    `  ${counts}`,
    `  ${style.dim(`${evidenceText(rollout)}${verdict}`)}`,
  ].join('\n');
}

function evidenceText({ candidate, stable }: DeviceRolloutView): string {
  const before = stable.p99Ms === null ? '' : `, ${formatDuration(stable.p99Ms)} before`;
  return candidate.p99Ms === null ? '' : `p99 ${formatDuration(candidate.p99Ms)}${before}; `;
}

function stateText({ state, reportedAt }: DeviceView, now: number): string {
  if (reportedAt === null) return 'enrolled, no report yet';
  return state === 'silent' ? `silent since ${formatAge(reportedAt, now)}` : 'reporting';
}

function versionText({ report }: DeviceView): string {
  if (report === null) return '';
  const { model, version, failed, trial } = report;
  const versions = version === null ? `${model}, none installed` : `${model} v${version}`;
  const failures = failed.length === 0 ? '' : `, ${failed.length} failed`;
  return `${versions}${trial ? ' on trial' : ''}${failures}`;
}

export function renderDevice(device: DeviceView, style: Style): string {
  const { id, name, labels, key, enrolledAt, report, permission } = device;
  const now = Date.now();
  const fields: Field[] = [
    ['device', name],
    ['id', id],
    ['key', key],
    ['labels', Object.keys(labels).length === 0 ? undefined : labelsText(labels)],
    ['state', stateText(device, now)],
    ['enrolled', formatAge(enrolledAt, now)],
    ...(report === null ? [] : reportFields(report)),
    ['may install', permission === null ? undefined : permission.why],
  ];
  if (report === null || report.failed.length === 0) return renderFields(style, fields);
  const failed = renderTable(style, report.failed, [
    ['FAILED', ({ version }) => `v${version}`],
    ['REASON', ({ reason }) => reason],
  ]);
  return `${renderFields(style, fields)}\n\n${failed}`;
}

function reportFields(report: NonNullable<DeviceView['report']>): Field[] {
  const { model, version, digest, published, latency, answers, energyProxies, last, trial } =
    report;
  const { cpuSeconds, bytesReceived, bytesSent } = energyProxies;
  const installed = version === null ? 'none installed' : `v${version}${trial ? ', on trial' : ''}`;
  return [
    ['bundle', `${model}: ${installed}`],
    ['digest', digest ?? undefined],
    ['published', published === null ? undefined : `v${published}, as the device has seen it`],
    [
      'latency',
      latency === null
        ? 'too few runs yet'
        : `p50 ${formatDuration(latency.p50Ms)}, p90 ${formatDuration(latency.p90Ms)}, p99 ${formatDuration(latency.p99Ms)} of ${latency.runs} runs`,
    ],
    ['answers', `${answers.local} here, ${answers.remote} by a node, ${answers.refused} refused`],
    ['last', last === null ? undefined : `${last.where}: ${last.why}`],
    [
      'energy proxies',
      `${formatDuration(cpuSeconds * 1000)} of CPU in runs, ${formatBytes(bytesReceived)} received, ${formatBytes(bytesSent)} sent`,
    ],
  ];
}
