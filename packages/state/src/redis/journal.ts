/** History and the audit trail: rows `id ms entry`. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Records } from '../contract.ts';
import { fieldsOf, timestampOf, type Calls } from './calls.ts';
import type { AuditEntry, HistoryEntry } from '../records.ts';

export function journalCalls({
  run,
}: Calls): Pick<Records, 'addHistory' | 'history' | 'historyAfter' | 'addAudit' | 'audit'> {
  return {
    async addHistory({ deployment, kind, reason, details, actor }) {
      const entry = JSON.stringify({ deployment, kind, reason, details, actor });
      return record((await run('add-history', deployment, kind, entry)) as string) as HistoryEntry;
    },
    async history({ deployment, kind, limit, before }) {
      const rows = await run('history', deployment ?? '', kind ?? '', limit, before ?? '');
      return (rows as string[]).map(record) as HistoryEntry[];
    },
    async historyAfter(id, limit) {
      return ((await run('history-after', id, limit)) as string[]).map(record) as HistoryEntry[];
    },
    async addAudit({ actor, action, subject, outcome, remote }) {
      await run('add-audit', JSON.stringify({ actor, action, subject, outcome, remote }));
    },
    async audit(limit, before) {
      if (limit < 1) return [];
      return ((await run('audit', limit, before ?? '')) as string[]).map(record) as AuditEntry[];
    },
  };
}

function record(row: string): { readonly id: number; readonly at: string } {
  const [id, ms, json = ''] = fieldsOf(row, 3);
  return { id: Number(id), at: timestampOf(ms), ...(readJson(json, JSON_BOUNDS.record) as object) };
}
