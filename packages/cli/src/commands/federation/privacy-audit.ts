/** `skein privacy audit`: tries to prove that private training, one's own or a federation's, spends more than it claims. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import {
  askedAgain,
  describePlan,
  lookAtPlan,
  openLiveAudit,
  openWork,
  requireTerms,
  runSite,
} from '@skein/federation/site';
import { openSqliteMemory } from '@skein/federation/site/node';
import { audit, TrainError, type AuditReport } from '@skein/train';
import { privateTrainingTarget, type Asking } from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { defineCommand, type Context, type OptionValues } from '../../command-line/command.ts';
import { dataOption } from '../../connection/connection.ts';
import {
  decimal,
  flag,
  integer,
  optionalArgument,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { renderTable, type Column } from '../../output/table.ts';
import { auditModel } from '../../federation/model-audit.ts';
import {
  consentTo,
  linkOf,
  matchShown,
  offerOf,
  openSite,
  type Participation,
  participationExit,
  progressOf,
  socketOf,
  termOptions,
  unacceptedText,
} from '../../federation/participation.ts';
import { trustOptions } from '../../connection/trust.ts';
import { usageError } from '../../command-line/usage.ts';

/** The audit of a federation before its plan is accepted. */
export interface OfferedAudit extends Omit<Participation, 'accepted'> {
  readonly accepted: false;
  readonly canaries: number;
}
/** The audit at its end. */
type LiveAuditReport = AuditReport & Participation & { readonly accepted: true };
type AuditResult = AuditReport | LiveAuditReport | OfferedAudit;
const isOffer = (result: AuditResult): result is OfferedAudit =>
  'accepted' in result && !result.accepted;

interface Row {
  readonly test: string;
  readonly evidence: string;
  readonly epsilon: number;
}

/** Times that each site is killed and asked again: with fresh noise each time the noise would be halved. */
const RESUMES = 3;

const options = {
  noise: decimal(
    'NOISE',
    'Standard deviation of the noise over the sensitivity; without URL. Default: 1.',
    [0.1, 100],
  ),
  rounds: integer('N', 'Rounds of the training; without URL. Default: 1.', [1, 1000]),
  canaries: integer('N', 'Canaries. Default: 2000; with URL 200.', [100, 5000]),
  sites: integer('N', 'Sites that share canaries and noise; without URL. Default: 4.', [1, 16]),
  model: text('FILE', 'Audit this model, of `skein train` or of a federation, as ONNX.'),
  before: text('FILE', 'Network before its training, with --model; the audit then finds more.'),
  data: text('FILE', 'Canaries of `skein privacy canaries`, with --model.'),
  plan: text('FILE', 'Plan with the columns of the canaries, with --model.'),
  epsilon: decimal('E', 'Claimed epsilon of the training, with --model.', [0, 1e3]),
  delta: decimal(
    'D',
    'The probability with which epsilon may not hold; without URL. Default: 1e-5.',
    [1e-9, 0.1],
  ),
  confidence: withDefault(decimal('C', 'Confidence of each bound.', [0.5, 0.9999]), '0.999'),
  accept: flag('Accept the plan and take part, with URL.'),
  ...termOptions,
  folder: dataOption,
  ...trustOptions,
};
type Choice = OptionValues<typeof options>;

export const privacyAudit = defineCommand({
  name: 'privacy audit',
  summary: 'Audit private training: guess which rows were in it, and compare with its claim.',
  details:
    'Without URL it runs the private federated training of this installation on canaries; each is in it with probability 1/2. The training has clipping of each example, quantisation, and noise from the cryptographic generator. Each site is killed and asked again, as often as a coordinator might; one that drew fresh noise for the same sum would be found. ' +
    'The auditor guesses from the released sums which canaries were in it. Guesses that are too good for the claimed epsilon, or noise that comes again in a second run, are violations: the exit code is then 1.\n' +
    'With --model it audits a model that is finished: FILE of --data holds canaries, each with its membership in the training; the auditor guesses from the loss of the model. `skein privacy canaries` writes such a file.\n' +
    'With URL it takes part in a running federation, as a site with an invitation of its own. The rows of this site are canaries, and it guesses from the parameters that every site is sent. The canaries change the model as so many patients would. A model of few numbers separates few canaries. Without --accept it shows the plan, as `skein join` does, and accepts nothing.\n' +
    'Tests: one run (Steinke 2023) holds for any training; LiRA (Carlini 2022, with the trade-off of Nasr 2023) is closer for Gaussian noise. A passed audit is no proof of privacy; a failed one is a proof against it.',
  examples: {
    'skein privacy audit --noise 1': 'One round, 2,000 canaries',
    "skein privacy audit 'https://node.example/join#skein-join_…'":
      'Read the plan of a federation that is to be audited',
    "skein privacy audit 'https://node.example/join#skein-join_…' --canaries 200 --max-epsilon 1 --accept":
      'Audit a federation from the inside, as one of its sites',
    'skein privacy audit --model heart.onnx --data canaries.jsonl --plan plan.json --epsilon 1 --delta 1e-3':
      'Audit a finished model by its loss of canaries',
  },
  arguments: {
    url: optionalArgument('URL', 'The link of an invitation to the federation to audit.'),
  },
  options,
  async run(context, { url, ...given }): Promise<AuditResult> {
    try {
      if (given.model !== undefined) return await modelAudit(context, url, given);
      for (const name of ['before', 'data', 'plan', 'epsilon'] as const) {
        if (given[name] !== undefined) throw usageError(`--${name}: it goes with --model FILE.`);
      }
      return await (url === undefined ? ownAudit(given) : liveAudit(context, url, given));
    } catch (error) {
      if (error instanceof TrainError) throw new SkeinError('PRIVACY_UNATTAINABLE', error.message);
      throw error;
    }
  },
  render(result, style) {
    if (isOffer(result)) {
      const facts = [
        '',
        `The rows of this site would be ${result.canaries} canaries, each in with probability 1/2.`,
      ];
      return unacceptedText(result, facts, 'To audit it as one of its sites', style);
    }
    const { verdict, findings, claimed, delta, confidence, oneRun, lira } = result;
    const rows: readonly Row[] = [
      { test: 'claimed', evidence: `accountant, delta ${delta}`, epsilon: claimed },
      {
        test: 'one run',
        evidence: `${oneRun.right} of ${oneRun.made} guesses right`,
        epsilon: oneRun.epsilon,
      },
      {
        test: 'LiRA',
        evidence: `${lira.falsePositives.right} of ${lira.falsePositives.made} wrongly in, ${lira.falseNegatives.right} of ${lira.falseNegatives.made} wrongly out`,
        epsilon: lira.epsilon,
      },
    ];
    const columns: Column<Row>[] = [
      ['TEST', ({ test }) => test],
      ['EVIDENCE', ({ evidence }) => evidence],
      [
        'EPSILON',
        ({ test, epsilon }) => `${test === 'claimed' ? '' : '≥ '}${epsilon.toFixed(3)}`,
        'right',
      ],
    ];
    return [
      renderTable(style, rows, columns),
      '',
      ...(verdict === 'holds'
        ? [`No violation found at a confidence of ${confidence}.`]
        : findings.map((each) => `${style.red('violated:')} ${each}`)),
    ].join('\n');
  },
  exitCode(result) {
    if (isOffer(result)) return participationExit(result);
    return result.verdict === 'holds' ? 0 : 1;
  },
});

