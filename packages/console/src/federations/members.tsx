/** The sites of a federation, and its helpers: whether they are here, and what they have done. */
import type { FederationSite, FederationView } from '@skein/api';
import { isOver } from '@skein/api/federations';
import { ActionButton, Chip, confirmed, Table, type Changing, type Of, type Tone } from '@skein/ui';
import { node } from '../node.ts';
import { type Accused, accusationText } from './rounds.ts';

/** Members that are shown: the accused first, then those that are connected. */
const MOST = 100;
/** Phases in which helpers are asked, not sites. */
const OF_HELPERS = new Set(['seeds', 'masks']);

export type Steering = Of<FederationView> & Changing;

export type AllMembers = Steering & { readonly accused: ReadonlyMap<string, Accused> };

type Role = FederationSite['role'];
const WORDS: Readonly<Record<Role, { readonly title: string; readonly none: string }>> = {
  site: { title: 'Sites', none: 'No site has used its invitation yet.' },
  helper: {
    title: 'Helpers',
    none: 'No helper has used its invitation yet; a round needs all of them.',
  },
};

export function Members({ role, ...of }: AllMembers & { readonly role: Role }) {
  const isAccused = ({ pseudonym, revokedAt }: FederationSite): boolean =>
    revokedAt === undefined && of.accused.has(pseudonym);
  const rank = (member: FederationSite): number =>
    2 * Number(isAccused(member)) + Number(member.connected);
  const members = of.of.sites
    .filter((each) => each.role === role)
    .toSorted((a, b) => rank(b) - rank(a));
  const { title, none } = WORDS[role];
  return (
    <section>
      <h3>{title}</h3>
      {members.length === 0 ? (
        <p class="muted">{none}</p>
      ) : (
        <MemberTable members={members.slice(0, MOST)} {...of} />
      )}
      {members.length > MOST ? <p class="muted">{`${MOST} of ${members.length}.`}</p> : null}
    </section>
  );
}

function MemberTable({
  members,
  of,
  accused,
  changed,
  failed,
}: AllMembers & { readonly members: readonly FederationSite[] }) {
  const revoke = (member: FederationSite) => async (): Promise<void> => {
    const answer = await confirmed({
      title: `Revoke ${member.name}?`,
      text: 'Its connection ends, and its key can no longer take part.',
      action: 'Revoke',
    });
    if (answer === undefined) return;
    await node().revokeSite({ id: of.id, key: member.key });
    changed();
  };
  return (
    <Table titles={['Name', 'In the ledger', 'State', 'Plan', '']}>
      <tbody>
        {members.map((member) => {
          const [tone, text] = stateOf(member, of);
          const charge = accused.get(member.pseudonym);
          return (
            <tr key={member.key}>
              <th scope="row">{member.name}</th>
              <td>
                <code title={member.key}>{member.pseudonym}</code>
              </td>
              <td>
                <Chip tone={tone}>{text}</Chip>
                {charge === undefined ? null : <p class="why">{accusationText(charge)}</p>}
              </td>
              <td>{member.accepted ? 'signed' : 'not signed'}</td>
              <td>
                {isOver(of) || member.revokedAt !== undefined ? null : (
                  <ActionButton action={revoke(member)} failed={failed} tone="danger">
                    Revoke
                  </ActionButton>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </Table>
  );
}

function stateOf(member: FederationSite, of: FederationView): readonly [Tone, string] {
  if (member.revokedAt !== undefined) return ['bad', 'revoked'];
  if (isOver(of)) return ['plain', 'ended'];
  if (member.waiting) return ['warn', 'waits for a place'];
  if (!member.accepted) return ['warn', 'has not accepted'];
  if (!member.connected) return ['warn', 'away'];
  const isAsked = (member.role === 'helper') === OF_HELPERS.has(of.phase);
  if (!isAsked || of.phase === 'gather' || of.status === 'paused') return ['plain', 'connected'];
  return member.answered ? ['good', 'answered'] : ['accent', 'working'];
}
