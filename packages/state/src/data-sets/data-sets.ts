/**
 * The versions of data sets, as declarations of the state: a fleet shares them as it shares those.
 *
 * A version never changes, and its number is not given twice: a removed one leaves a mark. Two nodes
 * that add a version at once get two numbers, because a declaration is added only where none is.
 */
import type { DataVersion } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { State } from '../contract.ts';

const KIND = 'data-set';

/** The part of a version that its caller gives. */
export type NewDataVersion = Omit<DataVersion, 'version' | 'createdAt'>;

export interface DataSets {
  /** Adds the next version. The newest one is returned instead where it has the same manifest. */
  add(tenant: string, version: NewDataVersion): Promise<DataVersion>;
  /** Newest first. */
  list(tenant: string, name?: string): Promise<DataVersion[]>;
  /** @throws SkeinError DATA_UNKNOWN. */
  get(tenant: string, name: string, version: string): Promise<DataVersion>;
  /** @throws SkeinError DATA_UNKNOWN. */
  remove(tenant: string, name: string, version: string): Promise<void>;
  /** Digests of the manifests of all tenants. */
  manifests(): Promise<string[]>;
}

interface Stored {
  readonly tenant: string;
  readonly name: string;
  readonly version: string;
  /** Absent: removed. */
  readonly value?: DataVersion;
}

export function createDataSets(
  state: Pick<State, 'declarations' | 'putDeclaration' | 'addDeclaration'>,
): DataSets {
  async function all(): Promise<Stored[]> {
    const records = await state.declarations();
    return records.filter(({ kind }) => kind === KIND).map(({ value }) => value as never as Stored);
  }

  function record({ tenant, name, version, value }: Stored) {
    // A copy without the fields that are undefined, which JSON does not have.
    const plain = JSON.parse(JSON.stringify({ tenant, name, version, value })) as object;
    return {
      kind: KIND,
      name: `${tenant}/${name}@${version}`,
      value: { ...plain },
      updatedAt: new Date().toISOString(),
    };
  }

  async function list(tenant: string, name?: string): Promise<DataVersion[]> {
    return (await all())
      .filter((each) => each.tenant === tenant && (name === undefined || each.name === name))
      .flatMap(({ value }) => (value === undefined ? [] : [value]))
      .sort((a, b) => placeOf(b) - placeOf(a) || Number(b.version) - Number(a.version));
  }

  async function get(tenant: string, name: string, version: string): Promise<DataVersion> {
    const versions = await list(tenant, name);
    const found = versions.find((each) => each.version === version);
    if (found !== undefined) return found;
    const known = versions.map((each) => `@${each.version}`).join(', ');
    throw new SkeinError(
      'DATA_UNKNOWN',
      known === ''
        ? `There is no data set "${name}".`
        : `The data set "${name}" has no version @${version}; it has ${known}.`,
    );
  }

  return {
    list,
    get,
    async add(tenant, given) {
      for (;;) {
        const taken = (await all()).filter(
          (each) => each.tenant === tenant && each.name === given.name,
        );
        const newest = taken.toSorted((a, b) => Number(b.version) - Number(a.version))[0];
        if (newest?.value?.manifest === given.manifest) return newest.value;
        const version = String(Number(newest?.version ?? 0) + 1);
        const value: DataVersion = { ...given, version, createdAt: new Date().toISOString() };
        const added = await state.addDeclaration(
          record({ tenant, name: given.name, version, value }),
        );
        if (added) return value;
      }
    },
    async remove(tenant, name, version) {
      await get(tenant, name, version);
      await state.putDeclaration(record({ tenant, name, version }));
    },
    async manifests() {
      return (await all()).flatMap(({ value }) => (value === undefined ? [] : [value.manifest]));
    },
  };
}

const placeOf = ({ createdAt }: DataVersion): number => Date.parse(createdAt);
