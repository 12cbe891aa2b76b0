/** `skein join`: this machine as a site of a federation. Its rows stay here. */
import { formatBytes } from '@skein/api/units';
import { isCounting } from '@skein/federation';
import {
  aggregationIn,
  describePlan,
  lookAtPlan,
  openWork,
  outsideText,
  requireTerms,
  runSite,
  type SiteRows,
} from '@skein/federation/site';
import type { AccountReport } from '@skein/federation/site/node';
import { nativeBackend as backend } from '@skein/train/native';
import { defineCommand } from '../../command-line/command.ts';
import { dataOption } from '../../connection/connection.ts';
import { type OwnQuality, ownQuality, qualityText } from '../../federation/own-quality.ts';
import {
  type AccountEntrance,
  accountOption,
  accountText,
  enterAccount,
} from '../../federation/site-account.ts';
import { rowsOf } from '../../federation/rows-of-file.ts';
import {
  openPersonal,
  personalChoice,
  personalOffer,
  personalOptions,
  type PersonalReport,
  personalText,
  preparePersonal,
  type RunningPersonal,
} from '../../federation/personal.ts';
import { argument, flag, text } from '../../command-line/option.ts';
import {
  consentTo,
  endText,
  linkOf,
  matchShown,
  offerOf,
  openSite,
  type Participation,
  participationExit,
  progressOf,
  seenLines,
  socketOf,
  termOptions,
  unacceptedText,
  withSeenText,
} from '../../federation/participation.ts';
import { trustOptions } from '../../connection/trust.ts';
import { usageError } from '../../command-line/usage.ts';

export interface SiteParticipation extends Participation {
  /** Report of the privacy account: before an acceptance as it would be. */
  readonly account: AccountReport;
  readonly rows?: Pick<SiteRows, 'count' | 'classes' | 'outside' | 'rounded' | 'unused'>;
  readonly sentBytes?: number;
  /** Metrics of the newest model that was sent here, on the rows of this site. */
  readonly quality?: OwnQuality;
  readonly personal?: PersonalReport;
}

