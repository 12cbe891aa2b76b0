/**
 * Numbers with a decimal comma, such as `1.234,5`, as spreadsheets of many countries write them along with
 * semicolons. One column has one way to write numbers: `1.234` is a thousand where the column has
 * decimal commas, and little more than one where it has points.
 */
export interface DecimalCommas {
  /** A reader for the numbers of one column. */
  column(): (text: string) => number | undefined | 'mixed';
  /** Whether a number had one. */
  seen(): boolean;
}

const COMMA = /^[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+(e[+-]?\d+)?$/i;
const THOUSANDS = /^[+-]?\d{1,3}(\.\d{3})+$/;

export function decimalCommas(): DecimalCommas {
  let seen = false;
  return {
    column() {
      let way: 'comma' | 'point' | undefined;
      return (given) => {
        const text = given.trim();
        if (COMMA.test(text) || (way === 'comma' && THOUSANDS.test(text))) {
          if (way === 'point') return 'mixed';
          way = 'comma';
          seen = true;
          return Number(text.replaceAll('.', '').replace(',', '.'));
        }
        const number = text === '' ? NaN : Number(text);
        if (!Number.isFinite(number)) return undefined;
        if (!text.includes('.')) return number;
        if (way === 'comma') return 'mixed';
        way = 'point';
        return number;
      };
    },
    seen: () => seen,
  };
}
