/**
 * Common parts of `skein join`, `skein helper join` and `skein privacy audit URL`: the link, the terms, and the
 * facts that a person reads before they accept.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { SkeinError } from '@skein/api';
import { invitationOf, type Joined, type Plan, type SeenEntry, seenText } from '@skein/federation';
import {
  type PlanWords,
  type SiteEvent,
  type SiteMemory,
  type Terms,
  unmetTerms,
} from '@skein/federation/site';
import { openSocket, openSqliteMemory } from '@skein/federation/site/node';
import { connectOptions } from '@skein/load/trust';
import type { Context } from '../command-line/command.ts';
import { decimal, integer } from '../command-line/option.ts';
import { dataFolder, makeDataFolder } from '../connection/connection.ts';
import { readTrust } from '../connection/trust.ts';
import { usageError } from '../command-line/usage.ts';
import { planLines } from '../output/federation.ts';
import type { Style } from '../output/style.ts';

/** Terms that a participant may demand of a plan. */
export const termOptions = {
  maxEpsilon: decimal('N', 'Refuse a plan that may spend more.', [0, 1e6]),
  minSites: integer('N', 'Refuse a plan whose sums may have fewer sites.', [2, 1e4]),
  maxRounds: integer('N', 'Refuse a plan of more rounds.', [1, 1e6]),
};

/** Report of a command that shows a plan, or takes part in it. */
export interface Participation {
  readonly plan: PlanWords;
  readonly planDigest: string;
  /** The participant's name: as the operator of the federation, or the plan, names it. */
  readonly name: string;
  /** Demanded terms that the plan does not meet. */
  readonly unmet: readonly string[];
  readonly accepted: boolean;
  readonly status?: string;
  readonly round?: number;
  readonly reason?: string;
  /** The newest entry of the ledger that it has signed, for `skein ledger verify --seen`. */
  readonly seen?: string;
}

/** How it ended, for a person. @param who as the subject of a sentence. */
export function endText({ status, round, reason }: Participation, who: string): string {
  if (status === 'left') return `${who} has left in round ${round! + 1}.`;
  const after = reason === '' || reason === status ? '.' : `: ${reason!.replace(/\.$/, '')}.`;
  return `The federation has ${status} after round ${round}${after}`;
}

/** How to hold an exported ledger to what was signed. */
export function seenLines({ seen }: Participation, style: Style): readonly string[] {
  if (seen === undefined) return [];
  const command = style.cyan(style.commands(`skein ledger verify FILE --seen ${seen}`));
  return [`To check an exported ledger: ${command}`];
}

/** The entry as a person compares it. */
export function withSeenText<T extends { readonly seen?: SeenEntry | undefined }>(end: T) {
  const { seen, ...how } = end;
  return { ...how, ...(seen === undefined ? {} : { seen: seenText(seen) }) };
}

/** The facts that a participant decides on. @param words the plan as it is shown. @param refusals in addition to the terms. */
export function offerOf(
  { plan, planDigest, name }: Pick<Joined, 'plan' | 'planDigest' | 'name'>,
  words: PlanWords,
  terms: Terms,
  refusals: readonly string[] = [],
): Omit<Participation, 'accepted'> {
  return { plan: words, planDigest, name, unmet: [...unmetTerms(plan, terms), ...refusals] };
}

/**
 * Notes which plan is shown, and holds what is accepted later to it: a node could show one plan to a command
 * without --accept, and another one to the command that accepts.
 * @param name as in `openSite`.
 * @throws SkeinError SITE_PLAN_CHANGED.
 */
