/**
 * The limits of a command: the session's, tightened by the command's; and whether a driver can
 * enforce them.
 */
import { SkeinError } from '@skein/api';
import { SANDBOXES } from '@skein/api/implementations';
import type { Enforcement, Limits, SandboxName, SessionOptions } from '../contract.ts';
import { ISOLATING } from '../probe/enforcement.ts';
import { isLocalTarget, readEntry } from '../network/allow-list.ts';

const NAMES = [
  'cpuMs',
  'wallMs',
  'memoryBytes',
  'pids',
  'outputBytes',
  'fileBytes',
  'diskBytes',
  'cores',
] as const satisfies readonly (keyof Limits)[];

/** Bytes and processes: the kernel takes no parts of them. */
const WHOLE: ReadonlySet<keyof Limits> = new Set([
  'memoryBytes',
  'pids',
  'outputBytes',
  'fileBytes',
  'diskBytes',
]);

/** The least memory in which a program can start, in bytes: the kernel refuses lower limits of a group that is in use. */
const LEAST_MEMORY = 2 ** 20;

/** Complete limits: `Infinity` means no limit. */
export type AllLimits = Readonly<Record<keyof Limits, number>>;

/** The session's limits with their defaults. @throws SkeinError REQUEST_INVALID. */
export function allLimits(limits: Limits): AllLimits {
  const all = { ...limits, cpuMs: limits.cpuMs ?? Infinity, cores: limits.cores ?? 1 };
  for (const name of NAMES) {
    // Not `<= 0`: NaN must be refused too.
    if (!(all[name] > 0)) {
      throw new SkeinError(
        'REQUEST_INVALID',
        `limits.${name} is ${all[name]}; it must be more than 0`,
      );
    }
    if (WHOLE.has(name) && all[name] !== Infinity && !Number.isSafeInteger(all[name])) {
      throw new SkeinError(
        'REQUEST_INVALID',
        `limits.${name} is ${all[name]}; it must be a whole number`,
      );
    }
  }
  if (all.memoryBytes < LEAST_MEMORY) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `limits.memoryBytes is ${all.memoryBytes}; it must be at least ${LEAST_MEMORY}`,
    );
  }
  return all;
}

/** A limit under another name would not hold, and its default would. @throws SkeinError REQUEST_INVALID. */
export function refuseUnknownLimits(limits: Partial<Limits>): void {
  const known: readonly string[] = NAMES;
  const unknown = Object.keys(limits).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const message = `limits.${unknown} is not a limit; known are ${NAMES.join(', ')}`;
  throw new SkeinError('REQUEST_INVALID', message);
}

/** The lower of each pair of limits. @throws SkeinError REQUEST_INVALID. */
export function tightened(session: AllLimits, command: Partial<Limits> = {}): AllLimits {
  refuseUnknownLimits(command);
  const tight = Object.fromEntries(
    NAMES.map((name) => [name, Math.min(session[name], command[name] ?? Infinity)]),
  );
  return allLimits(tight as unknown as Limits);
}

/** Whether a value has fields by name. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks options that a program in JavaScript may get wrong, and that would then not hold. */
function checkSession(options: SessionOptions): void {
  const refuse = (why: string): never => {
    throw new SkeinError('REQUEST_INVALID', `The session cannot be opened: ${why}.`);
  };
  if (!isRecord(options)) refuse('its options must be an object');
  const { limits, network, untrusted, mounts } = options;
  if (!isRecord(limits)) refuse('limits must be an object');
  refuseUnknownLimits(limits);
  if (!Array.isArray(mounts)) refuse('mounts must be a list');
  if (typeof untrusted !== 'boolean') refuse('untrusted must be true or false');
  const isList = isRecord(network) && Array.isArray(network.allow);
  if (!isList && network !== 'none' && network !== 'host') {
    refuse('network must be "none", "host" or { allow: [addresses] }');
  }
}

/**
 * Refuses limits that cannot be enforced here.
 * @throws SkeinError SANDBOX_UNSUPPORTED with the fix; REQUEST_INVALID.
 */
export function refuseUnsupported(
  driver: SandboxName,
  enforcement: Enforcement,
  options: SessionOptions,
): void {
  checkSession(options);
  if (options.untrusted && !enforcement.untrusted) {
    const open = NAMES.map((name) => enforcement.limits[name]).find((each) => !each.enforced);
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      SANDBOXES[driver].isolates
        ? `The driver ${driver} does not run untrusted work here: ${open?.by ?? 'a piece is missing'}. ${open?.fix ?? ''}`.trim()
        : `The driver ${driver} isolates nothing, so it refuses untrusted work. Use ${ISOLATING}; \`skein doctor\` lists what each lacks here, and how to get it.`,
    );
  }
  const asked = allLimits(options.limits);
  for (const name of NAMES) {
    const { enforced, by, fix } = enforcement.limits[name];
    if (enforced || asked[name] === Infinity) continue;
    // One core is the default and not a request: when cores cannot be limited, only a fraction is
    // refused.
    if (name === 'cores' && options.limits.cores === undefined) continue;
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      `The driver ${driver} does not enforce limits.${name} = ${asked[name]} here: ${by}. ${fix ?? 'Ask for Infinity, which means no limit.'}`,
    );
  }
  refuseNetwork(driver, enforcement, options);
}

function refuseNetwork(
  driver: SandboxName,
  { network }: Enforcement,
  options: SessionOptions,
): void {
  const refuse = (what: string): never => {
    throw new SkeinError('SANDBOX_UNSUPPORTED', `The driver ${driver} ${what}: ${network.by}.`);
  };
  if (options.network === 'none' && !network.none) refuse('cannot cut off the network here');
  if (typeof options.network === 'object') {
    if (!network.allowList) refuse('cannot enforce a list of addresses here');
    const local = options.network.allow.find((entry) => isLocalTarget(readEntry(entry)));
    if (options.untrusted && local !== undefined) {
      throw new SkeinError(
        'SANDBOX_UNSUPPORTED',
        `${local} is not a public address: untrusted work may reach public addresses only.`,
      );
    }
  }
  if (options.network === 'host' && options.untrusted)
    refuse('gives the host’s network to trusted work only');
}
