/** Messages of secure aggregation, as a site, a server, a helper and a leader read them from the network. */
import { SkeinError } from '@skein/api';
import type { CommitteeContext } from '../../../packages/train/src/secure-aggregation/committee/context.ts';
import {
  readClientHead,
  readClients,
  readMasksHead,
  writeClientHead,
  writeClients,
  writeMasksHead,
} from '../../../packages/train/src/secure-aggregation/committee/messages.ts';
import type { Bytes } from '../../../packages/train/src/secure-aggregation/crypto/suite.ts';
import {
  readConfirmation,
  readDelivery,
  readReveals,
  readRoster,
  readShares,
  readSurvivors,
  writeConfirmation,
  writeDelivery,
  writeReveals,
  writeRoster,
  writeShares,
  writeSites,
} from '../../../packages/train/src/secure-aggregation/pairwise/messages.ts';
import {
  readSiteState,
  writeSiteState,
} from '../../../packages/train/src/secure-aggregation/pairwise/site-state.ts';
import { readEnvelope } from '../../../packages/train/src/secure-aggregation/wire/envelope.ts';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';

const SITES = 11;
const filled = (length: number, byte = 1): Bytes => new Uint8Array(length).fill(byte);
const KEYS = Array.from({ length: SITES }, (_, site) => filled(32, site));
const CONTEXT: CommitteeContext = {
  run: 'fuzz',
  round: 0,
  plan: filled(32),
  roster: KEYS,
  length: 2 ** 16 + 1,
  bits: 20,
  leader: filled(32, 90),
  helpers: [1, 2, 3].map((at) => ({
    identity: filled(32, 100 + at),
    sealing: filled(32, 110 + at),
  })),
  minimum: 2,
};
const ENTRY = { peer: 3, commitments: [filled(16), filled(16, 2)] as const, sealed: filled(82) };

interface Form {
  readonly seed: Bytes;
  /** @returns what was read, written again: the same bytes, or undefined where the form has no writer. */
  readonly again: (bytes: Bytes) => Bytes | undefined;
}

/** The forms; the first byte of an input selects one. */
const FORMS: readonly Form[] = [
  {
    seed: writeRoster([filled(164), filled(164, 2)]),
    again: (bytes) => writeRoster(readRoster(bytes)),
  },
  {
    seed: writeShares({
      seedDigest: filled(32),
      ownCommitment: filled(16),
      entries: [ENTRY, ENTRY],
    }),
    again: (bytes) => writeShares(readShares(bytes)),
  },
  {
    seed: writeDelivery({ sharing: new Set([0, 3, 10]), entries: [ENTRY] }, SITES),
    again: (bytes) => writeDelivery(readDelivery(bytes, SITES), SITES),
  },
  {
    seed: writeConfirmation({ survivors: writeSites([0, 3], SITES), messages: [filled(132)] }),
    again: (bytes) => writeConfirmation(readConfirmation(bytes, SITES)),
  },
  {
    seed: writeReveals(
      new Map([
        [3, filled(33)],
        [7, filled(33)],
      ]),
    ),
    again: (bytes) => writeReveals(readReveals(bytes)),
  },
  {
    seed: writeSites([1, 2, 9], SITES),
    again: (bytes) => writeSites(readSurvivors(bytes, CONTEXT), SITES),
  },
  {
    seed: writeClients([filled(4 + 32 + 3 * 64 + 64 + 64), filled(4 + 32 + 3 * 64 + 64 + 64, 2)]),
    again: (bytes) => writeClients(readClients(bytes, CONTEXT)),
  },
  {
    seed: filled(3 * 64 + 2 * 32),
    again(bytes) {
      const { seeds, digests } = readClientHead(bytes, CONTEXT);
      return writeClientHead(seeds, Uint8Array.from(digests.flatMap((digest) => [...digest])));
    },
  },
  {
    seed: filled(3 * 32),
    again(bytes) {
      const { list, digests } = readMasksHead(bytes, CONTEXT);
      return writeMasksHead(list, Uint8Array.from(digests.flatMap((digest) => [...digest])));
    },
  },
  {
    seed: Uint8Array.of(1, 0, 3, 0, ...filled(32), ...filled(64), ...filled(64)),
    again: (bytes) => void readEnvelope(bytes, { digest: filled(32), phase: 'keys' }),
  },
  {
    seed: new TextEncoder().encode(
      `{"digest":"01","due":"input","sealing":"02","masking":"03","seed":"04","maskingKeys":{"0":"05"},"sealingKeys":{},"graphSeed":"06","ownShare":"07","sharing":[0,1],"held":{},"survivors":""}`,
    ),
    again: (bytes) => void writeSiteState(readSiteState(new TextDecoder().decode(bytes))),
  },
];

export function openSecureSums(): Target {
  return {
    seeds: FORMS.map(({ seed }, at) => Uint8Array.of(at, ...seed)),
    structure: bytesInput([
      '\0\0\0\0',
      '\xff\xff\xff\xff',
      '\x01\0\0\0',
      '{}',
      'ended',
      '__proto__',
    ]),
    refuses: (error) => error instanceof SkeinError && error.code.startsWith('AGGREGATION_'),
    run(input) {
      const form = FORMS[(input[0] ?? 0) % FORMS.length]!;
      const bytes = new Uint8Array(input.subarray(1));
      const again = form.again(bytes);
      if (again !== undefined && Buffer.compare(again, bytes) !== 0) {
        throw new Error('what was read is not what was written');
      }
    },
  };
}
