/** The limits that each sandbox of this node enforces, and how to get the missing ones. */
import type { SandboxView } from '@skein/api';
import { LIMIT_NAMES } from '@skein/api/implementations';
import { Chip, commands } from '@skein/ui';

export function SandboxCard({ sandbox }: { readonly sandbox: SandboxView }) {
  const { name, available, version = '', untrusted, accounting, limits, network } = sandbox;
  const purpose = untrusted ? 'for untrusted work' : 'for trusted work only';
  return (
    <article class="panel card">
      <h3>
        {`${name} `}
        <Chip tone={available ? 'good' : 'warn'}>{available ? 'works here' : 'missing'}</Chip>
      </h3>
      <small>{available ? `${version}, ${purpose}` : commands(sandbox.reason ?? '')}</small>
      {available ? null : <Fix text={sandbox.fix} />}
      <ul class="holds">
        {Object.entries(limits).map(([limit, { enforced, by, fix }]) => (
          <li data-held={enforced ? '' : undefined}>
            <span>{LIMIT_NAMES[limit] ?? limit}</span>
            <small>{enforced ? by : `not held: ${by}`}</small>
            {enforced ? null : <Fix text={fix} />}
          </li>
        ))}
        {network === undefined ? null : (
          <li data-held={network.none ? '' : undefined}>
            <span>no network</span>
            <small>{network.by}</small>
          </li>
        )}
      </ul>
      {accounting === undefined ? null : <small>{`Usage is counted by ${accounting}.`}</small>}
    </article>
  );
}

function Fix({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <p class="fix">{commands(text)}</p>;
}
