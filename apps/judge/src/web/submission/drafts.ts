/** Programs that are typed and not handed in: they stay in this tab until its user signs out. */
const DRAFT = 'skein-judge-draft ';

const keyOf = (problem: string, language: string): string => `${DRAFT}${problem} ${language}`;

export const draftOf = (problem: string, language: string): string =>
  sessionStorage.getItem(keyOf(problem, language)) ?? '';

export function keepDraft(problem: string, language: string, text: string): void {
  const key = keyOf(problem, language);
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // The browser keeps some 10 MB: a larger text is no draft.
    sessionStorage.removeItem(key);
  }
}

/** The next user of the tab must not find them. */
export function dropDrafts(): void {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(DRAFT)) sessionStorage.removeItem(key);
  }
}
