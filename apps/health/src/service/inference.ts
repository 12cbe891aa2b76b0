/**
 * One inference: inputs → assessment → audit entry on the disk → answer. Nothing is returned before its entry is
 * durable, and an entry is written for every assessment, abstentions too.
 */
import { randomUUID } from 'node:crypto';
import { keyedDigest, type AuditEntry } from '../audit/audit-entry.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { PatientRecord } from '../fhir/bundle.ts';
import { readInputs, type Inputs } from '../fhir/read-inputs.ts';
import { digestedInputs } from '../hooks/derivation.ts';
import { assess, type Assessment } from '../method/assess.ts';
import type { Scorer } from '../method/scorer.ts';
import type { Version } from '../method/version.ts';

export interface Model {
  readonly version: Version;
  readonly scorer: Scorer;
}

export interface InferenceOptions {
  readonly log: AuditLog;
  /** Key of the digests in the log. */
  readonly key: Uint8Array;
  readonly model: Model;
  readonly now: () => number;
}

export interface Asked {
  readonly site: string;
  readonly caller: string;
  readonly user?: string | undefined;
  readonly request?: string | undefined;
}

export interface Inference {
  /** UUID of the answer. */
  readonly id: string;
  readonly assessment: Assessment;
  readonly inputs: Inputs;
  readonly entry: AuditEntry;
}

export type Infer = (record: PatientRecord, asked: Asked) => Promise<Inference>;

export function createInference({ log, key, model, now }: InferenceOptions): Infer {
  return async ({ patient, reference, observations }, asked) => {
    const inputs = readInputs(patient, reference, observations, now());
    const assessment = assess(inputs, asked.site, model.version, model.scorer);
    const id = randomUUID();
    const entry = await log.append({
      kind: 'inference',
      ...asked,
      patient: keyedDigest(key, reference),
      card: id,
      version: model.version.digest,
      ...outcomeOf(assessment, key),
    });
    return { id, assessment, inputs, entry };
  };
}

function outcomeOf({ answer, abstention }: Assessment, key: Uint8Array) {
  if (answer !== undefined) {
    return {
      inputs: keyedDigest(key, digestedInputs(answer)),
      set: [...answer.set],
      probability: answer.probability,
    };
  }
  const missing =
    abstention.why === 'missing' ? abstention.missing.map((pair) => pair.join(' ')).join(', ') : '';
  return { abstained: `${abstention.why}${missing === '' ? '' : `: ${missing}`}`.slice(0, 300) };
}
