/** `skein helper`: makes this machine a helper of federations. A helper unmasks sums and never sees an update. */
import { join as joinPath } from 'node:path';
import type { PlannedHelper } from '@skein/federation';
import {
  helperInPlan,
  helperWork,
  keysOfHelper,
  lockHelper,
  openHelperMemory,
  type HelperMemory,
} from '@skein/federation/helper';
import { describeHelp, lookAtPlan, requireTerms, runSite } from '@skein/federation/site';
import { defineCommand, type Context } from '../../command-line/command.ts';
import { dataFolder, dataOption, makeDataFolder } from '../../connection/connection.ts';
import { argument, flag, text, withDefault } from '../../command-line/option.ts';
import {
  consentTo,
  endText,
  linkOf,
  matchShown,
  offerOf,
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

export const helperKey = defineCommand({
  name: 'helper key',
  summary: 'Print the public keys of this helper, for the plan of a federation.',
  details:
    'The first call makes the keys. They stay in the data folder; the private ones never leave it. Give the output to the operator of the federation, who writes it into aggregation.helpers of the plan. Another institution than the coordinator should run the helper.',
  examples: { "skein helper key --name 'University of Basel'": 'Print the entry for the plan' },
  arguments: {},
  options: {
    name: withDefault(text('NAME', 'Name of the institution; sites read it.'), 'helper'),
    folder: dataOption,
  },
  async run(context, { name, folder }): Promise<PlannedHelper> {
    const memory = await memoryIn(context, folder);
    try {
      return { name, ...(await keysOfHelper(memory)) };
    } finally {
      await memory.close();
    }
  },
  render: (keys) => JSON.stringify(keys, null, 2),
});

export const helperJoin = defineCommand({
  name: 'helper join',
  summary: 'Help a federation: sum the masks of its sites, once in each attempt of a round.',
  details:
    'Without --accept it shows the plan; nothing is accepted then. With --accept it helps until the federation ends: each round needs all helpers. It answers each attempt of a round only once. It stores the answer before it sends it, so you can kill it and start it again. It refuses lists of fewer sites than the plan demands, and more sums than the privacy budget allows. Keep the data folder: without its keys the federation cannot continue, and an older copy of it lacks the newest answers.',
  examples: {
    "skein helper join 'https://node.example/join#skein-join_…' --accept":
      'Help until the federation ends',
  },
  arguments: {
    url: argument('URL', 'The link that the operator of the federation gave you.'),
  },
  options: {
    accept: flag('Accept the plan, and help.'),
    ...termOptions,
    folder: dataOption,
    ...trustOptions,
  },
  async run(context, { url, accept, folder, ca, cert, certKey, ...terms }) {
    const { address, invitation } = linkOf(url);
    const open = await socketOf(context, address, { ca, cert, certKey });
    const memory = await memoryIn(context, folder);
    let lock: ReturnType<typeof lockHelper> | undefined;
    try {
      const proposal = await lookAtPlan({ invitation, memory, open });
      const { plan } = proposal;
      const { name } = await helperInPlan(plan, memory);
      const shown = offerOf({ ...proposal, name }, describeHelp(plan), terms);
      await matchShown(context, folder, `${invitation.run}-helper`, { ...proposal, accept });
      if (!accept) return { ...shown, accepted: false } satisfies Participation;
      requireTerms(plan, terms);
      lock = lockHelper(dataFolder(context, folder));
      const end = await runSite({
        invitation,
        open,
        memory,
        consent: consentTo(shown),
        prepare: (joined) => helperWork({ run: invitation.run, joined, memory }),
        onEvent: progressOf(context, plan).on,
        signal: context.signal,
      });
      context.notes.clear();
      return { ...shown, accepted: true, ...withSeenText(end) } satisfies Participation;
    } finally {
      lock?.release();
      await memory.close();
    }
  },
  endsItself: true,
  exitCode: participationExit,
  render(result: Participation, style) {
    const { accepted, name } = result;
    const named = ['', `The plan names this helper as ${name}.`];
    if (!accepted) return unacceptedText(result, named, 'To help', style);
    const ended = `${style.green('✓')} ${endText(result, 'This helper')}`;
    return [ended, ...seenLines(result, style)].join('\n');
  },
});

async function memoryIn(context: Context, folder: string | undefined): Promise<HelperMemory> {
  const place = dataFolder(context, folder);
  await makeDataFolder(place);
  return openHelperMemory(joinPath(place, 'helper.db'));
}
