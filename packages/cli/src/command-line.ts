/** Options and arguments as values, for other command lines: parsed, checked and explained by them. */
export type { OptionValues } from './command.ts';
export { optionRows, section } from './help.ts';
export { choice, flag, integer, manyArguments, text, value, withDefault } from './option.ts';
export { PLAIN } from './output/style.ts';
export { parseArguments } from './parse.ts';
