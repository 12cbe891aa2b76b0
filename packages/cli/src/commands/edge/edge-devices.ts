/** `skein edge ls`, `show`, `invite` and `remove`: the devices of a node. */
import type { DeviceView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { argument, duration, integer, many } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import type { Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { deviceRolloutLine, renderDevice, renderDevices } from '../../output/device.ts';

const DEVICE = 'Its name, its id, or the beginning of its id.';
const LONGEST_VALID_MS = 365 * 86_400_000;

export const edgeLs = nodeCommand({
  name: 'edge ls',
  summary: 'List the devices of a node: versions, latency, last decision.',
  examples: {
    'skein edge ls': 'All that are enrolled',
    'skein edge ls --json': 'The same as data',
  },
  run: ({ client }) => client.listDevices(),
  render: ({ devices, rollouts }, style) =>
    [renderDevices(devices, style), ...rollouts.map((each) => deviceRolloutLine(each, style))].join(
      '\n\n',
    ),
});

export const edgeShow = nodeCommand({
  name: 'edge show',
  summary: 'Show one device: its report, its failed versions, its last decision.',
  examples: { "skein edge show 'till 4'": 'By its name' },
  arguments: { device: argument('DEVICE', DEVICE) },
  run: (connection, { device }) => deviceNamed(connection, device),
  render: (device, style) => renderDevice(device, style),
});

export const edgeInvite = nodeCommand({
  name: 'edge invite',
  summary: 'Invite a device; its link is shown this once.',
  details:
    'A device that is given the link makes a key of its own, enrols it, and reports to this node. The link ends after a week.',
  examples: {
    "skein edge invite 'till 4' --label site=a": 'One device, with a label for rollouts',
    'skein edge invite till --uses 50 --valid 30d': 'One link for fifty devices',
  },
  arguments: { name: argument('NAME', 'How you call the device.') },
  options: {
    label: labelsOption('Label of the device, for rollouts; repeat it.'),
    uses: integer('N', 'Number of devices that may use the link.', [1, 1000]),
    valid: duration('Validity of the link; default 7d.', [1000, LONGEST_VALID_MS]),
  },
  async run({ client, url }, { name, label, uses, valid }) {
    const validMs = valid === undefined ? undefined : Math.round(valid);
    const labels = label;
    const { invitation } = await client.inviteDevice({ name, labels, uses, validMs });
    return { name, labels, uses: uses ?? 1, invitation, link: `${url}/#${invitation}` };
  },
  render: ({ name, link }, style) =>
    `${style.bold(name)}\n  ${link}\n\nGive the link to \`createEdge\` of the device, as \`report.invitation\`. It is shown this once.`,
});

export const edgeRemove = nodeCommand({
  name: 'edge remove',
  summary: 'Remove a device: its reports are refused from now on.',
  examples: { "skein edge remove 'till 4'": 'A device that is gone, or was stolen' },
  arguments: { device: argument('DEVICE', DEVICE) },
  async run(connection, { device }) {
    const { id, name } = await deviceNamed(connection, device);
    await connection.client.removeDevice({ id });
    return { id, name };
  },
  render: ({ name }) => `${name} is a device of this node no more. It still runs what it has.`,
});

/** `site=a`, many times. */
export function labelsOption(summary: string) {
  return { ...many('NAME=VALUE', summary), parse: readLabels };
}

function readLabels(given: readonly string[]): Record<string, string> {
  const pairs = given.map((text) => {
    const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new Error(`"${text}" is not NAME=VALUE`);
    return [name, value] as const;
  });
  return Object.fromEntries(pairs);
}

/** @throws SkeinError DEVICE_UNKNOWN; USAGE for a name of several devices. */
async function deviceNamed({ client }: Connection, wanted: string): Promise<DeviceView> {
  const { devices } = await client.listDevices();
  const exact = devices.find(({ id }) => id === wanted);
  if (exact !== undefined) return exact;
  const named = devices.filter(({ name }) => name === wanted);
  const found = named.length > 0 ? named : devices.filter(({ id }) => id.startsWith(wanted));
  if (found.length === 0) throw new SkeinError('DEVICE_UNKNOWN', `There is no device "${wanted}".`);
  if (found.length === 1) return found[0]!;
  const ids = found.map(({ id }) => id).join(', ');
  throw usageError(`"${wanted}" is ${found.length} devices: name one of ${ids}.`);
}
