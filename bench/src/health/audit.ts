/**
 * Cards whose audit entry is not in the log afterwards. A card names its entry by number and hash. The service is killed with
 * SIGKILL while requests are in flight, and starts again on the same folder; then its disk fills up and is freed.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@skein/onnx';
import {
  fillDisk,
  mountTinyDisk,
  tinyDisk,
} from '../../../packages/state/src/testing/tiny-disk.ts';
import { verifyChain } from '../../../apps/health/src/audit/audit-log.ts';
import { DERIVATION_EXTENSION } from '../../../apps/health/src/fhir/codes.ts';
import type { Derivation } from '../../../apps/health/src/hooks/derivation.ts';
import { auditFolder } from '../../../apps/health/src/service/serve.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { cardIn, openHospital, type Answer, type Hospital } from './service.ts';

const KILLS = 50;
const QUICK_KILLS = 4;
/** Requests in flight. */
const TOGETHER = 8;
/** Cards between two kills, at most. */
const MOST_CARDS = 120;
/** Requests until a full disk refuses one: some still fit into blocks that are allocated. */
const MOST_FITTING = 400;
const SEED = 42;

export const AUDIT: RowGroup = {
  measures: [
    {
      key: 'audit_lost',
      what: `cards without their audit entry after ${KILLS} kill -9 under load (${QUICK_KILLS} with --quick) and a full disk`,
      unit: '',
      target: { atMost: 0 },
    },
  ],
  async measure({ quick, progress }) {
    if (tinyDisk.skip) {
      progress(`audit left out: ${tinyDisk.reason}`);
      return { results: {}, details: { audit: tinyDisk.reason } };
    }
    const kills = quick ? QUICK_KILLS : KILLS;
    progress(`audit: ${kills} kills`);
    const survived = await afterKills(kills);
    progress('audit: a full disk');
    const full = await afterFullDisk();
    return {
      results: { audit_lost: survived.lost + full.lost },
      details: { audit: { kills, survived, full } },
    };
  },
};

/** Hashes of the entries that cards name, by number. */
type Promised = Map<number, string>;

function note(promised: Promised, answer: Answer): void {
  const extension = cardIn(answer)['extension'] as { [DERIVATION_EXTENSION]: Derivation };
  const { entry, hash } = extension[DERIVATION_EXTENSION].audit;
  promised.set(entry, hash);
}

/** @throws SkeinError HEALTH_AUDIT when the chain is not whole. */
async function compared({ dataFolder }: Hospital, promised: Promised) {
  const missing = new Map(promised);
  const { entries } = await verifyChain(auditFolder(dataFolder), ({ n, hash }) => {
    if (missing.get(n) === hash) missing.delete(n);
  });
  return { cards: promised.size, entries, lost: missing.size };
}

async function afterKills(kills: number) {
  const folder = await temporaryFolder();
  try {
    return await killed(await openHospital({ folder: folder.path }), kills);
  } finally {
    await folder.remove();
  }
}

async function killed(hospital: Hospital, kills: number) {
  const promised: Promised = new Map();
  const random = seededRandom(SEED);
  for (let i = 0; i < kills; i++) {
    const service = await hospital.start();
    let left = 1 + Math.floor(random.next() * MOST_CARDS);
    let killing: Promise<void> | undefined;
    const send = async (): Promise<void> => {
      while (killing === undefined) {
        const answer = await hospital.view().catch((error: unknown) => {
          // The service died before its answer was whole.
          if (killing === undefined) throw error;
        });
        if (answer === undefined) return;
        note(promised, answer);
        if (--left === 0) killing = service.kill();
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, send));
    await killing;
  }
  // Opening cuts what the last kill has torn.
  await (await hospital.start()).stop();
  return compared(hospital, promised);
}

async function afterFullDisk() {
  const disk = mountTinyDisk('size=24m');
  try {
    return await filled(disk.folder);
  } finally {
    disk[Symbol.dispose]();
  }
}

async function filled(folder: string) {
  const hospital = await openHospital({ folder });
  const promised: Promised = new Map();
  const ballast = join(folder, 'ballast');
  const service = await hospital.start();
  try {
    note(promised, await hospital.view());
    fillDisk(ballast);
    let refusedWith: number | undefined;
    for (let i = 0; i < MOST_FITTING && refusedWith === undefined; i++) {
      const answer = await hospital.view();
      if (answer.status === 503 || answer.status === 507) refusedWith = answer.status;
      else note(promised, answer);
    }
    if (refusedWith === undefined) throw new Error('The full disk has refused no request.');
    await rm(ballast);
    note(promised, await hospital.view());
    return { ...(await compared(hospital, promised)), refusedWith };
  } finally {
    await service.stop();
  }
}
