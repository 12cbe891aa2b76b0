/** `skein fleet`: the members of a fleet, and the end of an upgrade. A node alone is a fleet of one. */
import type { FleetScale, FleetView, MemberView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { formatAge, formatBytes, formatNumber } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { connect, connectionOptions } from '../../connection/connection.ts';
import { argument } from '../../command-line/option.ts';
import type { Style } from '../../output/style.ts';
import { renderFields, renderTable } from '../../output/table.ts';

/** `skein fleet ls`: the members, how many there should be, and what needs attention. */
export const fleetLs = defineCommand({
  name: 'fleet ls',
  summary: 'List the members of the fleet, how many there should be, and what needs attention.',
  examples: [
    { command: 'skein fleet ls', does: 'A node alone is a fleet of one' },
    { command: 'skein fleet ls --json', does: 'The same as data' },
  ],
  arguments: {},
  options: connectionOptions,
  async run(context, choice) {
    const { client } = await connect(context, choice);
    const [fleet, scale] = await Promise.all([client.getFleet(), client.getFleetScale()]);
    return { ...fleet, scale };
  },
  render: renderFleet,
});

function renderFleet(fleet: FleetView & { readonly scale: FleetScale }, style: Style): string {
  const { members, alerts, scale } = fleet;
  const now = Date.now();
  const table = renderTable(
    members,
    [
      ['MEMBER', ({ id, self }) => `${id.slice(0, 8)}${self ? ' *' : ''}`],
      ['NAME', ({ name }) => name],
      ['ADDRESS', ({ address }) => address],
      ['VERSION', ({ version }) => version],
      ['CORES', ({ cores }) => formatNumber(cores), 'right'],
      ['MEMORY', ({ memoryBytes }) => formatBytes(memoryBytes), 'right'],
      ['MODELS', ({ loaded }) => String(loaded.length), 'right'],
      [
        'ROWS/S',
        ({ load }) => (load === undefined ? '' : formatNumber(load.requestsPerSecond)),
        'right',
      ],
      ['JOINED', ({ joinedAt }) => formatAge(joinedAt, now)],
    ],
    style,
  );
  const wanted = `Live members: ${scale.members}, needed: ${scale.desiredMembers}. ${scale.reason[0]?.toUpperCase()}${scale.reason.slice(1)}.`;
  const warnings = alerts.map(({ text, fix }) => `${style.yellow('!')} ${text} ${style.dim(fix)}`);
  const alone =
    members.length === 1
      ? [
          style.dim(
            'A fleet of one. Start other nodes with the same --redis and --blobs to make it larger.',
          ),
        ]
      : [];
  return [table, '', wanted, ...warnings, ...alone].join('\n');
}

/** `skein fleet show`: one member, with the versions that it holds. */
export const fleetShow = defineCommand({
  name: 'fleet show',
  summary: 'Show one member: its machine, its load, and the versions that it holds.',
  examples: [
    { command: 'skein fleet show 3f9a1c0b', does: 'By the beginning of its id, or by its name' },
  ],
  arguments: {
    member: argument(
      'MEMBER',
      'The beginning of its id, as `skein fleet ls` shows it, or its name.',
    ),
  },
  options: connectionOptions,
  async run(context, { member, ...choice }) {
    const { client } = await connect(context, choice);
    const { members } = await client.getFleet();
    return memberNamed(members, member);
  },
  render: renderMember,
});

/** @throws SkeinError USAGE when none, or several, are called so. */
export function memberNamed(members: readonly MemberView[], name: string): MemberView {
  const found = members.filter((each) => each.id.startsWith(name) || each.name === name);
  if (found.length === 1) return found[0]!;
  const known = members.map(({ id, name: called }) => `${id.slice(0, 8)} (${called})`).join(', ');
  const what = found.length === 0 ? 'is no member' : `is ${found.length} members`;
  throw new SkeinError('USAGE', `"${name}" ${what}; there are ${known}.`);
}

function renderMember(member: MemberView, style: Style): string {
  const now = Date.now();
  const { load, memory, schema, accelerators, forwarding } = member;
  const machine = `${formatNumber(member.cores)} cores, ${formatBytes(member.memoryBytes)}`;
  const fields: [string, string][] = [
    ['id', member.id],
    ['name', member.name],
    ['address', member.address === '' ? 'none: peers cannot call it' : member.address],
    ['version', `${member.version}, reads schema ${schema.oldest} to ${schema.newest}`],
    ['machine', [machine, ...accelerators].join(', ')],
    ['joined', formatAge(member.joinedAt, now)],
    ['lease', `renewed ${formatNumber(member.leaseAgeMs / 1000)} s ago`],
  ];
  if (memory !== undefined) {
    const { heldBytes, budgetBytes, leastRecentAgeMs } = memory;
    fields.push([
      'models',
      `${formatBytes(heldBytes)} of ${formatBytes(budgetBytes)}, the least recently used ${formatNumber(leastRecentAgeMs / 1000)} s ago`,
    ]);
  }
  if (load !== undefined) {
    fields.push(
      [
        'load',
        `${formatNumber(load.requestsPerSecond)} rows/s, ${formatNumber(load.demandCores)} cores of work`,
      ],
      ['refused', `${formatNumber(load.shedPerSecond)} a second for load`],
      ['wait', `${formatNumber(load.delayShare * 100)} % of the objective`],
    );
  }
  if (forwarding !== undefined) {
    const { forwards, hedges, duplicates } = forwarding;
    fields.push(['forwarded', countsText(forwards)]);
    if (hedges !== undefined) {
      fields.push(['sent twice', `${countsText(hedges)}; both ran: ${duplicates ?? 0}`]);
    }
  }
  const held = renderTable(
    member.loaded,
    [
      ['HOLDS', ({ model }) => model],
      ['VERSION', ({ version }) => version, 'right'],
      ['DIGEST', ({ digest }) => digest.slice(0, 12)],
    ],
    style,
  );
  return member.loaded.length === 0
    ? renderFields(fields, style)
    : `${renderFields(fields, style)}\n\n${held}`;
}

/** What was counted, without what never happened. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const seen = Object.entries(counts).filter(([, count]) => count > 0);
  if (seen.length === 0) return 'none';
  return seen
    .map(([what, count]) => `${formatNumber(count)} ${what.replaceAll('_', ' ')}`)
    .join(', ');
}

/** `skein fleet finalise`: the end of an upgrade. */
export const fleetFinalise = defineCommand({
  name: 'fleet finalise',
  summary: 'End an upgrade: the fleet writes the newest schema that all its members read.',
  details:
    'Until then, members of the version before and of the new one work side by side, and the way back is open. Afterwards a node that does not read the schema is refused with STATE_TOO_NEW.',
  examples: [{ command: 'skein fleet finalise', does: 'Once every member runs the new version' }],
  arguments: {},
  options: connectionOptions,
  async run(context, choice) {
    const { client } = await connect(context, choice);
    return client.finaliseFleet();
  },
  render: ({ schema, before }) =>
    schema === before
      ? `The fleet writes schema ${schema} already; there was nothing to end.`
      : `The fleet writes schema ${schema} from now on; it wrote ${before}.`,
});
