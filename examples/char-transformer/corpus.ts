/**
 * Text by rules: small scenes at a harbour. Its entropy is known, so that it is known how small a loss
 * can become; and the sound at the end of a sentence depends on the animal at its beginning, which a
 * model learns only by looking back over the words between.
 */
import { seededRandom } from '@skein/onnx';

const SOUNDS: Readonly<Record<string, string>> = {
  cat: 'meows',
  dog: 'barks',
  gull: 'screams',
  seal: 'grunts',
  goose: 'honks',
  frog: 'croaks',
};
const ANIMALS = Object.keys(SOUNDS);
const MOODS = ['old', 'quiet', 'hungry', 'lazy', 'wet'];
const DEEDS = ['watches the', 'sleeps beside the', 'walks around the', 'waits for the'];
const THINGS = ['boat', 'fisherman', 'lighthouse', 'net', 'ferry', 'crane'];

/** Nats of choice in one sentence. */
const CHOICE = [ANIMALS, MOODS, DEEDS, THINGS].reduce(
  (sum, { length }) => sum + Math.log(length),
  0,
);

export interface Corpus {
  readonly text: string;
  /** Nats per character: no model that has not seen the text can do better on average. */
  readonly entropy: number;
}

/** @param seed the same text for the same seed. */
export function harbourScenes(sentences: number, seed: number): Corpus {
  const random = seededRandom(seed);
  const one = (words: readonly string[]): string =>
    words[Math.floor(random.next() * words.length)]!;
  let text = '';
  for (let i = 0; i < sentences; i++) {
    const animal = one(ANIMALS);
    text += `the ${one(MOODS)} ${animal} ${one(DEEDS)} ${one(THINGS)} and ${SOUNDS[animal]}.\n`;
  }
  return { text, entropy: (CHOICE * sentences) / text.length };
}

/** Whether a sentence could have been made here. */
export function isScene(sentence: string): boolean {
  const [, mood, animal, deed, thing, sound] =
    /^the (\w+) (\w+) (\w+(?: \w+)? the) (\w+) and (\w+)\.$/.exec(sentence) ?? [];
  return (
    MOODS.includes(mood!) &&
    DEEDS.includes(deed!) &&
    THINGS.includes(thing!) &&
    SOUNDS[animal!] === sound
  );
}
