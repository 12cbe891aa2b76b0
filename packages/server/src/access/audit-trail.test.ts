import { expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { issueToken } from '@skein/http';
import { auditTrail } from './audit-trail.ts';

test('a key in the place of its id is recorded without its secret', async () => {
  const { id, token } = issueToken();
  const subjects: string[] = [];
  const audit = auditTrail(
    { addAudit: async ({ subject }) => void subjects.push(subject) },
    () => {},
  );
  const change = { actor: 'local', remote: '', action: 'revokeKey', subject: () => token };
  const unknown = new SkeinError('KEY_UNKNOWN', 'x');
  await expect(audit(change, () => Promise.reject(unknown))).rejects.toBe(unknown);
  expect(subjects).toEqual([`skein_${id}_[redacted]`]);
});