export async function matchShown(
  context: Context,
  folder: string | undefined,
  name: string,
  { planDigest, accept }: Pick<Participation, 'planDigest'> & { readonly accept: boolean },
): Promise<void> {
  const place = joinPath(dataFolder(context, folder), 'sites');
  const file = joinPath(place, `${name}.shown`);
  if (!accept) {
    await makeDataFolder(place);
    return writeFile(file, planDigest);
  }
  const shown = await readFile(file, 'utf8').catch(() => planDigest);
  if (shown === planDigest) return;
  throw new SkeinError(
    'SITE_PLAN_CHANGED',
    `The plan has the digest ${planDigest.slice(0, 16)}…, but the one that was shown without --accept has ${shown.slice(0, 16)}….`,
  );
}

/** The memory of a site in the data folder. @param name of its file: it holds one federation. */
export async function openSite(
  context: Context,
  folder: string | undefined,
  name: string,
): Promise<SiteMemory> {
  const place = joinPath(dataFolder(context, folder), 'sites');
  await makeDataFolder(place);
  return openSqliteMemory(joinPath(place, `${name}.db`));
}

/** 1 for terms that are not met, and for a federation that failed. */
export function participationExit({ accepted, status, unmet }: Participation): 0 | 1 {
  return (accepted ? status === 'failed' : unmet.length > 0) ? 1 : 0;
}

/** Consents to the plan that the participant has read. */
export const consentTo =
  ({ planDigest }: Pick<Participation, 'planDigest'>) =>
  async (joined: Pick<Participation, 'planDigest'>): Promise<void> => {
    if (joined.planDigest === planDigest) return;
    throw new SkeinError('SITE_PLAN_CHANGED', 'The plan changed while it was read.');
  };

/** Text where nothing was accepted. @param facts of the participant. */
export function unacceptedText(
  { plan, unmet }: Participation,
  facts: readonly string[],
  toAccept: string,
  style: Style,
): string {
  return [
    ...planLines(plan, style),
    ...facts,
    ...(unmet.length === 0 ? [] : ['', `Your terms are not met: ${unmet.join('; ')}.`]),
    '',
    `Nothing was accepted. ${toAccept}, add --accept.`,
  ].join('\n');
}

/** The node and the invitation of a link `https://node/join#skein-join_…`. */
export function linkOf(url: string) {
  if (!URL.canParse(url)) throw usageError(`"${url}" is not a link such as https://node/join#….`);
  const { origin, hash } = new URL(url);
  return { address: origin, invitation: invitationOf(decodeURIComponent(hash.slice(1))) };
}

/** How to connect to the node of a link. */
export async function socketOf(
  context: Context,
  address: string,
  files: Parameters<typeof readTrust>[1],
) {
  const trust = await readTrust(context, files, undefined);
  const tls = trust === undefined ? {} : connectOptions(trust);
  return () => openSocket(address, tls);
}

/** Shows a person how far the federation is. */
export function progressOf({ notes }: Context, { rounds }: Plan) {
  let sent = 0;
  const report: {
    readonly [T in SiteEvent['type']]: (event: Extract<SiteEvent, { type: T }>) => void;
  } = {
    connected: ({ name }) => notes.step(`Connected as ${name}.`),
    lost: ({ reason, retryMs }) =>
      notes.step(`${reason} Trying again in ${(retryMs / 1000).toFixed(1)} s.`),
    task: ({ round, phase }) => notes.progress(`Round ${round + 1} of ${rounds}: ${phase} …`),
    answered: ({ bytes }) => void (sent += bytes),
    stored: ({ round, phase }) =>
      notes.progress(`Round ${round + 1} of ${rounds}: ${phase} is sent.`),
    fault: ({ round, message }) =>
      notes.step(`Round ${round + 1} of ${rounds}: this site adds zeros to the sum: ${message}`),
    refused: ({ code, message }) => notes.step(`${code}: ${message}`),
    status: ({ status, round, reason }) =>
      notes.step(
        `${status} after round ${round} of ${rounds}${reason === '' ? '' : `: ${reason}`}`,
      ),
  };
  return {
    on: (event: SiteEvent): void => (report[event.type] as (event: SiteEvent) => void)(event),
    sentBytes: () => sent,
  };
}
