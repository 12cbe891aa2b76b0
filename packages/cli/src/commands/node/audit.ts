/** `skein audit`: who has changed what. */
import type { AuditView } from '@skein/api';
import { formatAge } from '@skein/api/units';
import { integer, text, withDefault } from '../../command-line/option.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { renderTable } from '../../output/table.ts';

/** Most entries that a node gives at once. */
const PAGE = 1000;
/** Most entries that a node keeps. */
const MOST = 100_000;

export const audit = nodeCommand({
  name: 'audit',
  summary: 'Show the audit trail: who has changed what, newest first.',
  details:
    'Lists changes and refused logins with their key, address and outcome; the newest 100,000 are kept. In a fleet, the trail has the entries of all nodes.',
  examples: {
    'skein audit': 'The last 50',
    'skein audit --actor 3f9a1c0b77de --limit 1000': 'What one key has done',
    'skein audit --subject risk --json': 'For a script',
  },
  options: {
    limit: withDefault(integer('N', 'Most entries.', [1, MOST]), '50'),
    actor: text(
      'ID',
      'List only changes by this key, by local (an open node) or by skein (the node itself).',
    ),
    action: text('NAME', 'List only this operation, such as deploy.'),
    subject: text('NAME', 'List only changes to this.'),
  },
  async run({ client }, { limit, ...wanted }) {
    const entries: AuditView[] = [];
    for (let before: number | undefined; entries.length < limit;) {
      const page = await client.listAudit({
        limit: PAGE,
        ...(before === undefined ? {} : { before }),
      });
      const isWanted = ({ actor, action, subject }: AuditView): boolean =>
        actor === (wanted.actor ?? actor) &&
        action === (wanted.action ?? action) &&
        subject === (wanted.subject ?? subject);
      entries.push(...page.entries.filter(isWanted));
      if (page.entries.length < PAGE) break;
      before = page.entries.at(-1)!.id;
    }
    return { entries: entries.slice(0, limit) };
  },
  render({ entries }, style) {
    if (entries.length === 0) return 'The audit trail has no such entry.';
    const now = Date.now();
    return renderTable(style, entries, [
      ['WHEN', ({ at }) => formatAge(at, now)],
      ['ACTOR', ({ actor }) => actor],
      ['FROM', ({ remote }) => remote],
      ['ACTION', ({ action }) => action],
      ['OUTCOME', ({ outcome }) => (outcome === 'ok' ? outcome : style.red(outcome))],
      ['SUBJECT', ({ subject }) => subject],
    ]);
  },
});
