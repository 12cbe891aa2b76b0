import { expect, it } from 'vitest';
import { startFederation } from '../coordinator/testing/federation.ts';
import { ledgerText, verifyLedger } from './verify.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

it('finds an edited byte, a removed entry and a coordinator with another key', async () => {
  const at = await startFederation();
  const { id } = await at.coordinator.start(at.draft);
  await at.coordinator.pause(id, 'maintenance');
  await at.coordinator.resume(id, 'done');
  await at.coordinator.stop(id, 'enough');
  const ledger = await at.coordinator.ledger(id);
  const text = ledgerText(ledger);
  expect(await verifyLedger(text)).toMatchObject({ run: id, entries: 4, rounds: 0 });
  for (let i = 0; i < text.length; i += 3) {
    const edited = text.slice(0, i) + (text[i] === '0' ? '1' : '0') + text.slice(i + 1);
    await expect(verifyLedger(edited), `byte ${i}`).rejects.toEqual(code('LEDGER_INVALID'));
  }
  const cut = { ...ledger, entries: ledger.entries.slice(0, -1) };
  await expect(verifyLedger(ledgerText(cut))).rejects.toEqual(code('LEDGER_INVALID'));
  const coordinator = '0'.repeat(64);
  await expect(verifyLedger(text, { coordinator })).rejects.toEqual(code('LEDGER_INVALID'));
  const seen = { sequence: 1, hash: '0'.repeat(64) };
  await expect(verifyLedger(text, { seen })).rejects.toEqual(code('LEDGER_INVALID'));
});
