/**
 * Chooses the driver of a command: the one that it names, else the cheapest that may run it. A
 * command that needs isolation is refused rather than run with less, and a refusal names the
 * missing piece and how to get it.
 */
import { LIMIT_NAMES, SANDBOX_NAMES } from '@skein/api/implementations';
import { howToMake, type Enforcement, type NetworkPolicy, type SandboxName } from '@skein/sandbox';
import type { CommandWork } from '../work.ts';
import type { SandboxOffer } from './contract.ts';

export type Choice =
  | { readonly chosen: SandboxName }
  /** Why no driver here may run it. */
  | { readonly refused: string };

/** @param trusts whether the worker runs trusted work. */
export function chooseSandbox(
  work: CommandWork,
  offers: readonly SandboxOffer[],
  trusts: boolean,
): Choice {
  const trusted = work.trusted === true;
  if (trusted && !trusts) return { refused: 'This worker runs no trusted work.' };
  if (work.network === 'host' && !trusted) {
    return { refused: 'Only trusted work may use the network of the host.' };
  }
  const reasons: string[] = [];
  for (const name of work.sandbox === undefined ? SANDBOX_NAMES : [work.sandbox]) {
    const reason = objection(name, work, offers, trusted);
    if (reason === undefined) return { chosen: name };
    reasons.push(`${name}: ${reason}`);
  }
  const what = trusted ? 'command' : 'untrusted command';
  return { refused: `No sandbox of this worker runs this ${what}. ${reasons.join(' ')}` };
}

/** The reason why a driver may not run the work; undefined when it may. */
function objection(
  name: SandboxName,
  work: CommandWork,
  offers: readonly SandboxOffer[],
  trusted: boolean,
): string | undefined {
  const offer = offers.find((each) => each.name === name);
  if (offer === undefined) return 'the worker was started without it.';
  const { availability } = offer;
  if (!availability.available) return `${sentence(availability.reason)} ${availability.fix}`;
  const { limits, network, untrusted } = availability.enforcement;
  if (!trusted && !untrusted) return onlyTrusted(limits, network.none);
  if (work.image !== undefined && work.sandbox === undefined && !offer.takesImage(work.image)) {
    return `it has no image ${JSON.stringify(work.image)}.${howToMake(work.image, 'bubblewrap')}`;
  }
  for (const [limit, value] of Object.entries(work.limits)) {
    if (value === undefined) continue;
    const held = limits[limit as keyof typeof limits];
    if (!held.enforced) return lacks([limit], held);
  }
  const allowList = typeof work.network === 'object';
  if (allowList && !network.allowList) return `it holds no network allow-list: ${network.by}.`;
  if (networkOf(work, trusted, network.none) === 'none' && !network.none) {
    return `it cannot keep work off the network: ${network.by}.`;
  }
  return undefined;
}

/** Why a driver runs no untrusted work: it isolates nothing, or lacks limits that it holds elsewhere. */
function onlyTrusted(limits: Enforcement['limits'], isolates: boolean): string {
  const lacking = Object.entries(limits).filter(([, { enforced }]) => !enforced);
  const [first] = lacking;
  if (!isolates || first === undefined) return 'it runs only trusted work here.';
  const names = lacking.map(([limit]) => limit);
  return `it runs only trusted work here, because ${lacks(names, first[1])}`;
}

/** @param limits fields of `Limits`; a reader gets their words. */
function lacks(
  limits: readonly string[],
  { by, fix = '' }: Enforcement['limits']['cpuMs'],
): string {
  const words = limits.map((limit) => LIMIT_NAMES[limit] ?? limit).join(', ');
  return `it does not limit ${words}: ${sentence(by)} ${fix}`.trim();
}

/**
 * Untrusted work without a network setting gets no network; trusted work gets the host's where
 * there is no other.
 */
export function networkOf(work: CommandWork, trusted: boolean, none: boolean): NetworkPolicy {
  return work.network ?? (trusted && !none ? 'host' : 'none');
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
