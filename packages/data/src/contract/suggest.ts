/** A contract that a table keeps, from its profile: a draft to edit. */
import { stringify } from 'yaml';
import type { Profile } from '../profile/result.ts';
import type { Contract, Property } from './contract.ts';
import { logicalTypeOf } from './rules.ts';

/** A text column with more different values has no list of valid ones. */
const MOST_VALID = 20;
/** With fewer rows, a column is complete or has few values by chance. */
const ENOUGH_ROWS = 20;

export function suggestContract(id: string, { rows, columns, warnings }: Profile): string {
  const isSure = rows >= ENOUGH_ROWS;
  const properties = columns.map((column): Property => {
    const { name, type, kind, missing, values = [] } = column;
    const isUnique = warnings.some((each) => each.kind === 'unique' && each.column === name);
    const isExact = isUnique && !column.approximate.includes('distinct');
    // The profile cuts texts at 100 characters.
    const isListed =
      isSure &&
      kind === 'text' &&
      logicalTypeOf(type) === 'string' &&
      values.length > 0 &&
      values.length <= MOST_VALID &&
      values.every(({ value }) => value.length < 100);
    return {
      name,
      logicalType: logicalTypeOf(type),
      physicalType: type,
      ...(isSure && missing === 0 ? { required: true } : {}),
      ...(isExact ? { unique: true } : {}),
      ...(isListed
        ? {
            quality: [
              {
                metric: 'invalidValues',
                arguments: { validValues: values.map(({ value }) => value) },
                mustBe: 0,
              },
            ],
          }
        : {}),
    };
  });
  const contract: Contract = {
    apiVersion: 'v3.1.0',
    kind: 'DataContract',
    id,
    version: '1.0.0',
    status: 'draft',
    schema: [{ name: 'data', properties, quality: [{ metric: 'rowCount', mustBeGreaterThan: 0 }] }],
  };
  return stringify(contract);
}
