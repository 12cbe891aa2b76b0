/** Periods of budgets, which begin at full minutes, days and months in UTC. */
import type { GenerativeBudget } from '@skein/api';

export interface Period {
  /** Such as `2030-01-31`. */
  readonly name: string;
  /** Ms since the epoch. */
  readonly endsAt: number;
}

export function periodAt(kind: GenerativeBudget['period'], now: number): Period {
  const date = new Date(now);
  const iso = date.toISOString();
  switch (kind) {
    case 'minute':
      return { name: iso.slice(0, 16), endsAt: (Math.floor(now / 60_000) + 1) * 60_000 };
    case 'day':
      return { name: iso.slice(0, 10), endsAt: (Math.floor(now / 86_400_000) + 1) * 86_400_000 };
    case 'month':
      return {
        name: iso.slice(0, 7),
        endsAt: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1),
      };
  }
}
