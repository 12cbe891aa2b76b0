/** `skein join`: this machine as a site of a federation. Its rows stay here. */
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { SkeinError } from '@skein/api';
import { formatBytes } from '@skein/api/units';
import { invitationOf, type Plan, seenText } from '@skein/federation';
import {
  describePlan,
  lookAtPlan,
  openWork,
  type PlanWords,
  readSiteRows,
  requireTerms,
  runSite,
  type SiteEvent,
  type SiteRows,
  unmetTerms,
} from '@skein/federation/site';
import { openSocket, openSqliteMemory } from '@skein/federation/site/node';
import { connectOptions } from '@skein/load';
import { nativeBackend } from '@skein/train/native';
import { defineCommand, type Context } from '../command.ts';
import { dataFolder, dataOption } from '../connection.ts';
import { givenFile } from '../file.ts';
import { argument, decimal, flag, integer, text } from '../option.ts';
import { planLines } from '../output/federation.ts';
import { readTrust, trustOptions } from '../trust.ts';
import { usageError } from '../usage.ts';

export interface Participation {
  readonly plan: PlanWords;
  readonly planDigest: string;
  /** As the operator of the federation named this site. */
  readonly name: string;
  /** Demanded terms that the plan does not meet. */
  readonly unmet: readonly string[];
  readonly accepted: boolean;
  readonly rows?: Pick<SiteRows, 'count' | 'classes' | 'unused'>;
  readonly status?: string;
  readonly round?: number;
  readonly reason?: string;
  readonly sentBytes?: number;
  /** The newest entry of the ledger that this site has signed, for `skein ledger verify --seen`. */
  readonly seen?: string;
}

export const join = defineCommand({
  name: 'join',
  summary: 'Take part in a federation with the rows of a file, which stay on this machine.',
  details:
    'Without --accept it shows the plan, what would leave this machine and what would not, and checks the file; nothing is accepted then. With --accept it trains until the federation ends. What was answered is stored before it is sent, so that a site which is started again goes on, and never answers a phase twice. Ctrl-C leaves; the same command joins again.',
  examples: [
    {
      command: "skein join 'https://node.example/join#skein-join_…' --data rows.csv",
      does: 'Read the plan, and check the rows',
    },
    {
      command:
        "skein join 'https://node.example/join#skein-join_…' --data rows.csv --max-epsilon 1 --accept",
      does: 'Train, if the plan spends at most ε = 1',
    },
  ],
  arguments: {
    url: argument('URL', 'The link that the operator of the federation gave you.'),
  },
  options: {
    data: text('FILE', 'Rows: .csv or .jsonl, with the columns of the plan.', {
      completes: 'file',
    }),
    accept: flag('Accept the plan, and train.'),
    maxEpsilon: decimal('N', 'Refuse a plan that may spend more.', { min: 0, max: 1e6 }),
    minSites: integer('N', 'Refuse a plan whose sums may be of fewer sites.', { min: 2, max: 1e4 }),
    maxRounds: integer('N', 'Refuse a plan of more rounds.', { min: 1, max: 1e6 }),
    plainUpdates: flag('Accept that the coordinator sees the update of this site by itself.'),
    folder: dataOption,
    ...trustOptions,
  },
  async run(context, { url, data, accept, folder, ca, cert, certKey, ...demanded }) {
    const { address, invitation } = linkOf(url);
    const terms = { ...demanded, allowPlainUpdates: demanded.plainUpdates };
    const trust = await readTrust(context, { ca, cert, certKey }, undefined);
    const tls = trust === undefined ? {} : connectOptions(trust);
    const open = () => openSocket(address, tls);
    const place = joinPath(dataFolder(context, folder), 'sites');
    await mkdir(place, { recursive: true, mode: 0o700 });
    const memory = openSqliteMemory(joinPath(place, `${invitation.run}.db`));
    try {
      const { plan, planDigest, name } = await lookAtPlan({ invitation, memory, open });
      const rows = data === undefined ? undefined : await rowsOf(context, plan, data);
      const unmet = unmetTerms(plan, terms);
      const shown = { plan: describePlan(plan), planDigest, name, unmet, ...rowFacts(rows) };
      if (!accept) return { ...shown, accepted: false } satisfies Participation;
      if (rows === undefined) throw usageError('Give the rows to train on: --data FILE.');
      requireTerms(plan, terms);
      const progress = progressOf(context, plan);
      const end = await runSite({
        invitation,
        open,
        memory,
        async consent(joined) {
          if (joined.planDigest === planDigest) return;
          throw new SkeinError('SITE_PLAN_CHANGED', 'The plan changed while it was read.');
        },
        prepare: async (joined, fetchModel) =>
          openWork({
            joined,
            run: invitation.run,
            keys: await memory.identity(),
            model: await fetchModel(),
            rows,
            backend: nativeBackend,
          }),
        onEvent: progress.on,
        signal: context.signal,
      });
      context.notes.clear();
      const sentBytes = progress.sentBytes();
      const { seen, ...how } = end;
      const entry = seen === undefined ? {} : { seen: seenText(seen) };
      return { ...shown, accepted: true, ...how, ...entry, sentBytes } satisfies Participation;
    } finally {
      await memory.close();
    }
  },
  endsItself: true,
  exitCode: (result) => {
    if (!result.accepted) return result.unmet.length === 0 ? 0 : 1;
    return result.status === 'failed' ? 1 : 0;
  },
  render(result: Participation, style) {
    const { accepted, rows, status, round, reason, sentBytes, seen, unmet } = result;
    const file =
      rows === undefined
        ? []
        : [
            '',
            `${style.green('✓')} ${rows.count} rows fit the plan${rows.unused.length === 0 ? '' : `; not used: ${rows.unused.join(', ')}`}.`,
          ];
    if (!accepted) {
      return [
        ...planLines(result.plan, style),
        ...file,
        ...(unmet.length === 0 ? [] : ['', `Your terms are not met: ${unmet.join('; ')}.`]),
        '',
        'Nothing was accepted. To take part, add --accept.',
      ].join('\n');
    }
    const after = reason === '' || reason === status ? '' : `: ${reason}`;
    return [
      `${style.green('✓')} The federation has ${status} after round ${round}${after}. ${formatBytes(sentBytes ?? 0)} were sent.`,
      ...(seen === undefined
        ? []
        : [
            `To check an exported ledger: ${style.cyan(`skein ledger verify FILE --seen ${seen}`)}`,
          ]),
    ].join('\n');
  },
});

