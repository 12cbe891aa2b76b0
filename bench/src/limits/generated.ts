/**
 * `node bench/src/limits/generated.ts [SEED] [SECONDS] [PATTERN]`: the longest turn of the event loop by one
 * generated request, for each face whose name matches, and the memory that sixty of them of one tenant take.
 *
 * A turn is processor time of the main thread. A request above the bound is sent twice more, and
 * its least counts: a garbage collection in one of them is no cost of the request.
 */
import { type Face, type Places, turnOf } from './face.ts';
import { federationFaces } from './faces/federation.ts';
import { fleetFaces } from './faces/fleet.ts';
import { type Random, seeded } from './faces/grammar.ts';
import { jsonFaces } from './faces/json.ts';
import { packageFaces } from './faces/packages.ts';
import { stateFaces } from './faces/state.ts';
import { tensorFaces } from './faces/tensors.ts';
import { withPlaces } from './places.ts';

const FACES: readonly Face[] = [
  ...tensorFaces,
  ...jsonFaces,
  ...federationFaces,
  ...fleetFaces,
  ...stateFaces,
  ...packageFaces,
];

/** Bound of every request, in milliseconds. */
const TURN_BOUND_MS = 80;
/** Above this a turn is measured again. */
const REPEATED_MS = 40;
/** Requests of one tenant at once. */
const REQUESTS = 60;
/** The part of the memory for bodies that is counted (`packages/http/src/bodies/body-budget.ts`). */
const COUNTED_PART = 3 / 4;

interface GeneratedResult {
  /** By the name of the face. */
  readonly turns: Readonly<Record<string, number>>;
  /** Memory over idle, as a part of the tenant's share. */
  readonly tenantShare: number;
}

export async function measureGenerated(
  seconds: number,
  seed: number,
  progress: (line: string) => void,
  pattern = /./,
): Promise<GeneratedResult> {
  const faces = FACES.filter(({ name }) => pattern.test(name));
  return withPlaces(async (places) => {
    const turns = await longestTurns(places, faces, seconds, seeded(seed), progress);
    const tenants = FACES.filter(({ hasTenant }) => hasTenant);
    const tenantShare = await shareOfTenant(places, tenants, seeded(seed));
    progress(`${REQUESTS} requests of one tenant: ${tenantShare.toFixed(2)} of its share`);
    return { turns, tenantShare };
  });
}

async function longestTurns(
  places: Places,
  faces: readonly Face[],
  seconds: number,
  random: Random,
  progress: (line: string) => void,
): Promise<Record<string, number>> {
  const turns: Record<string, number> = Object.fromEntries(faces.map(({ name }) => [name, 0]));
  // Code that runs for the first time is compiled.
  for (const face of faces) await face.make(random).send(places);
  const until = performance.now() + seconds * 1000;
  for (let count = 0; performance.now() < until; count++) {
    const face = faces[count % faces.length]!;
    const sent = face.make(random);
    let { ms, status } = await turnOf(places, sent, face);
    const longest = turns[face.name]!;
    for (let again = 0; again < 2 && ms > Math.max(REPEATED_MS, longest); again++) {
      ms = Math.min(ms, (await turnOf(places, sent, face)).ms);
    }
    if (ms <= longest) continue;
    turns[face.name] = ms;
    const mib = (sent.bytes / 2 ** 20).toFixed(1);
    progress(`${face.name}: ${ms.toFixed(0)} ms, ${sent.what}, ${mib} MiB, answer ${status}`);
  }
  return turns;
}

async function shareOfTenant(
  places: Places,
  faces: readonly Face[],
  random: Random,
): Promise<number> {
  const { node } = places;
  const { id } = (await node.client.listKeys()).keys[0]!;
  const { usage } = await node.client.getKey({ id });
  const limit = usage.find(({ name }) => name === 'bodies')?.limit;
  if (limit === undefined) throw new Error('The node shows no limit of bodies.');
  const largest = faces.map((face) => {
    const made = Array.from({ length: 20 }, () => face.make(random));
    return made.reduce((one, other) => (one.bytes > other.bytes ? one : other));
  });
  const idle = await node.memory();
  await node.peakMemory();
  const sent = Array.from({ length: REQUESTS }, (_, index) => largest[index % largest.length]!);
  await Promise.all(sent.map((each) => each.send(places)));
  return ((await node.peakMemory()) - idle) / (limit / COUNTED_PART);
}

if (import.meta.main) {
  const [seed = '1', seconds = '60', pattern = ''] = process.argv.slice(2);
  const { turns } = await measureGenerated(
    Number(seconds),
    Number(seed),
    console.log,
    new RegExp(pattern),
  );
  if (Object.values(turns).some((ms) => ms > TURN_BOUND_MS)) process.exitCode = 1;
}
