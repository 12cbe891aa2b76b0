/** Audit entries as FHIR R4 AuditEvents, for the record keeping of a hospital. */
import type { AuditEntry, AuditFacts } from './audit-entry.ts';

const TYPES = 'http://terminology.hl7.org/CodeSystem/audit-event-type';
const OUTCOME = { inference: '0', feedback: '0', refusal: '4' } as const;

/** @param observer name of the service that recorded them. */
export function auditEventOf({ n, recorded, facts, hash }: AuditEntry, observer: string) {
  const who = facts.user ?? facts.caller ?? 'unknown';
  return {
    resourceType: 'AuditEvent',
    id: `entry-${n}`,
    type: { system: TYPES, code: 'rest', display: 'RESTful Operation' },
    subtype: [{ system: 'urn:skein:health:audit', code: facts.kind }],
    action: facts.kind === 'feedback' ? 'C' : 'E',
    recorded,
    outcome: OUTCOME[facts.kind],
    ...(facts.kind === 'refusal' ? { outcomeDesc: facts.why } : {}),
    agent: [
      { who: { identifier: { value: who } }, requestor: true },
      ...(facts.caller === undefined || facts.caller === who
        ? []
        : [{ who: { identifier: { value: facts.caller } }, requestor: false }]),
    ],
    source: { observer: { display: observer } },
    entity: [
      {
        what: { identifier: { system: 'urn:skein:health:audit-hash', value: hash } },
        detail: detailsOf(facts),
      },
    ],
  };
}

function detailsOf(facts: AuditFacts): readonly { type: string; valueString: string }[] {
  const { kind: _kind, caller: _caller, user: _user, ...rest } = facts;
  return Object.entries(rest).map(([type, value]) => ({
    type,
    valueString: Array.isArray(value) ? value.join(' ') : String(value),
  }));
}
