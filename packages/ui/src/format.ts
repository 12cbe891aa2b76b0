/** Formats numbers and times for people. */

type Maybe<Value> = Value | null | undefined;

export function milliseconds(ms: Maybe<number>): string {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 2000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

export function perSecond(rate: number): string {
  if (rate >= 1000) return `${(rate / 1000).toFixed(1)}k`;
  if (rate >= 100 || Number.isInteger(rate)) return String(Math.round(rate));
  return rate.toFixed(1);
}

/** @param share from 0 to 1. */
export function percent(share: Maybe<number>): string {
  if (share === null || share === undefined) return '–';
  const value = share * 100;
  // 99.97 % must not be shown as 100 %.
  return `${value >= 99.95 && value < 100 ? '99.9' : value.toFixed(value === 100 ? 0 : 1)}%`;
}

export function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** The time of day, with the date unless it is today. @param iso ISO 8601. */
export function clock(iso: string): string {
  const at = new Date(iso);
  const time = at.toLocaleTimeString(undefined, { hour12: false });
  return at.toDateString() === new Date().toDateString()
    ? time
    : `${at.toLocaleDateString()} ${time}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(count: number): string {
  const unit = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), UNITS.length - 1);
  const value = count / 1024 ** unit;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function cores(count: number): string {
  return `${count} core${count === 1 ? '' : 's'}`;
}

/** How long work took, which may be a millisecond or a month. */
export function took(ms: number): string {
  if (ms < 60_000) return milliseconds(ms);
  if (ms >= 3_600_000) return duration(ms);
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
}

/** @param iso ISO 8601. */
export function ago(iso: string, now = Date.now()): string {
  const ms = now - Date.parse(iso);
  return ms < 1000 ? 'just now' : `${duration(ms)} ago`;
}

/** Four digits distinguish two runs; more are noise. */
export function metric(value: Maybe<number>): string {
  if (value === null || value === undefined) return '–';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** `validationLoss` as `validation loss`; `macroF1` as `macro F1`; `auc` as `AUC`. */
export function spaced(name: string): string {
  return name
    .replace(/^(auc|rmse|mae)$/, (short) => short.toUpperCase())
    .replaceAll(/([a-z])([A-Z])(?=[a-z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`)
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2');
}

/** `rolled-back` as `rolled back`. */
export function words(kind: string): string {
  return kind.replaceAll('-', ' ');
}
