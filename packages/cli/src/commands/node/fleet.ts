/**
 * `skein fleet`: the members of a fleet, the end of an upgrade, and the way out of a frozen node. A
 * node alone is a fleet of one.
 */
import type { FleetScale, FleetView, MemberView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { formatAge, formatBytes, formatNumber } from '@skein/api/units';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument } from '../../command-line/option.ts';
import type { Style } from '../../output/style.ts';
import { type Field, renderFields, renderTable } from '../../output/table.ts';

export const fleetLs = nodeCommand({
  name: 'fleet ls',
  summary: 'List the members of the fleet, how many there should be, and what needs attention.',
  examples: {
    'skein fleet ls': 'A node alone is a fleet of one',
    'skein fleet ls --json': 'The same as data',
  },
  async run({ client }) {
    const [fleet, scale] = await Promise.all([client.getFleet(), client.getFleetScale()]);
    return { ...fleet, scale };
  },
  render: renderFleet,
});

function renderFleet(fleet: FleetView & { readonly scale: FleetScale }, style: Style): string {
  const { members, alerts, scale } = fleet;
  const now = Date.now();
  const table = renderTable(style, members, [
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
  ]);
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

export const fleetShow = nodeCommand({
  name: 'fleet show',
  summary: 'Show one member: its machine, its load, and the versions that it holds.',
  examples: {
    'skein fleet show 3f9a1c0b': 'By the beginning of its id, or by its name',
  },
  arguments: {
    member: argument(
      'MEMBER',
      'The beginning of its id, as `skein fleet ls` shows it, or its name.',
    ),
  },
  async run({ client }, { member }) {
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
  const fields: Field[] = [
    ['id', member.id],
    ['name', member.name],
    ['address', member.address === '' ? 'none: peers cannot call it' : member.address],
    ['version', `${member.version}, reads schema ${schema.oldest} to ${schema.newest}`],
    ['machine', [machine, ...accelerators].join(', ')],
    ['joined', formatAge(member.joinedAt, now)],
    ['lease', `renewed ${formatNumber(member.leaseAgeMs / 1000)} s ago`],
    [
      'models',
      memory &&
        `${formatBytes(memory.heldBytes)} of ${formatBytes(memory.budgetBytes)}, the least recently used ${formatNumber(memory.leastRecentAgeMs / 1000)} s ago`,
    ],
    [
      'load',
      load &&
        `${formatNumber(load.requestsPerSecond)} rows/s, ${formatNumber(load.demandCores)} cores of work`,
    ],
    ['refused', load && `${formatNumber(load.shedPerSecond)} a second for load`],
    ['wait', load && `${formatNumber(load.delayShare * 100)} % of the objective`],
    ['forwarded', forwarding && countsText(forwarding.forwards)],
  ];
  const held = renderTable(style, member.loaded, [
    ['HOLDS', ({ model }) => model],
    ['VERSION', ({ version }) => version, 'right'],
    ['DIGEST', ({ digest }) => digest.slice(0, 12)],
  ]);
  return member.loaded.length === 0
    ? renderFields(style, fields)
    : `${renderFields(style, fields)}\n\n${held}`;
}

/** The counts that are not zero. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const seen = Object.entries(counts).filter(([, count]) => count > 0);
  if (seen.length === 0) return 'none';
  return seen
    .map(([what, count]) => `${count.toLocaleString('en')} ${what.replaceAll('_', ' ')}`)
    .join(', ');
}

export const fleetFinalise = nodeCommand({
  name: 'fleet finalise',
  summary: 'End an upgrade: the fleet writes the newest schema that all its members read.',
  details:
    'Until then, members of the old and the new version work side by side, and you can return to the old one. Afterwards a node that does not read the schema is refused with STATE_TOO_NEW.',
  examples: { 'skein fleet finalise': 'Once every member runs the new version' },
  run: ({ client }) => client.finaliseFleet(),
  render: ({ schema, before }) =>
    schema === before
      ? `The fleet writes schema ${schema} already; there was nothing to end.`
      : `The fleet writes schema ${schema} from now on; it wrote ${before}.`,
});

export const fleetAdopt = nodeCommand({
  name: 'fleet adopt',
  summary: 'Let a frozen node adopt the contents of its fleet’s store.',
  details:
    'A node freezes when Redis was emptied, restored from a backup, or has lost writes in a failover: it serves on and changes nothing. Make sure first that the contents of the store are the right ones. Run it for each frozen node, with --server.',
  examples: {
    'skein fleet adopt --server https://10.0.0.7:4700': 'The node at this address',
  },
  async run({ client, url }) {
    const before = (await client.getNode()).store;
    const { store } = await client.adoptStore();
    return { url, before: before?.state, store };
  },
  render: ({ url, before, store }) => {
    if (store === undefined) return `The node at ${url} is in no fleet.`;
    const was = before === 'frozen' ? 'has taken the store as it is' : `was not frozen`;
    return `The node at ${url} ${was}.`;
  },
});
