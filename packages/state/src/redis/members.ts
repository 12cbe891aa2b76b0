import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Member, MemberInfo, MemberStore } from '../members/members.ts';
import { fieldsOf, timestampOf, type Calls } from './calls.ts';

export function memberCalls({ run, durable }: Calls): MemberStore {
  return {
    async joinMember(incarnation, info, leaseMs) {
      const [oldest, newest] = info.schema.reads;
      await run('join-member', incarnation, JSON.stringify(info), leaseMs, oldest, newest);
    },
    async renewMember(incarnation, info, leaseMs) {
      const [, newest] = info.schema.reads;
      const json = JSON.stringify(info);
      return (await run('renew-member', incarnation, json, leaseMs, newest)) === 1;
    },
    async leaveMember(incarnation) {
      await run('leave-member', incarnation);
    },
    async listMembers() {
      const rows = (await run('members')) as [string, string][];
      return rows
        .map(([incarnation, row]) => ({ incarnation, fields: fieldsOf(row, 5) }))
        .sort((a, b) => Number(a.fields[0]) - Number(b.fields[0]))
        .map(({ incarnation, fields: [, joined, renewed, , info = ''] }): Member => ({
          ...(readJson(info, JSON_BOUNDS.record) as MemberInfo),
          incarnation,
          joinedAt: timestampOf(joined),
          renewedAt: timestampOf(renewed),
        }));
    },
    schema: async () => (await run('schema')) as number,
    finalise: async () => (await durable('finalise')) as number,
  };
}
