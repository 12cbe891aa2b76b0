/** The limits of a command: what a session allows, tightened; and whether a driver can hold them. */
import { SkeinError } from '@skein/api';
import type { Enforcement, Limits, SandboxName, SessionOptions } from './contract.ts';
import { isLocalTarget, readEntry } from './network/allow-list.ts';

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

/** Limits without gaps: `Infinity` is no limit. */
export type AllLimits = Readonly<Record<keyof Limits, number>>;

/** The session's limits with their defaults. @throws SkeinError REQUEST_INVALID. */
export function allLimits(limits: Limits): AllLimits {
  const all = { ...limits, cpuMs: limits.cpuMs ?? Infinity, cores: limits.cores ?? 1 };
  for (const name of NAMES) {
    // Not `<= 0`: NaN is no limit either.
    if (!(all[name] > 0)) {
      throw new SkeinError(
        'REQUEST_INVALID',
        `limits.${name} is ${all[name]}; it must be more than 0`,
      );
    }
  }
  return all;
}

/** The lesser of each. */
export function tightened(session: AllLimits, command: Partial<Limits> = {}): AllLimits {
  const tight = Object.fromEntries(
    NAMES.map((name) => [name, Math.min(session[name], command[name] ?? Infinity)]),
  );
  return allLimits(tight as unknown as Limits);
}

/** Refuses what cannot be held here. @throws SkeinError SANDBOX_UNSUPPORTED with the fix. */
export function refuseUnsupported(
  driver: SandboxName,
  enforcement: Enforcement,
  options: SessionOptions,
): void {
  if (options.untrusted && !enforcement.untrusted) {
    const open = NAMES.map((name) => enforcement.limits[name]).find((each) => !each.enforced);
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      driver === 'process'
        ? 'The driver process isolates nothing, so it refuses untrusted work. Install Docker or bubblewrap: sudo apt-get install bubblewrap'
        : `The driver ${driver} does not hold untrusted work here: ${open?.by ?? 'a piece is missing'}. ${open?.fix ?? ''}`.trim(),
    );
  }
  const asked = allLimits(options.limits);
  for (const name of NAMES) {
    const { enforced, by, fix } = enforcement.limits[name];
    if (enforced || asked[name] === Infinity) continue;
    // A single core is the default, not a wish: where it cannot be held, only a fraction asks for more.
    if (name === 'cores' && options.limits.cores === undefined) continue;
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      `The driver ${driver} does not enforce limits.${name} = ${asked[name]} here: ${by}. ${fix ?? 'Ask for Infinity, which is no limit.'}`,
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
        `${local} is no public address: untrusted work reaches none but those.`,
      );
    }
  }
  if (options.network === 'host' && options.untrusted)
    refuse('gives the host’s network to trusted work only');
}
