/** Numbers and times as people read them. */

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 2000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

export function perSecond(rate) {
  if (rate >= 1000) return `${(rate / 1000).toFixed(1)}k`;
  if (rate >= 100 || Number.isInteger(rate)) return String(Math.round(rate));
  return rate.toFixed(1);
}

export function percent(share) {
  if (share === null || share === undefined) return '–';
  const value = share * 100;
  // 99.97 % must not read as a promise kept to the last request.
  return `${value >= 99.95 && value < 100 ? '99.9' : value.toFixed(value === 100 ? 0 : 1)}%`;
}

export function duration(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

export function clock(iso) {
  const at = new Date(iso);
  const time = at.toLocaleTimeString(undefined, { hour12: false });
  return at.toDateString() === new Date().toDateString()
    ? time
    : `${at.toLocaleDateString()} ${time}`;
}
