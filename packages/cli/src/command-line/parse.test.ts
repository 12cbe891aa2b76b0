import { SkeinError } from '@skein/api/errors';
import { describe, expect, it } from 'vitest';
import { selectCommand } from '../commands.ts';
import {
  argument,
  bytes,
  choice,
  decimals,
  duration,
  flag,
  integer,
  many,
  optionalArgument,
  range,
  text,
  withDefault,
} from './option.ts';
import { parseArguments } from './parse.ts';
import { editDistance } from './usage.ts';

const specs = {
  arguments: { file: argument('FILE', 'A file.'), second: optionalArgument('SECOND', 'More.') },
  options: {
    name: text('NAME', 'A name.', { short: 'n' }),
    objective: duration('A time.', [1, 10_000]),
    maxBody: withDefault(bytes('A size.'), '64MiB'),
    replicas: range('N..M', 'A range.'),
    isolation: choice(['thread', 'process'], 'A choice.'),
    canary: decimals('5,25', 'Steps.', [1, 100]),
    port: integer('N', 'A port.', [0, 65_535]),
    input: many('X', 'Inputs.', { short: 'i' }),
    shadow: flag('A flag.'),
  },
};

const parse = (...words: string[]) => parseArguments(words, specs).values;

function mistake(...words: string[]): string {
  try {
    parse(...words);
  } catch (error) {
    expect(error).toBeInstanceOf(SkeinError);
    expect((error as SkeinError).code).toBe('USAGE');
    return (error as SkeinError).message;
  }
  throw new Error('it was accepted');
}

describe('parseArguments', () => {
  it('reads options and arguments in any order and spelling', () => {
    const expected = {
      file: 'm.onnx',
      second: undefined,
      name: 'risk',
      objective: 100,
      maxBody: 64 * 1024 ** 2,
      replicas: { min: 1, max: 4 },
      isolation: 'process',
      canary: [5, 25, 100],
      port: 0,
      input: ['a=1', 'b=-2'],
      shadow: true,
    };
    const options = [
      ['--name=risk', '--objective', '100ms', '--replicas=1..4', '--isolation', 'process'],
      ['--canary', '5,25,100', '--port', '0', '-i', 'a=1', '--input=b=-2', '--shadow'],
    ].flat();
    expect(parse('m.onnx', ...options)).toEqual(expected);
    expect(parse(...options, 'm.onnx')).toEqual(expected);
  });

  it('takes the last of an option given twice, and everything after -- as arguments', () => {
    expect(parse('f', '-n', 'a', '-n', 'b')['name']).toBe('b');
    expect(parse('--', '--name', '--x')).toMatchObject({ file: '--name', second: '--x' });
  });

  it('takes a value that begins with a dash', () => {
    expect(parse('f', '-i', '-5')['input']).toEqual(['-5']);
    expect(parse('-')['file']).toBe('-');
  });

  it.each([
    [['f', '--nmae', 'x'], 'Unknown option --nmae. Did you mean "--name"?'],
    [['f', '--zzz'], 'Unknown option --zzz.'],
    [['f', '--name'], '--name needs a value: --name NAME.'],
    [['f', '--name', '--shadow'], '--name needs a value: --name NAME.'],
    [['f', '--shadow=yes'], '--shadow takes no value, but got "yes".'],
    [['f', '--name='], '--name: the value is empty.'],
    [
      ['f', '--objective', '100'],
      '--objective: "100" is not a length of time such as 100ms, 10s or 2m.',
    ],
    [['f', '--objective', '1h'], '--objective: "1h" is not between 1.00 ms and 10.0 s.'],
    [['f', '--port', '70000'], '--port: "70000" is not a whole number from 0 to 65,535.'],
    [['f', '--port', '1e3'], '--port: "1e3" is not a whole number from 0 to 65,535.'],
    [['f', '--replicas', '4..1'], '--replicas: "4..1" is not a number or a range such as 1..4.'],
    [['f', '--isolation', 'vm'], '--isolation: "vm" is not one of thread, process.'],
    [['f', '--canary', '5,,9'], '--canary: "" is not a number from 1 to 100.'],
    [['a', 'b', 'c'], 'Unexpected argument "c".'],
    [[], 'FILE is missing: a file.'],
  ])('explains %j', (words, message) => {
    expect(mistake(...words)).toBe(message);
  });

  it('stops at --help without asking for what is missing', () => {
    expect(parseArguments(['--help'], specs)).toEqual({ values: {}, help: true });
    expect(parseArguments(['-h', '--shadow'], specs).help).toBe(true);
  });
});

describe('selectCommand', () => {
  it('finds commands of one, two and three words', () => {
    expect(selectCommand(['ls', '--json'])).toEqual({ name: 'ls', rest: ['--json'] });
    expect(selectCommand(['queue', 'schedule', 'rm', 'ls'])).toEqual({
      name: 'queue schedule rm',
      rest: ['ls'],
    });
    expect(selectCommand(['--json', 'keys', 'create', 'x'])).toEqual({
      name: 'keys create',
      rest: ['--json', 'x'],
    });
  });

  it('recognises a group, and no command at all', () => {
    expect(selectCommand(['keys'])).toEqual({ group: 'keys', rest: [] });
    expect(selectCommand(['queue', 'schedule', '--json'])).toEqual({
      group: 'queue schedule',
      rest: ['--json'],
    });
    expect(selectCommand(['--help'])).toEqual({ rest: ['--help'] });
  });

  it('suggests what was probably meant', () => {
    expect(() => selectCommand(['dploy'])).toThrow(
      'There is no command "dploy". Did you mean "deploy"?',
    );
    expect(() => selectCommand(['jobz', 'ls'])).toThrow('Did you mean "jobs"?');
    expect(() => selectCommand(['keys', 'lst'])).toThrow(
      /has no command "lst". Did you mean "ls"\?/,
    );
    expect(() => selectCommand(['queue', 'schedule', 'puts'])).toThrow(
      '"skein queue schedule" has no command "puts". Did you mean "put"? It has: ls, put, rm.',
    );
    expect(() => selectCommand(['frobnicate'])).toThrow(/^There is no command "frobnicate".$/);
  });
});

it('counts a swap of adjacent letters as one mistake', () => {
  expect(editDistance('delpoy', 'deploy')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('kitten', 'sitting')).toBe(3);
});
