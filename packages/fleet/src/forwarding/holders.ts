/** Which members hold a version, by what they publish with their leases. */
import type { Member } from '@skein/state';

export type FleetMember = Pick<Member, 'incarnation' | 'address' | 'loaded'>;

export interface Holders {
  /** Incarnations of other members with this deployment loaded. */
  of(deployment: string, version: string | undefined): readonly string[];
}

export function holdersAmong(members: readonly FleetMember[], self: string | undefined): Holders {
  const byVersion = new Map<string, string[]>();
  const add = (key: string, incarnation: string): void => {
    const list = byVersion.get(key) ?? [];
    if (!list.includes(incarnation)) list.push(incarnation);
    byVersion.set(key, list);
  };
  for (const { incarnation, address, loaded } of members) {
    if (incarnation === self || address === '') continue;
    for (const { model, version } of loaded) {
      add(model, incarnation);
      add(`${model}\n${version}`, incarnation);
    }
  }
  return {
    of: (deployment, version) =>
      byVersion.get(version === undefined ? deployment : `${deployment}\n${version}`) ?? [],
  };
}
