/** The grounds of the fleet's rollouts: the evidence of each member, and the verdict. */
import type { MemberEvidence, MemberView, RolloutEvidence } from '@skein/api';
import { Chip, milliseconds, Table, useFresh, words, type Tone } from '@skein/ui';
import { node } from '../node.ts';

const OPINIONS: Readonly<Record<MemberEvidence['opinion'], Tone>> = {
  good: 'good',
  bad: 'bad',
  doubtful: 'warn',
  unknown: 'plain',
};

export function Rollouts({ members }: { readonly members: readonly MemberView[] }) {
  const { value } = useFresh({ everyMs: 1000 }, async (signal) => {
    const { deployments } = await node().listDeployments({}, { signal });
    const rolled = deployments.filter(({ rollout }) => rollout !== undefined);
    const found = await Promise.all(
      rolled.map(async ({ name }) => {
        const { evidence } = await node().rolloutEvidence({ name }, { signal });
        return { name, evidence };
      }),
    );
    return found.flatMap(({ name, evidence }) => (evidence === null ? [] : [{ name, evidence }]));
  });
  return (
    <section>
      <h2>Rollouts</h2>
      {value === undefined || value.length === 0 ? (
        <div class="panel empty">
          <p>No rollout since this node has started.</p>
        </div>
      ) : (
        value.map(({ name, evidence }) => (
          <Evidence key={name} name={name} evidence={evidence} members={members} />
        ))
      )}
    </section>
  );
}

function Evidence({
  name,
  evidence,
  members,
}: {
  readonly name: string;
  readonly evidence: RolloutEvidence;
  readonly members: readonly MemberView[];
}) {
  const { rollout, leader, opinion, reason, step, steps } = evidence;
  const called = new Map(members.map((member) => [member.id, member.name]));
  const nameOf = (id: string): string => {
    const known = called.get(id);
    return known === undefined ? id : `${known} ${id.slice(0, 8)}`;
  };
  const isOver = rollout.phase === 'finished' || rollout.phase === 'rolled-back';
  const tone = rollout.phase === 'rolled-back' ? 'bad' : isOver ? 'good' : 'accent';
  return (
    <div data-rollout={name}>
      <div class="head">
        <h3>{`${name}: version ${rollout.fromVersion} → ${rollout.toVersion}`}</h3>
        <Chip tone={tone}>{words(rollout.phase)}</Chip>
        {isOver ? null : (
          <Chip tone="plain">{`step ${step + 1} of ${steps.length}: ${rollout.share} %`}</Chip>
        )}
        {isOver ? null : <Chip tone={OPINIONS[opinion]}>{opinion}</Chip>}
      </div>
      <p class="why">{isOver ? rollout.reason : `${reason}. ${rollout.reason}.`}</p>
      {leader === null ? null : <p class="muted">{`Decided by ${nameOf(leader)}.`}</p>}
      <Table
        titles={['Member', 'Requests', 'Failed', 'Late', 'Odd', 'p99, new', 'p99, old', 'Seen']}
      >
        <tbody>
          {evidence.members.map((each) => (
            <EvidenceRow key={each.member} of={each} name={nameOf(each.member)} step={step} />
          ))}
        </tbody>
      </Table>
    </div>
  );
}

function EvidenceRow({
  of: { member, state, step, candidate, stable, opinion, reason },
  name,
  step: current,
}: {
  readonly of: MemberEvidence;
  readonly name: string;
  readonly step: number;
}) {
  const isBehind = step !== null && step !== current;
  return (
    <tr data-evidence={member}>
      <th scope="row">
        {name} {state === 'ready' ? null : <Chip tone="warn">{state}</Chip>}
        {isBehind ? <Chip tone="plain">{`at step ${step + 1}`}</Chip> : null}
      </th>
      <td>{candidate?.requests ?? ''}</td>
      <td>{candidate?.errors ?? ''}</td>
      <td>{candidate?.late ?? ''}</td>
      <td>{candidate?.odd ?? ''}</td>
      <td>{candidate === null ? '' : milliseconds(candidate.p99Ms)}</td>
      <td>{stable === null ? '' : milliseconds(stable.p99Ms)}</td>
      <td class="why">
        <Chip tone={OPINIONS[opinion]}>{opinion}</Chip> {reason}
      </td>
    </tr>
  );
}
