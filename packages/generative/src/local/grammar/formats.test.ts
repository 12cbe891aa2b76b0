/** The formats of strings, by the readers of Node and of `ajv-formats`, and by naive ones. */
import { isIPv4, isIPv6 } from 'node:net';
import { seededRandom } from '@skein/onnx';
import { expect, it } from 'vitest';
import { FORMATS, formatOf } from './formats.ts';
import { grammarOfSchema } from './json-schema.ts';
import { accepts, randomText } from './testing/texts.ts';
import { FORMAT_READERS } from './testing/format-readers.ts';

const grammarOf = (format: string) => grammarOfSchema({ type: 'string', format });

/** Texts that are in the format, each at an edge of it. */
const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  date: ['2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31', '2023-04-30', '0004-02-29'],
  time: ['00:00:00Z', '23:59:59.999999+23:59', '12:30:00-00:00', '01:02:03.4Z'],
  'date-time': ['2024-02-29T23:59:59Z', '1999-12-31T00:00:00.5+05:30'],
  duration: ['P1Y2M3DT4H5M6S', 'PT0S', 'P4W', 'P1M', 'PT36H', 'P3DT1M', 'PT5M6S', 'P1YT1H'],
  uuid: ['123e4567-e89b-12d3-a456-426614174000', '0190163D-8694-739B-AEA5-966C26F8AD91'],
  ipv4: ['0.0.0.0', '255.255.255.255', '9.10.99.100', '192.168.249.250'],
  ipv6: [
    '::',
    '::1',
    '1::',
    '1:2:3:4:5:6:7::',
    '1::3:4:5:6:7:8',
    '::2:3:4:5:6:7:8',
    '2001:db8::ff00:42:8329',
    '1:2:3:4:5:6:7:8',
    '::ffff:192.0.2.128',
    '1:2:3:4:5:6:1.2.3.4',
    'ABCD::0:f',
  ],
  hostname: ['a', 'localhost', 'web-01.example.com', 'xn--nxasmq6b.example', '3com.com'],
  email: ['a@b.co', "first.o'last+tag@mail-1.example.co.uk", '_@x.y'],
};
const LONG = `${'a'.repeat(63)}.`.repeat(3);

it('are the formats of OpenAI’s structured outputs', () => {
  expect([...FORMATS].toSorted()).toEqual(
    'date date-time duration email hostname ipv4 ipv6 time uuid'.split(' '),
  );
  expect(Object.keys(SAMPLES).toSorted()).toEqual([...FORMATS].toSorted());
});

it.each(FORMATS)('%s: texts of the grammar end, and are read by others', (format) => {
  const grammar = grammarOf(format);
  const { least, most } = formatOf(format)!;
  for (let seed = 0; seed < 60; seed++) {
    const text = JSON.parse(randomText(grammar, seed)) as string;
    expect([text, FORMAT_READERS[format]!(text)]).toEqual([text, true]);
    expect(text.length >= least && text.length <= most).toBe(true);
  }
});

it.each(FORMATS)('%s: holds what others read, and nothing that they do not', (format) => {
  const grammar = grammarOf(format);
  const random = seededRandom(3);
  const below = (count: number): number => Math.floor(random.next() * count);
  const samples = SAMPLES[format]!;
  for (const text of samples) expect([text, accepts(grammar, `"${text}"`)]).toEqual([text, true]);
  for (let round = 0; round < 1000; round++) {
    const sample = samples[below(samples.length)]!;
    const other = samples[below(samples.length)]!;
    const [from, to] = [below(sample.length + 1), below(sample.length + 1)].toSorted(
      (a, b) => a - b,
    );
    const put = ['', other[below(other.length)]!, '0123456789:.-@TZPf+'[below(19)]!][below(3)]!;
    const text = sample.slice(0, from) + put + sample.slice(to! - from! > 3 ? from! + 1 : to!);
    expect([text, accepts(grammar, `"${text}"`)]).toEqual([text, FORMAT_READERS[format]!(text)]);
  }
});

it.each<[string, string]>([
  ['date', '2023-02-29'],
  ['date', '1900-02-29'],
  ['date', '2024-04-31'],
  ['date', '0000-02-29'],
  ['time', '23:59:60Z'],
  ['time', '12:00:00'],
  ['time', '24:00:00Z'],
  ['date-time', '2024-01-01 00:00:00Z'],
  ['duration', 'P'],
  ['duration', 'PT'],
  ['duration', 'P1W1D'],
  ['duration', 'P1Y1D'],
  ['uuid', '123e4567-e89b-92d3-a456-426614174000'],
  ['uuid', '123e4567-e89b-12d3-c456-426614174000'],
  ['ipv4', '256.1.1.1'],
  ['ipv4', '01.1.1.1'],
  ['ipv6', '1::2::3'],
  ['ipv6', '1:2:3:4:5:6:7:8::'],
  ['ipv6', 'fe80::1%eth0'],
  ['hostname', '-a.b'],
  ['hostname', `${'a'.repeat(64)}.b`],
  ['hostname', `${LONG}${'a'.repeat(62)}`],
  ['email', 'a@b'],
  ['email', 'a..b@c.de'],
  ['email', `${'a'.repeat(65)}@b.co`],
])('%s: %s is none', (format, text) => {
  expect(accepts(grammarOf(format), `"${text}"`)).toBe(false);
});

it('bound the length of names', () => {
  const longest = LONG + 'a'.repeat(61);
  expect(longest).toHaveLength(253);
  expect(accepts(grammarOf('hostname'), `"${longest}"`)).toBe(true);
  const [host, mail] = ['hostname', 'email'].map((name) => formatOf(name)!.most);
  expect([host, mail]).toEqual([253, 254]);
});

it('agree with the readers of addresses', () => {
  for (const text of [...SAMPLES['ipv4']!, ...SAMPLES['ipv6']!]) {
    expect(accepts(grammarOf('ipv4'), `"${text}"`)).toBe(isIPv4(text));
    expect(accepts(grammarOf('ipv6'), `"${text}"`)).toBe(isIPv6(text));
  }
});
