/**
 * Describes in words which limits each sandbox driver enforces here: for `skein doctor` and the
 * start of a node.
 */
import type { Availability, SandboxName } from './contract.ts';
import type { Sandboxes } from './sandboxes.ts';

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

export async function describeSandboxes(sandboxes: Sandboxes): Promise<SandboxDescription[]> {
  const all = await sandboxes.availability();
  return [...all].map(([name, here]) => describe(name, here));
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
  const entries = Object.entries(limits);
  const held = entries.filter(([, { enforced }]) => enforced).map(([limit]) => limit);
  const missing = entries
    .filter(([, { enforced }]) => !enforced)
    .map(([limit, { by, fix = '' }]) => ({ what: `${limit}: ${by}`, fix }));
  const summary = `${here.version}, for ${untrusted ? 'untrusted' : 'trusted'} work, holds ${held.join(', ')}; accounts by ${accounting}`;
  return { name, available: true, untrusted, summary, missing };
}
