/** The options of `skein-health`: read, checked, and explained in its usage. */
import {
  flag,
  integer,
  text,
  withDefault,
  type Option,
  type OptionValues,
} from '@skein/cli/command-line';

export interface Terminal {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly signal: AbortSignal;
}

export type Command = (
  operands: readonly string[],
  options: CommandOptions,
  terminal: Terminal,
) => Promise<number>;

export const OPTIONS = {
  data: withDefault(text('FOLDER', 'Versions, audit log and used tokens.'), '.skein-health'),
  json: flag('JSON in place of text.'),
  rows: text(
    'FOLDER',
    'Of train: the four processed files of the UCI data; default: generated patients.',
  ),
  seed: withDefault(
    integer('N', 'Of train: seed for weights, split and row order.', [0, 2 ** 31]),
    '1',
  ),
  clients: text('FILE', 'Of serve: the issuers that may call, as JSON.'),
  publicUrl: text('URL', 'Of serve: the address that tokens name; default: where it listens.'),
  host: withDefault(text('ADDRESS', 'Of serve: where it listens.'), '127.0.0.1'),
  port: withDefault(integer('N', 'Of serve: its port.', [0, 65_535]), '4720'),
  tlsCert: text('FILE', 'Of serve: certificate chain, PEM.'),
  tlsKey: text('FILE', 'Of serve: its private key, PEM.'),
  redis: text('URL', 'Of serve: where replicas share the tokens that were used.'),
  namespace: withDefault(text('NAME', 'Of serve: of these in the Redis.'), 'health'),
  origins: text('LIST', 'Of serve: origins of pages that may call, separated by commas.'),
} satisfies Record<string, Option<unknown>>;

export type CommandOptions = OptionValues<typeof OPTIONS>;
