/** How many matches each redaction has replaced, in a process. It outlives the gateways that count into it. */
export interface RedactionCounts {
  add(name: string, side: 'prompts' | 'answers', matches: number): void;
  of(name: string): { readonly prompts: number; readonly answers: number };
}

export function createRedactionCounts(): RedactionCounts {
  const counts = new Map<string, { prompts: number; answers: number }>();
  return {
    add(name, side, matches) {
      if (matches === 0) return;
      let count = counts.get(name);
      if (count === undefined) counts.set(name, (count = { prompts: 0, answers: 0 }));
      count[side] += matches;
    },
    of: (name) => counts.get(name) ?? { prompts: 0, answers: 0 },
  };
}
