/** Naive readers of the formats of strings, for tests and mutated inputs; as narrow as the documentation. */
import { isIPv4, isIPv6 } from 'node:net';

const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) &&
  !text.startsWith('0000') &&
  !Number.isNaN(Date.parse(text)) &&
  new Date(text).toISOString().startsWith(text);

function isTime(text: string): boolean {
  const match = /^(\d\d):(\d\d):(\d\d)(?:\.\d{1,6})?(?:Z|[+-](\d\d):(\d\d))$/.exec(text);
  const [hours = 99, minutes = 0, seconds = 0, zoneHours = 0, zoneMinutes = 0] = (
    match?.slice(1) ?? []
  ).map((each) => Number(each ?? 0));
  return hours < 24 && minutes < 60 && seconds < 60 && zoneHours < 24 && zoneMinutes < 60;
}

/** The next smaller unit alone may follow a unit. */
function isDuration(text: string): boolean {
  if (/^P\d{1,9}W$/.test(text)) return true;
  const [, days, clock] = /^P((?:\d{1,9}[YMD])*)(?:T((?:\d{1,9}[HMS])+))?$/.exec(text) ?? [];
  if (days === undefined || (days === '' && clock === undefined)) return false;
  const units = (part = ''): string => part.replaceAll(/\d/g, '');
  return 'YMD'.includes(units(days)) && 'HMS'.includes(units(clock));
}

const isLabel = (text: string): boolean => /^[a-z0-9-]{1,63}$/i.test(text) && !/^-|-$/.test(text);

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every(isLabel);
}

function isEmail(text: string): boolean {
  const [local = '', host = '', ...more] = text.split('@');
  const atoms = local.split('.');
  return (
    more.length === 0 &&
    local.length <= 64 &&
    text.length <= 254 &&
    atoms.every((atom) => /^[\w!#$%&'*+/=?^`{|}~-]+$/.test(atom)) &&
    host.includes('.') &&
    isHostname(host)
  );
}

function isUuid(text: string): boolean {
  const isShaped = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
  return isShaped && /[1-8]/.test(text[14]!) && /[89ab]/i.test(text[19]!);
}

export const FORMAT_READERS: Readonly<Record<string, (text: string) => boolean>> = {
  date: isDate,
  time: isTime,
  'date-time': (text) => isDate(text.slice(0, 10)) && text[10] === 'T' && isTime(text.slice(11)),
  duration: isDuration,
  uuid: isUuid,
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  hostname: isHostname,
  email: isEmail,
};
