/** Commands in a page: the server of the page gives the program as the attribute `data-program` of `<html>`. */
import { commandsBy } from '@skein/api/commands';

/** @param text in which `skein …` is what the user types. */
export function commands(text: string): string {
  return commandsBy(document.documentElement.dataset['program'] ?? 'skein', text);
}
