/** Files of a publisher as a device reads them: signed metadata, manifests, and recipes of deltas. */
import { SkeinError } from '@skein/api/errors';
import { mlp, writeModel } from '@skein/onnx';
import { parseManifest } from '../../../packages/edge/src/bundle/manifest.ts';
import { smallPublisher } from '../../../packages/edge/src/bundle/testing/small-bundle.ts';
import { makeDelta } from '../../../packages/edge/src/delta/make-delta.ts';
import { followRecipe } from '../../../packages/edge/src/delta/recipe.ts';
import { parseMetadata, ROLES, type Role } from '../../../packages/edge/src/trust/metadata.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import type { Target } from '../engine/target.ts';

const refuses = (error: unknown): boolean =>
  error instanceof SkeinError && ['EDGE_UNTRUSTED', 'EDGE_BUNDLE_INVALID'].includes(error.code);
const owned = (input: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(input);

/** @returns files of a place with two versions, by their paths. */
async function published(): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const publisher = await smallPublisher();
  for (const seed of [1, 2]) {
    await publisher.pack(new Uint8Array(writeModel(mlp({ sizes: [4, 16, 3], seed }))));
  }
  return publisher.place.files;
}

export async function openEdgeMetadata(): Promise<Target> {
  const files = await published();
  const roleOf = (path: string): Role | undefined =>
    ROLES.find((role) => path === `${role}.json` || path.endsWith(`.${role}.json`));
  const seeds = [...files].filter(([path]) => roleOf(path) !== undefined).map(([, bytes]) => bytes);
  return {
    seeds,
    structure: jsonInput(),
    refuses,
    run(input) {
      // Only its own role can accept a file.
      let last: unknown;
      for (const role of ROLES) {
        try {
          return parseMetadata(role, owned(input));
        } catch (error) {
          if (!refuses(error)) throw error;
          last = error;
        }
      }
      throw last;
    },
  };
}

export async function openEdgeManifests(): Promise<Target> {
  const files = await published();
  const seeds = [...files]
    .filter(([path]) => path.startsWith('targets/'))
    .map(([, bytes]) => bytes);
  return {
    seeds,
    structure: jsonInput(),
    refuses,
    run: (input) => parseManifest(owned(input)),
  };
}

export function openEdgeDeltas(): Target {
  const [parent, target, other] = [1, 2, 3].map((seed) =>
    owned(writeModel(mlp({ sizes: [4, 16, 3], seed }))),
  );
  const { length } = target!;
  return {
    seeds: [makeDelta(parent!, target!), makeDelta(parent!, parent!), makeDelta(other!, target!)],
    structure: bytesInput(['\x04', '\xff\xff\xff\xff\x7f', '\x00\x01\x00']),
    refuses,
    run(input) {
      const found = followRecipe(parent!, input, length);
      if (found.length !== length) throw new Error(`${found.length} bytes instead of ${length}`);
    },
  };
}
