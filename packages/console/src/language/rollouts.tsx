/** Which routes of language models are being replaced, and what that rests on. */
import type { LanguageRolloutView } from '@skein/api';
import { Chip, milliseconds, Table, words, type Of } from '@skein/ui';

export function RouteRollouts({ of }: { readonly of: readonly LanguageRolloutView[] }) {
  return of.map((rollout) => <Rollout key={rollout.model} of={rollout} />);
}

function Rollout({ of }: { readonly of: LanguageRolloutView }) {
  const { model, strategy, from, to, phase, share, copied, reason, candidate, stable, copies } = of;
  const isOver = phase === 'finished' || phase === 'rolled-back';
  const tone = phase === 'rolled-back' ? 'bad' : isOver ? 'good' : 'accent';
  const percent = strategy === 'shadow' ? copied : share;
  return (
    <div data-rollout={model}>
      <div class="head">
        <h3>{`${model}: ${from} → ${to}`}</h3>
        <Chip tone={tone}>{words(phase)}</Chip>
        <Chip tone="plain">{isOver ? strategy : `${strategy}, ${Math.round(percent)} %`}</Chip>
      </div>
      <p class="why">{reason}</p>
      <Table titles={['Route', 'Requests', 'Failed', 'Late', 'First token, p99']}>
        <tbody>
          <SideRow name={to} of={candidate} />
          <SideRow name={from} of={stable} />
        </tbody>
      </Table>
      {strategy === 'shadow' ? (
        <p class="muted">
          {`${copies.sent} copies for $${copies.costUsd.toFixed(4)}, ${copies.skipped} skipped for want of a place or of budget.`}
        </p>
      ) : null}
    </div>
  );
}

function SideRow({ name, of }: Of<LanguageRolloutView['candidate']> & { readonly name: string }) {
  const { requests, errors, late, ttftP99Ms } = of;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{requests}</td>
      <td>{errors}</td>
      <td>{late}</td>
      <td>{ttftP99Ms === null ? '–' : milliseconds(ttftP99Ms)}</td>
    </tr>
  );
}
