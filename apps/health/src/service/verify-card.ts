/**
 * Derives a card again, without a network: its version from the folder, its numbers from the answers that it
 * carries, its inputs and its set from the audit log, whose chain is checked as a whole.
 */
import { canonical } from '@skein/api/canonical';
import { SkeinError } from '@skein/api';
import { z } from 'zod';
import { keyedDigest, type AuditEntry } from '../audit/audit-entry.ts';
import { verifyChain, type Chain } from '../audit/audit-log.ts';
import { DERIVATION_EXTENSION } from '../fhir/codes.ts';
import { Derivation, digestedInputs } from '../hooks/derivation.ts';
import { answerTo } from '../method/assess.ts';
import { openScorer } from '../method/scorer.ts';
import { loadVersion } from '../training/version-store.ts';
import { auditFolder, readAuditKey } from './serve.ts';

const CardFile = z.looseObject({
  uuid: z.uuid(),
  extension: z.looseObject({ [DERIVATION_EXTENSION]: Derivation }),
});

export interface VerifiedCard {
  readonly derivation: Derivation;
  readonly entry: AuditEntry;
  readonly chain: Chain;
}

/**
 * @param given a card as the service answered it, or an answer with one card.
 * @param root the data folder.
 * @throws SkeinError HEALTH_CARD naming the first difference; HEALTH_VERSION, HEALTH_AUDIT.
 */
export async function verifyCard(given: unknown, root: string): Promise<VerifiedCard> {
  const { uuid, derivation } = cardIn(given);
  const { answer, audit } = derivation;
  if (uuid !== derivation.card) throw differs('its uuid', 'the derivation belongs to another card');
  const { version, model } = await loadVersion(root, answer.version);
  const scorer = await openScorer(model);
  try {
    const again = answerTo(answer.answers, answer.uncertain, answer.site, version, scorer);
    if (again.answer === undefined)
      throw differs('its answer', `the version abstains (${again.abstention.why})`);
    for (const field of Object.keys(answer) as (keyof typeof answer)[]) {
      const [stated, derived] = [canonical(answer[field]), canonical(again.answer[field])];
      if (stated !== derived)
        throw differs(field, `the card states ${stated}, and ${derived} follows`);
    }
  } finally {
    scorer.close();
  }
  const key = await readAuditKey(root);
  let entry: AuditEntry | undefined;
  const chain = await verifyChain(auditFolder(root), (each) => {
    if (each.n === audit.entry) entry = each;
  });
  if (entry === undefined) throw differs('its audit entry', `the log has no entry ${audit.entry}`);
  if (entry.hash !== audit.hash)
    throw differs('its audit entry', `entry ${audit.entry} has another hash`);
  const { facts } = entry;
  if (facts.kind !== 'inference' || facts.card !== uuid || facts.version !== answer.version) {
    throw differs('its audit entry', `entry ${audit.entry} belongs to another card`);
  }
  if (facts.inputs !== keyedDigest(key, digestedInputs(answer))) {
    throw differs('its inputs', `entry ${audit.entry} was made for other ones`);
  }
  if (canonical(facts.set) !== canonical(answer.set) || facts.probability !== answer.probability) {
    throw differs('its set', `entry ${audit.entry} records another one`);
  }
  return { derivation, entry, chain };
}

function cardIn(given: unknown): { uuid: string; derivation: Derivation } {
  const cards = (given as { cards?: unknown } | null)?.cards;
  const card = CardFile.safeParse(Array.isArray(cards) && cards.length === 1 ? cards[0] : given);
  if (!card.success) {
    const { path, message } = card.error.issues[0]!;
    throw new SkeinError(
      'HEALTH_CARD',
      `This is no card of this service: ${[...path, message].join(': ')}.`,
    );
  }
  return {
    uuid: card.data.uuid,
    derivation: card.data.extension[DERIVATION_EXTENSION],
  };
}

const differs = (what: string, why: string) =>
  new SkeinError('HEALTH_CARD', `The card cannot be derived again, by ${what}: ${why}.`);
