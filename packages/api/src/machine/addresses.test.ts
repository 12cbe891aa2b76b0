import { expect, test } from 'vitest';
import { isPublicAddress } from './addresses.ts';

test.each([
  ['this machine', ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '::1', '::']],
  ['neighbours', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::']],
  ['the link, with metadata services', ['169.254.169.254', 'fe80::1', 'fd00:ec2::254']],
  ['a carrier', ['100.64.0.1', '100.127.255.255']],
  ['many at once', ['224.0.0.1', '239.255.255.250', '255.255.255.255', 'ff02::1']],
  [
    'IPv4 written as IPv6',
    ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1'],
  ],
  ['IPv4 within a tunnel', ['2002:7f00:1::', '2001:0:4136:e378:8000:63bf:80ff:fffe']],
  ['documents', ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1']],
  ['nobody', ['', 'localhost', '1.2.3', '0x7f000001', '127.1', '[::1]', '1.2.3.4.5']],
])('an address of %s is not public', (_range, addresses) => {
  for (const address of addresses) expect(isPublicAddress(address), address).toBe(false);
});

test('any other address is public', () => {
  for (const address of [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80b::200e',
  ]) {
    expect(isPublicAddress(address), address).toBe(true);
  }
});
