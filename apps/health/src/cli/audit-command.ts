/** `skein-health audit`: checks the chain of the audit log, and exports it. */
import { SkeinError } from '@skein/api';
import { auditEventOf } from '../audit/audit-event.ts';
import { readAuditLog, verifyChain } from '../audit/audit-log.ts';
import { auditFolder } from '../service/serve.ts';
import type { Command } from './options.ts';

export const runAudit: Command = async (operands, { data, json }, { stdout }) => {
  if (operands.length > 0) throw new SkeinError('USAGE', `audit takes no ${operands[0]}.`);
  const folder = auditFolder(data);
  const kinds = new Map<string, number>();
  // Checked as a whole first: no event of a log that was changed is exported.
  const { entries, first, head } = await verifyChain(folder, ({ facts }) => {
    kinds.set(facts.kind, (kinds.get(facts.kind) ?? 0) + 1);
  });
  if (json) {
    for await (const entry of readAuditLog(folder)) {
      stdout.write(`${JSON.stringify(auditEventOf(entry, 'skein-health'))}\n`);
    }
    return 0;
  }
  const counts = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ');
  stdout.write(`${entries} entries${counts === '' ? '' : `: ${counts}`}\n`);
  if (first > 1) stdout.write(`  entries before ${first} were kept for 184 days and removed\n`);
  stdout.write(`  head ${head}\nThe chain is whole.\n`);
  return 0;
};
