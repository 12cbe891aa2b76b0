/** Programs that are typed and not handed in: they stay in this tab until its user signs out. */
const DRAFT = 'skein-judge-draft ';

export const draftOf = (problem: string, language: string): string =>
  `${DRAFT}${problem} ${language}`;

/** The next user of the tab must not find them. */
export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(DRAFT)) sessionStorage.removeItem(key);
  }
}
