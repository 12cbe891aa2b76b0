/** `skein federate`: federations that a node coordinates. */
import { SkeinError, type FederationView } from '@skein/api';
import { isOver, LONGEST_SITE_NAME } from '@skein/api/federations';
import { checkDraft, isCounting } from '@skein/federation';
import { OnnxError, readModel, writeModel } from '@skein/onnx';
import { assemblePublic, networkFrom, TrainError, type PublicColumns } from '@skein/train';
import { networkOf } from '@skein/train/run';
import type { Context } from '../../command-line/command.ts';
import { type Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import {
  argument,
  flag,
  integer,
  many,
  optionalArgument,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { renderFederation, renderFederations } from '../../output/federation.ts';
import { pause } from '../../pause.ts';
import { usageError } from '../../command-line/usage.ts';
import { readGivenFile, readGivenText } from '../../file.ts';

const ID = 'Its id, the beginning of it, or last.';
const FOLLOW_MS = 1000;

export const federateStart = nodeCommand({
  name: 'federate start',
  summary: 'Start a federation: build the model, publish the plan, invite the sites.',
  details:
    'The plan is a JSON file: the columns with their public ranges and categories, the strategy, the rounds, the privacy budget and the sites; docs/guide/federation.md shows one. Secure aggregation and differential privacy are on unless the plan turns them off. Each invitation is a link that one site uses once; it is shown this once. The helpers that the plan names are invited too.',
  examples: {
    'skein federate start plan.json --name heart --site Cleveland --site Budapest':
      'A logistic regression over two hospitals',
    'skein federate start counts.json --name heart --version 2 --site Cleveland --site Budapest':
      'Counts of how version 2 does at two hospitals, by a plan of strategy statistics',
  },
  arguments: { plan: argument('PLAN', 'A JSON file with the plan.', { completes: 'file' }) },
  options: {
    name: withDefault(text('NAME', 'Name of the model whose versions result.'), 'federated'),
    model: withDefault(
      text('NETWORK', 'mlp (linear), mlp:16, cnn:16,32, or an .onnx file that gives logits.'),
      'mlp',
    ),
    version: text('N', 'Use this version of NAME, and build no network: where rows are counted.'),
    seed: withDefault(integer('N', 'Seed for the first weights.', [0, 2 ** 31]), '0'),
    site: many('NAME', 'Name of a site to invite; repeat it.'),
  },
  async run(connection, { plan: path, name, model, version: stored, seed, site }, context) {
    const plan = await readPlan(context, path);
    const { client } = connection;
    // A model that is stored for a plan that is refused would be the version of nothing.
    const { data, sites: wanted } = checkDraft(plan, name);
    checkSites(site, wanted.maximum);
    if (isCounting(plan) && stored === undefined) {
      throw usageError(
        `This plan counts rows by the score of a model: name its version, such as --name ${name} --version 2.`,
      );
    }
    const version =
      stored ??
      (await client.importModel({ name, content: await builtModel(context, data, model, seed) }))
        .version;
    const federation = await client.startFederation({ model: name, version, plan });
    const sites = site.map((each) => ({ name: each }));
    const { aggregation } = federation.plan;
    const helpers = (aggregation.helpers ?? []).map((each) => ({
      name: each.name,
      role: 'helper' as const,
    }));
    const invitations = await invitationsOf(connection, federation.id, [...helpers, ...sites]);
    return { federation, invitations };
  },
  render({ federation, invitations }, style) {
    const links = invitations.flatMap((each) => ['', style.bold(titleOf(each)), `  ${each.link}`]);
    return [
      renderFederation(federation, style),
      ...links,
      '',
      invitations.length === 0
        ? `Invite a site: ${style.cyan(style.commands(`skein federate invite ${federation.id} NAME`))}`
        : 'Give each site its link: for `skein join`, or to open in a browser; each helper: for `skein helper join`. It is shown this once.',
    ].join('\n');
  },
});

export const federateInvite = nodeCommand({
  name: 'federate invite',
  summary: 'Invite a site or a helper to a federation; its link is shown this once.',
  examples: {
    'skein federate invite last Zurich': 'A link for one more site',
    'skein federate invite last page --uses 1000': 'One link for a thousand browsers',
  },
  arguments: {
    federation: argument('FEDERATION', ID),
    name: argument('NAME', 'How you call the site; the ledger has a pseudonym instead.'),
  },
  options: {
    uses: integer('N', 'Number of sites that may use the link.', [1, 1e5]),
    helper: flag('Invite a helper whose keys are in the plan.'),
  },
  async run(connection, { federation, name, uses, helper }) {
    if (helper && uses !== undefined) throw usageError('A helper has an invitation of its own.');
    const { id } = await find(connection, federation);
    const role = helper ? 'helper' : 'site';
    const [invitation] = await invitationsOf(connection, id, [{ name, role, uses }]);
    return { federation: id, ...invitation! };
  },
  render: (invitation, style) => `${style.bold(titleOf(invitation))}\n  ${invitation.link}`,
});

export const federateStatus = nodeCommand({
  name: 'federate status',
  summary: 'List the federations of a node, or show one: rounds, sites, privacy spent.',
  examples: {
    'skein federate status': 'All of them',
    'skein federate status last -f': 'Follow the newest to its end',
  },
  arguments: { federation: optionalArgument('FEDERATION', ID) },
  options: {
    follow: flag('Print each round until the federation ends.', { short: 'f' }),
  },
  async run(connection, { federation, follow }, context) {
    if (federation === undefined) return connection.client.listFederations();
    const found = await find(connection, federation);
    return { federation: follow ? await followed(context, connection, found) : found };
  },
  render: (result, style) =>
    'federations' in result
      ? renderFederations(result.federations, style)
      : renderFederation(result.federation, style),
});

const change = (to: 'pause' | 'resume' | 'stop', summary: string, does: string) =>
  nodeCommand({
    name: `federate ${to}`,
    summary,
    examples: { [`skein federate ${to} last`]: does },
    arguments: { federation: argument('FEDERATION', ID) },
    options: {
      reason: withDefault(text('TEXT', 'Reason for the ledger.'), 'by the operator'),
    },
    async run(connection, { federation, reason }) {
      const { id } = await find(connection, federation);
      return { federation: await connection.client[`${to}Federation`]({ id, reason }) };
    },
    render: (result, style) => renderFederation(result.federation, style),
  });

export const federatePause = change(
  'pause',
  'Pause a federation: no site is asked for anything.',
  'Until it is resumed',
);
export const federateResume = change('resume', 'Resume a paused federation.', 'Resume it');
export const federateStop = change(
  'stop',
  'End a federation; the model of its last round is kept.',
  'End it now',
);

export const federateRevoke = nodeCommand({
  name: 'federate revoke',
  summary: 'Revoke a site: it can no longer take part.',
  examples: { 'skein federate revoke last Cleveland': 'A stolen laptop' },
  arguments: {
    federation: argument('FEDERATION', ID),
    site: argument('SITE', 'Its name, its pseudonym, or its public key.'),
  },
  async run(connection, { federation, site }) {
    const { id, sites } = await find(connection, federation);
    const found = siteOf(sites, site);
    if (found === undefined) {
      throw usageError(
        `The federation ${id} has no site "${site}". skein federate status ${id} lists those that have opened their link; a link that no site has opened cannot be revoked.`,
      );
    }
    await connection.client.revokeSite({ id, key: found.key });
    return { federation: id, site: found.name, pseudonym: found.pseudonym };
  },
  render: ({ site, federation }) => `${site} takes part in ${federation} no more.`,
});

/**
 * The site that a person means. A site that was revoked may have been invited anew by the same name.
 * @throws SkeinError USAGE for a name of several sites.
 */
function siteOf(sites: FederationView['sites'], wanted: string) {
  const exact = sites.find(({ key, pseudonym }) => [key, pseudonym].includes(wanted));
  if (exact !== undefined) return exact;
  const named = sites.filter(({ name }) => name === wanted);
  const active = named.filter(({ revokedAt }) => revokedAt === undefined);
  if (active.length > 1) {
    const pseudonyms = active.map(({ pseudonym }) => pseudonym).join(', ');
    throw usageError(`${active.length} sites are called "${wanted}": name one of ${pseudonyms}.`);
  }
  return active[0] ?? named[0];
}

/** The federation that a person means. @throws SkeinError FEDERATION_UNKNOWN. */
export async function find({ client }: Connection, wanted: string): Promise<FederationView> {
  const { federations } = await client.listFederations();
  const [newest] = federations;
  if (wanted === 'last' && newest !== undefined) return newest;
  const found = federations.filter(({ id }) => id.startsWith(wanted));
  if (found.length === 1) return found[0]!;
  const exact = found.find(({ id }) => id === wanted);
  if (exact !== undefined) return exact;
  throw new SkeinError(
    'FEDERATION_UNKNOWN',
    `${found.length === 0 ? 'No federation' : 'More than one federation'} begins with "${wanted}".`,
  );
}

async function followed(
  { notes, signal }: Context,
  { client }: Connection,
  first: FederationView,
): Promise<FederationView> {
  let [view, shown] = [first, -1];
  for (;;) {
    if (view.round !== shown)
      notes.step(
        `Round ${view.round} of ${view.plan.rounds}, ε ${view.spent.at(-1)?.epsilon?.toFixed(3) ?? '–'}`,
      );
    shown = view.round;
    if (isOver(view) || signal.aborted) return view;
    await pause(FOLLOW_MS, signal);
    view = await client.getFederation({ id: view.id });
  }
}

interface Invited {
  readonly name: string;
  readonly role?: 'site' | 'helper';
  readonly uses?: number | undefined;
}

async function invitationsOf({ client, url }: Connection, id: string, all: readonly Invited[]) {
  return Promise.all(
    all.map(async ({ name, role = 'site', uses }) => {
      const terms = { name, role, ...(uses === undefined ? {} : { uses }) };
      const { invitation } = await client.inviteSite({ id, ...terms });
      return { name, role, invitation, link: `${url}/join#${invitation}` };
    }),
  );
}

const titleOf = ({ name, role }: Required<Pick<Invited, 'name' | 'role'>>): string =>
  role === 'helper' ? `${name} (helper)` : name;

/** Before anything is made: what is refused later leaves a federation without its invitations. */
function checkSites(names: readonly string[], maximum: number): void {
  if (names.length > maximum) {
    throw usageError(
      `--site: ${names.length} sites are invited, and the plan takes ${maximum} (sites.maximum).`,
    );
  }
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw usageError(`--site: "${twice}" is there twice.`);
  const long = names.find((name) => name.length > LONGEST_SITE_NAME);
  if (long !== undefined) {
    throw usageError(
      `--site: "${long.slice(0, 20)}…" has ${long.length} characters, and a name may have ${LONGEST_SITE_NAME}.`,
    );
  }
}

async function readPlan({ cwd }: Context, path: string): Promise<Record<string, never>> {
  const content = await readGivenText(cwd, path);
  try {
    return JSON.parse(content) as Record<string, never>;
  } catch (error) {
    throw new SkeinError('PLAN_INVALID', `"${path}" is not JSON: ${(error as Error).message}.`);
  }
}

/** The model of a plan's columns. @throws SkeinError PLAN_INVALID, USAGE, FILE_UNREADABLE. */
async function builtModel(
  { cwd }: Context,
  data: PublicColumns,
  network: string,
  seed: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const builder =
      networkOf(network) ??
      (/\.onnx$/i.test(network)
        ? networkFrom(readModel(await readGivenFile(cwd, network)))
        : undefined);
    if (builder === undefined) {
      throw usageError(`--model: "${network}" is not mlp, mlp:16,8, cnn:16,32 or an .onnx file.`);
    }
    return new Uint8Array(writeModel(assemblePublic(data, builder, seed)));
  } catch (error) {
    if (error instanceof TrainError || error instanceof OnnxError) {
      throw new SkeinError('PLAN_INVALID', `The model of the plan: ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  }
}