async function modelAudit(
  { cwd }: Context,
  url: string | undefined,
  choice: Choice,
): Promise<AuditReport> {
  if (url !== undefined) throw usageError('--model: a federation that runs has its own model.');
  for (const name of ['noise', 'rounds', 'canaries', 'sites'] as const) {
    if (choice[name] !== undefined) throw usageError(`--${name}: the model is trained already.`);
  }
  const { model, before, data, plan, epsilon, delta = 1e-5, confidence } = choice;
  if (data === undefined || plan === undefined || epsilon === undefined) {
    throw usageError('--model goes with --data, --plan and --epsilon.');
  }
  return auditModel(cwd, { model: model!, before, data, plan, epsilon, delta, confidence });
}

/** Audit of the training of this installation. */
async function ownAudit(choice: Choice): Promise<AuditReport> {
  const { noise = 1, rounds = 1, canaries = 2000, sites = 4, delta = 1e-5 } = choice;
  if (choice.accept) throw usageError('--accept: there is no plan to accept without URL.');
  const folder = await mkdtemp(join(tmpdir(), 'skein-audit-'));
  let trainings = 0;
  const asking: Asking = (audited, plan) => {
    trainings += 1;
    const memoryOf = async (site: number) =>
      openSqliteMemory(join(folder, `${trainings}-${site}.db`));
    return askedAgain({ memoryOf, resumes: RESUMES, rounds })(audited, plan);
  };
  const trained = { noise, rounds, canaries, sites, delta, backend: nativeBackend, asking };
  try {
    return await audit(privateTrainingTarget(trained), { confidence: choice.confidence });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Audit of a federation that this process takes part in, to its end, once its plan is accepted. */
async function liveAudit(
  context: Context,
  url: string,
  choice: Choice,
): Promise<OfferedAudit | LiveAuditReport> {
  for (const name of ['noise', 'rounds', 'sites', 'delta'] as const) {
    if (choice[name] === undefined) continue;
    throw usageError(`--${name}: the plan of the federation sets it.`);
  }
  const { canaries = 200, confidence, accept, folder } = choice;
  const { address, invitation } = linkOf(url);
  const { run } = invitation;
  const open = await socketOf(context, address, choice);
  const memory = await openSite(context, folder, `${run}-audit`);
  try {
    if ((await memory.attemptsOf(run, 'input')) > 0) {
      throw new SkeinError(
        'AUDIT_UNFIT',
        'This audit was ended in the middle, and which canaries were in is not known any more: take another --folder and a new invitation.',
      );
    }
    const proposal = await lookAtPlan({ invitation, memory, open });
    const { plan } = proposal;
    const shown = offerOf(proposal, describePlan(plan), choice);
    const auditor = await openLiveAudit({ plan, canaries, confidence });
    await matchShown(context, folder, `${run}-audit`, { ...proposal, accept });
    if (!accept) return { ...shown, accepted: false, canaries };
    requireTerms(plan, choice);
    const progress = progressOf(context, plan);
    let model: Uint8Array<ArrayBuffer> | undefined;
    const end = await runSite({
      invitation,
      open,
      memory,
      consent: consentTo(shown),
      async prepare(joined, fetchModel) {
        model = await fetchModel();
        const { rows, onBroadcast } = auditor;
        return openWork({ joined, run, memory, model, rows, backend: nativeBackend, onBroadcast });
      },
      onEvent: progress.on,
      signal: context.signal,
    });
    context.notes.clear();
    if (model === undefined) {
      throw new SkeinError('AUDIT_UNFIT', `The federation has ${end.status} without this site.`);
    }
    // A site gives its update in phase input, with pairwise masks and with a committee.
    const releases = await memory.attemptsOf(run, 'input');
    const report = await auditor.report({ model, backend: nativeBackend, releases });
    return { ...shown, accepted: true, ...report };
  } finally {
    await memory.close();
  }
}
