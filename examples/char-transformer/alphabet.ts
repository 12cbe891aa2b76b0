/** Characters as the numbers that a model takes. */

export interface Alphabet {
  /** All characters, each once; the place of one is its number. */
  readonly characters: string;
  /** @throws Error that names the first character which is not in the alphabet. */
  encode(text: string): number[];
}

export function alphabetOf(text: string): Alphabet {
  const characters = [...new Set(text)].sort().join('');
  const numbers = new Map(Array.from(characters, (character, number) => [character, number]));
  return {
    characters,
    encode: (words) =>
      Array.from(words, (character) => {
        const number = numbers.get(character);
        if (number !== undefined) return number;
        throw new Error(`The model has no ${JSON.stringify(character)}.`);
      }),
  };
}
