/** Describes in words which limits each sandbox driver enforces here: for `skein doctor`. */
import { LIMIT_NAMES } from '@skein/api/implementations';
import type { Availability, SandboxDriver, SandboxName } from '../contract.ts';

export interface SandboxDescription {
  readonly name: SandboxName;
  readonly available: boolean;
  /** Whether untrusted work may run here. */
  readonly untrusted: boolean;
  /** One line: the version and the enforced limits, or why the driver is not available. */
  readonly summary: string;
  /** The missing pieces, each with its fix. */
  readonly missing: readonly { readonly what: string; readonly fix: string }[];
}

export function describeSandboxes(
  drivers: readonly Pick<SandboxDriver, 'name' | 'availability'>[],
): Promise<SandboxDescription[]> {
  return Promise.all(
    drivers.map(async (driver) => describe(driver.name, await driver.availability())),
  );
}

function describe(name: SandboxName, here: Availability): SandboxDescription {
  if (!here.available) {
    const { reason, fix } = here;
    return {
      name,
      available: false,
      untrusted: false,
      summary: reason,
      missing: [{ what: reason, fix }],
    };
  }
  const { limits, untrusted, accounting } = here.enforcement;
  const entries = Object.entries(limits).map(
    ([limit, enforcement]) => [LIMIT_NAMES[limit] ?? limit, enforcement] as const,
  );
  const held = entries.filter(([, { enforced }]) => enforced).map(([limit]) => limit);
  const missing = entries
    .filter(([, { enforced }]) => !enforced)
    .map(([limit, { by, fix = '' }]) => ({ what: `${limit}: ${by}`, fix }));
  const summary = `${here.version}, for ${untrusted ? 'untrusted' : 'trusted'} work, holds ${held.join(', ')}; accounts by ${accounting}`;
  return { name, available: true, untrusted, summary, missing };
}
