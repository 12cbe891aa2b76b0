/** Options and arguments as values, for other command lines: parsed, checked and explained by them. */
export type { OptionValues } from './command-line/command.ts';
export { optionRows, section } from './command-line/help.ts';
export {
  choice,
  flag,
  integer,
  manyArguments,
  type Option,
  text,
  value,
  withDefault,
} from './command-line/option.ts';
export { PLAIN } from './output/style.ts';
export { didYouMean } from './command-line/usage.ts';
export { parseArguments } from './command-line/parse.ts';
