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
    'train: folder with the four processed files of the UCI data; default: generated patients.',
  ),
  seed: withDefault(
    integer('N', 'train: seed for weights, split and row order.', [0, 2 ** 31]),
    '1',
  ),
  clients: text('FILE', 'serve: the issuers that may call, as JSON.'),
  publicUrl: text(
    'URL',
    'serve: public address that tokens name as audience; default: where the service listens.',
  ),
  host: withDefault(text('ADDRESS', 'serve: address to listen on.'), '127.0.0.1'),
  port: withDefault(
    integer('N', 'serve: port to listen on; 0 takes any free one.', [0, 65_535]),
    '4720',
  ),
  tlsCert: text('FILE', 'serve: certificate chain, PEM.'),
  tlsKey: text('FILE', 'serve: private key of --tls-cert, PEM.'),
  redis: text('URL', 'serve: Redis in which replicas share the used tokens.'),
  namespace: withDefault(text('NAME', 'serve: prefix of the keys in that Redis.'), 'health'),
  origins: text('LIST', 'serve: origins of pages that may call, separated by commas.'),
} satisfies Record<string, Option<unknown>>;

export type CommandOptions = OptionValues<typeof OPTIONS>;