function rowFacts(rows: SiteRows | undefined): Pick<Participation, 'rows'> {
  if (rows === undefined) return {};
  const { count, classes, unused } = rows;
  return { rows: { count, classes, unused } };
}

/** The node and the invitation of a link `https://node/join#skein-join_…`. */
function linkOf(url: string) {
  if (!URL.canParse(url)) throw usageError(`"${url}" is not a link such as https://node/join#….`);
  const { origin, hash } = new URL(url);
  return { address: origin, invitation: invitationOf(decodeURIComponent(hash.slice(1))) };
}

async function rowsOf({ cwd }: Context, plan: Plan, data: string): Promise<SiteRows> {
  const { path } = await givenFile(cwd, data);
  return readSiteRows(plan.data, createReadStream(path), /\.jsonl?$/i.test(path) ? 'jsonl' : 'csv');
}

/** Tells a person how far the federation is. */
function progressOf({ notes }: Context, { rounds }: Plan) {
  let sent = 0;
  const tell: {
    readonly [T in SiteEvent['type']]: (event: Extract<SiteEvent, { type: T }>) => void;
  } = {
    connected: ({ name }) => notes.step(`Connected as ${name}.`),
    lost: ({ reason, retryMs }) =>
      notes.step(`${reason} Trying again in ${(retryMs / 1000).toFixed(1)} s.`),
    task: ({ round, phase }) => notes.progress(`Round ${round + 1} of ${rounds}: ${phase} …`),
    answered: ({ bytes }) => void (sent += bytes),
    refused: ({ code, message }) => notes.step(`${code}: ${message}`),
    status: ({ status, round, reason }) =>
      notes.step(
        `${status} after round ${round} of ${rounds}${reason === '' ? '' : `: ${reason}`}`,
      ),
  };
  return {
    on: (event: SiteEvent): void => (tell[event.type] as (event: SiteEvent) => void)(event),
    sentBytes: () => sent,
  };
}