export const join = defineCommand({
  name: 'join',
  summary: 'Take part in a federation with the rows of a file, which stay on this machine.',
  details:
    'Without --accept it shows the plan, what would leave this machine and what would not, and checks the file; nothing is accepted then. With --accept it trains until the federation ends. Each answer is stored before it is sent, so a site that is started again continues, and never answers a phase twice. Ctrl-C leaves; the same command joins again.\n' +
    'The spending of each federation is counted in an account of this data folder, together with other federations (`skein privacy account`). A plan that would exceed its limit is refused.\n' +
    'With --personal the site trains a model of its own too, between its work for the federation. The coordinator learns nothing of it, and no budget of the federation protects it.',
  examples: {
    "skein join 'https://node.example/join#skein-join_…' --data rows.csv":
      'Read the plan, and check the rows',
    "skein join 'https://node.example/join#skein-join_…' --data rows.csv --max-epsilon 1 --accept":
      'Train, if the plan spends at most ε = 1',
    "skein join 'https://node.example/join#skein-join_…' --data rows.csv --personal own.onnx --personal-test test.csv --accept":
      'Train a model of the site’s own too, and compare it with the global one',
  },
  arguments: {
    url: argument('URL', 'The link that the operator of the federation gave you.'),
  },
  options: {
    data: text('PATH', 'Rows: .csv, .jsonl, .parquet, .npz, .npy, or a folder of images.'),
    labels: text('FILE', 'Labels of the rows of an .npy file.'),
    accept: flag('Accept the plan, and train.'),
    once: flag('Leave after one message, in a federation whose sums helpers unmask.'),
    ...termOptions,
    account: accountOption,
    ...personalOptions,
    plainUpdates: flag('Accept that the coordinator sees the single update of this site.'),
    folder: dataOption,
    ...trustOptions,
  },
  async run(
    context,
    { url, data, labels, accept, once, folder, account, ca, cert, certKey, ...more },
  ) {
    const { maxEpsilon, minSites, maxRounds, plainUpdates, ...given } = more;
    const { address, invitation } = linkOf(url);
    const { run } = invitation;
    const terms = { maxEpsilon, minSites, maxRounds, allowPlainUpdates: plainUpdates };
    const own = await personalChoice(context, given, data);
    const open = await socketOf(context, address, { ca, cert, certKey });
    const memory = await openSite(context, folder, run);
    let entrance: AccountEntrance | undefined;
    let personal: RunningPersonal | undefined;
    try {
      const proposal = await lookAtPlan({ invitation, memory, open });
      const { plan } = proposal;
      if (own !== undefined && isCounting(plan)) {
        throw usageError('--personal: this plan counts rows, and sends no model to train from.');
      }
      const rows = data === undefined ? undefined : await rowsOf(context, plan, { data, labels });
      entrance = await enterAccount(context, { run, proposal, memory, folder, account, data });
      const prepared =
        own === undefined || rows === undefined
          ? undefined
          : await preparePersonal(own, plan, rows.count, (file) =>
              rowsOf(context, plan, { data: file }),
            );
      const { report, refusal } = entrance.preview();
      const refusals = refusal === undefined ? [] : [refusal];
      const offer = offerOf(proposal, describePlan(plan), terms, refusals);
      const extra = prepared === undefined ? {} : { personal: prepared.report };
      const shown = { ...offer, ...rowFacts(rows), ...extra };
      await matchShown(context, folder, run, { ...proposal, accept });
      if (!accept)
        return { ...shown, accepted: false, account: report } satisfies SiteParticipation;
      if (rows === undefined) throw usageError('Give the rows to train on: --data FILE.');
      requireTerms(plan, terms);
      if (once && !aggregationIn(plan).isOneMessage) {
        throw usageError(
          `--once: a round of this plan (aggregation ${plan.aggregation.kind}) is more than one message.`,
        );
      }
      entrance.admit();
      const progress = progressOf(context, plan);
      let model: Uint8Array<ArrayBuffer> | undefined;
      let sent: Parameters<typeof ownQuality>[2] | undefined;
      const end = await runSite({
        invitation,
        open,
        memory,
        consent: consentTo(shown),
        async prepare(joined, fetchModel) {
          model = await fetchModel();
          if (own !== undefined) {
            const { plan: accepted } = joined;
            const options = { run, plan: accepted, model, rows, memory, ...prepared! };
            personal = await openPersonal(context, own, options);
          }
          const onBroadcast = (round: number, broadcast: Float32Array) => {
            sent = { round, broadcast: broadcast.slice() };
            return personal?.onBroadcast(round, broadcast);
          };
          const { on: onEvent } = progress;
          const shared = { joined, run, memory, model, rows, backend };
          const work = await openWork({ ...shared, onBroadcast, onEvent });
          return personal?.first(work) ?? work;
        },
        onEvent: progress.on,
        charge: entrance.charge,
        once,
        signal: context.signal,
      });
      context.notes.clear();
      const sentBytes = progress.sentBytes();
      const found =
        model === undefined || sent === undefined
          ? {}
          : { quality: await ownQuality(model, rows, sent) };
      const trained = personal && { personal: await personal.end(end.status !== 'left') };
      const ended = { ...withSeenText(end), ...found, ...trained, sentBytes };
      const spent = entrance.leave(end.status);
      return { ...shown, accepted: true, account: spent, ...ended } satisfies SiteParticipation;
    } finally {
      entrance?.[Symbol.dispose]();
      await personal?.close();
      await memory.close();
    }
  },
  endsItself: true,
  exitCode: (result) => (result.personal?.problem === undefined ? participationExit(result) : 1),
  render(result: SiteParticipation, style) {
    const { accepted, account, rows, sentBytes, quality, personal } = result;
    const file =
      rows === undefined
        ? []
        : [
            '',
            `${style.green('✓')} ${rows.count} rows fit the plan${rows.unused.length === 0 ? '' : `; not used: ${rows.unused.join(', ')}`}.`,
            ...rows.outside.map((each) => style.yellow(outsideText(each))),
            ...rows.rounded.map((each) => style.yellow(each)),
          ];
    if (!accepted) {
      const own = personal === undefined ? [] : ['', ...personalOffer(personal, style)];
      const facts = [...file, ...own, '', ...accountText(account)];
      return unacceptedText(result, facts, 'To take part', style);
    }
    const sent = `${formatBytes(sentBytes ?? 0)} were sent.`;
    return [
      `${style.green('✓')} ${endText(result, 'This site')} ${sent}`,
      ...(quality === undefined ? [] : [qualityText(quality)]),
      ...(personal === undefined ? [] : personalText(personal, style)),
      ...seenLines(result, style),
    ].join('\n');
  },
});

function rowFacts(rows: SiteRows | undefined): Pick<SiteParticipation, 'rows'> {
  if (rows === undefined) return {};
  const { count, classes, outside, rounded, unused } = rows;
  return { rows: { count, classes, outside, rounded, unused } };
}
