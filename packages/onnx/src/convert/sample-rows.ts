/**
 * Rows that a model is compared on where its user has none: drawn around the thresholds and categories that
 * the model itself holds, where a wrong comparison shows.
 */
import type { Random } from '../tensor/random.ts';
import { TEST, type Booster } from './booster.ts';
import { below, next } from './float32.ts';

/** Thresholds kept of one feature. */
const MOST_KEPT = 256;
/** One value in so many is missing. */
const MISSING = 10;

export function sampleRows(booster: Booster, count: number, random: Random): Float32Array {
  const { features } = booster;
  const known = thresholdsOf(booster);
  const rows = new Float32Array(count * features);
  for (let at = 0; at < rows.length; at++) {
    const own = known[at % features]!;
    const pick = Math.floor(random.next() * MISSING);
    if (pick === 0) rows[at] = Number.NaN;
    else if (own.length === 0) rows[at] = random.next() * 4 - 2;
    else rows[at] = near(own, random);
  }
  return rows;
}

/** A threshold, one of its neighbours, or a number between two of them. */
function near(own: readonly number[], random: Random): number {
  const at = Math.floor(random.next() * own.length);
  const value = own[at]!;
  const other = own[Math.min(at + 1, own.length - 1)]!;
  switch (Math.floor(random.next() * 6)) {
    case 0:
      return value;
    case 1:
      return below(value);
    case 2:
      return next(Math.fround(value));
    case 3:
      return value - 1;
    case 4:
      return value + 1.5;
    default:
      return value + (other - value) * random.next();
  }
}

function thresholdsOf({ sum, features }: Booster): readonly number[][] {
  const known: number[][] = Array.from({ length: features }, () => []);
  if (sum.kind === 'linear') return known;
  for (const { test, feature, threshold, categories } of sum.trees) {
    for (const [node, kind] of test.entries()) {
      if (kind === TEST.leaf) continue;
      const own = known[feature[node]!]!;
      if (own.length >= MOST_KEPT) continue;
      if (kind === TEST.member) own.push(...[...categories.get(node)!].slice(0, MOST_KEPT));
      else if (Math.abs(threshold[node]!) < 1e30) own.push(threshold[node]!);
    }
  }
  return known.map((own) => own.sort((one, other) => one - other));
}
