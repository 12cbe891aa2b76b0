/** Parses and formats durations, sizes, rates and counts. */

const DURATION_UNITS = new Map([
  ['us', 0.001],
  ['µs', 0.001],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

const SIZE_UNITS = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1024],
  ['kb', 1000],
  ['ki', 1024],
  ['kib', 1024],
  ['m', 1024 ** 2],
  ['mb', 1000 ** 2],
  ['mi', 1024 ** 2],
  ['mib', 1024 ** 2],
  ['g', 1024 ** 3],
  ['gb', 1000 ** 3],
  ['gi', 1024 ** 3],
  ['gib', 1024 ** 3],
  ['t', 1024 ** 4],
  ['tb', 1000 ** 4],
  ['ti', 1024 ** 4],
  ['tib', 1024 ** 4],
]);

/**
 * Milliseconds of `100ms`, `1.5s`, `2m`. The unit is required. @throws Error when the text is not a
 * duration.
 */
export function parseDuration(text: string): number {
  const match = /^(\d+\.?\d*|\.\d+)\s*([a-zµ]+)$/i.exec(text.trim());
  const unit = DURATION_UNITS.get(match?.[2]?.toLowerCase() ?? '');
  if (match === null || unit === undefined) {
    throw new Error(`"${text}" is not a length of time such as 100ms, 10s or 2m`);
  }
  return Number(match[1]) * unit;
}

/** Bytes of `64MiB`, `10MB`, `4096`. @throws Error when the text is not a size. */
export function parseBytes(text: string): number {
  const match = /^(\d+\.?\d*)\s*([a-z]*)$/i.exec(text.trim());
  const unit = SIZE_UNITS.get(match?.[2]?.toLowerCase() ?? '?');
  if (match === null || unit === undefined) {
    throw new Error(`"${text}" is not a size such as 64MiB or 1GB`);
  }
  return Math.round(Number(match[1]) * unit);
}

/** `412 µs`, `8.31 ms`, `1.25 s`, `3 min 20 s`; a dash for undefined. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  if (ms === 0) return '0 ms';
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`;
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  if (ms < 59_950) return `${threeDigits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return joinUnits(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return joinUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return joinUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** `512 B`, `1.50 KiB`, `64.0 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let size = bytes;
  for (const unit of ['KiB', 'MiB', 'GiB']) {
    size /= 1024;
    if (size < 999.5) return `${threeDigits(size)} ${unit}`;
  }
  return `${threeDigits(size / 1024)} TiB`;
}

/** `12,345/s`, `8.25/s`. */
export function formatRate(perSecond: number): string {
  return `${formatNumber(perSecond)}/s`;
}

/** A figure of data with four digits, however small: 0.002474. */
export function formatFigure(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}

/** Three significant digits, and all digits from a hundred on. */
export function formatNumber(number: number): string {
  if (!Number.isFinite(number)) return '–';
  if (Math.abs(number) >= 99.95) return Math.round(number).toLocaleString('en');
  return number === 0 ? '0' : threeDigits(number);
}

/** `99.2 %`; a dash for undefined. A share below one is never shown as 100 %. */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  const percent = share * 100;
  if (share < 1 && percent >= 99.95) return `${Math.floor(percent * 1000) / 1000} %`;
  return `${Number(percent.toFixed(1))} %`;
}

/** How long ago, from two ISO times: `12 s ago`. */
export function formatAge(then: string, now: number): string {
  const ms = now - Date.parse(then);
  if (!Number.isFinite(ms)) return then;
  if (ms < 1000) return 'now';
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} days ago`;
}

function threeDigits(number: number): string {
  const magnitude = Math.abs(number);
  if (magnitude >= 99.95) return number.toFixed(0);
  if (magnitude >= 9.995) return number.toFixed(1);
  return number.toFixed(2);
}

function joinUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
