/** `skein-health verify CARD`: every number of a card, derived again offline. */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api';
import { unreadable } from '@skein/api/file-errors';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { verifyCard } from '../service/verify-card.ts';
import type { Command } from './options.ts';

export const runVerify: Command = async (operands, { data, json }, { stdout }) => {
  const [path, ...others] = operands;
  if (path === undefined || others.length > 0) {
    throw new SkeinError('USAGE', 'verify needs one file: a card, or the answer that holds it.');
  }
  const text = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const { derivation, entry, chain } = await verifyCard(cardOf(text, path), data);
  const { card, answer } = derivation;
  if (json) {
    stdout.write(`${JSON.stringify({ verified: true, card, answer, entry: entry.n, chain })}\n`);
    return 0;
  }
  stdout.write(`Card ${card}, given ${entry.recorded}\n`);
  stdout.write(`  version      ${answer.version}: the file has this digest\n`);
  stdout.write(`  probability  ${answer.probability}: derived again, the same bits\n`);
  stdout.write(
    `  set          {${answer.set.join(', ')}} of ${answer.site}: derived again from its counts\n`,
  );
  stdout.write(`  reasons      ${Object.keys(answer.reasons).length} shares: derived again\n`);
  stdout.write(`  inputs       entry ${entry.n} of ${chain.entries} was made for these\n`);
  stdout.write(`It verifies.\n`);
  return 0;
};

function cardOf(text: Uint8Array, path: string): unknown {
  try {
    return readJson(text, JSON_BOUNDS.stored, 'file');
  } catch (error) {
    throw new SkeinError('HEALTH_CARD', `${path}: ${(error as Error).message}`);
  }
}
