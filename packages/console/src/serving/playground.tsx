/** Tries any deployment: a form made from its signature, its answer, and equivalent code. */
import type { DeploymentView } from '@skein/api';
import { texts, type InferAnswer, type InputTensor, type OutputTensor } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { Empty, explanationOf, Heading, linkTo, milliseconds, useStore } from '@skein/ui';
import { useRef, useState } from 'preact/hooks';
import { deployments, node, session } from '../node.ts';
import {
  canSend,
  curlOf,
  initialInput,
  numbersIn,
  tensorOf,
  typeScriptOf,
  type Fill,
  type GivenFile,
  type Sent,
  type Spec,
  type TypedInput,
} from './tensor-input.ts';
import './playground.css';
import type { ViewProps } from '../view.ts';

/** Elements of an output that are shown. */
const SHOWN = 100;

export function Playground({ route, focus }: ViewProps) {
  const all = [...useStore(deployments).values()].map(({ view }) => view);
  const [wanted] = route.parts;
  const current =
    all.find(({ name }) => name === wanted) ?? (wanted === undefined ? all[0] : undefined);
  const loaded = useRef<DeploymentView | undefined>(undefined);
  if (current !== undefined && hasSignature(current)) loaded.current = current;
  // A node that starts again has no signatures yet: what was typed for the one before stays.
  const view = current?.name === loaded.current?.name ? loaded.current : current;
  return (
    <section>
      <div class="head">
        <Heading focus={focus}>Playground</Heading>
        {all.length === 0 ? null : (
          <select
            aria-label="Deployment"
            value={view?.name ?? ''}
            onChange={({ currentTarget }) => {
              location.hash = linkTo('try', [currentTarget.value]);
            }}
          >
            {view === undefined ? <option value="">{wanted ?? ''}</option> : null}
            {all.map(({ name }) => (
              <option value={name}>{name}</option>
            ))}
          </select>
        )}
      </div>
      {view === undefined ? (
        <Empty command="skein deploy model.onnx --name risk">
          {wanted === undefined ? 'Nothing is deployed yet.' : `Nothing is deployed as ${wanted}.`}
        </Empty>
      ) : !hasSignature(view) ? (
        <Empty>{`${view.name} is not loaded yet.`}</Empty>
      ) : (
        // A version with other inputs begins with an empty form.
        <Form key={JSON.stringify([view.name, view.signature.inputs])} view={view} />
      )}
    </section>
  );
}

/** A deployment without a version that was ever loaded has an empty one. */
function hasSignature({ signature: { outputs } }: DeploymentView): boolean {
  return outputs.length > 0;
}

type Outcome =
  | { readonly answer: InferAnswer; readonly tookMs: number; readonly sent: readonly Sent[] }
  | { readonly failure: string };

function Form({ view: { name, signature } }: { readonly view: DeploymentView }) {
  const [inputs, setInputs] = useState(() => signature.inputs.map(initialInput));
  const [files, setFiles] = useState<Readonly<Record<string, File | undefined>>>({});
  const [outcome, setOutcome] = useState<Outcome>();
  const [busy, setBusy] = useState(false);
  const unsendable = signature.inputs.find((spec) => !canSend(spec));

  async function send(): Promise<void> {
    if (busy) return;
    setBusy(true);
    try {
      const sent = await Promise.all(
        signature.inputs.map(async (spec, index) => {
          const typed = inputs[index]!;
          const file = typed.fill === 'file' ? await contentOf(files[spec.name]) : undefined;
          return { spec, fill: typed.fill, tensor: tensorOf(spec, { ...typed, file }), file };
        }),
      );
      const begun = performance.now();
      const tensors = Object.fromEntries(
        sent.map(({ spec, tensor }) => [spec.name, tensor as InputTensor]),
      );
      const answer = await node().infer(name, tensors, { classNames: true });
      setOutcome({ answer, tookMs: performance.now() - begun, sent });
    } catch (error) {
      const failure = error instanceof SkeinError ? explanationOf(error) : (error as Error).message;
      setOutcome({ failure });
    }
    setBusy(false);
  }

  if (unsendable !== undefined) {
    return (
      <Empty>{`The input ${unsendable.name} has the type ${unsendable.type}, which a page cannot send.`}</Empty>
    );
  }
  return (
    <>
      <form
        class="panel playground"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        {signature.inputs.map((spec, index) => (
          <Input
            key={spec.name}
            spec={spec}
            typed={inputs[index]!}
            change={(next) => setInputs(inputs.with(index, { ...inputs[index]!, ...next }))}
            choose={(file) => setFiles({ ...files, [spec.name]: file })}
          />
        ))}
        <button type="submit" class="act" aria-disabled={busy}>
          Send
        </button>
      </form>
      <div role="status">{outcome === undefined ? null : <Result of={outcome} name={name} />}</div>
    </>
  );
}

const NUMBER_FILLS: Partial<Record<Fill, string>> = {
  values: 'these values',
  zeros: 'zeros',
  random: 'random from 0 to 1',
};
const TEXT_FILLS: Partial<Record<Fill, string>> = {
  values: 'these texts',
  file: 'the bytes of a file',
};

function Input({
  spec,
  typed,
  change,
  choose,
}: {
  readonly spec: Spec;
  readonly typed: TypedInput;
  readonly change: (next: Partial<TypedInput>) => void;
  readonly choose: (file: File | undefined) => void;
}) {
  const declared = spec.shape.map((size) => size ?? '?').join(', ');
  return (
    <fieldset>
      <legend>
        {spec.name} <small>{`${spec.type} [${declared}]`}</small>
      </legend>
      <label>
        Shape
        <input
          type="text"
          value={typed.shape}
          onInput={({ currentTarget }) => change({ shape: currentTarget.value })}
        />
      </label>
      <label>
        Fill with
        <select
          value={typed.fill}
          onChange={({ currentTarget }) => change({ fill: currentTarget.value as Fill })}
        >
          {Object.entries(spec.type === 'string' ? TEXT_FILLS : NUMBER_FILLS).map(
            ([fill, text]) => (
              <option value={fill}>{text}</option>
            ),
          )}
        </select>
      </label>
      {typed.fill === 'file' ? (
        <label>
          {`File for ${spec.name}`}
          <input
            type="file"
            required
            onChange={({ currentTarget }) => choose(currentTarget.files?.[0])}
          />
        </label>
      ) : null}
      {typed.fill === 'values' ? (
        <label class="wide">
          {`Values of ${spec.name}, as JSON`}
          <textarea
            rows={3}
            spellcheck={false}
            value={typed.values}
            onInput={({ currentTarget }) => change({ values: currentTarget.value })}
          />
        </label>
      ) : null}
    </fieldset>
  );
}

async function contentOf(file: File | undefined): Promise<GivenFile | undefined> {
  return file && { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}

function Result({ of, name }: { readonly of: Outcome; readonly name: string }) {
  if ('failure' in of) return <p class="trouble">{of.failure}</p>;
  const { answer, tookMs, sent } = of;
  const needsKey = session.key.value !== undefined;
  const called = { origin: location.origin, deployment: name, needsKey };
  const version = answer.version === undefined ? '' : `version ${answer.version}, `;
  return (
    <>
      <h3>{`Answer of ${version}after ${milliseconds(tookMs)}`}</h3>
      <div class="panel card outputs-of">
        {Object.entries(answer.outputs).map(([output, tensor]) => (
          <figure>
            <figcaption>
              <strong>{output}</strong>{' '}
              <small>{`${tensor.type} [${tensor.shape.join(', ')}]`}</small>
            </figcaption>
            <pre tabIndex={0}>{elementsOf(tensor)}</pre>
          </figure>
        ))}
      </div>
      <h3>The same from a terminal</h3>
      <pre class="log" tabIndex={0}>
        {curlOf(called, sent)}
      </pre>
      <h3>The same in TypeScript</h3>
      <pre class="log" tabIndex={0}>
        {typeScriptOf(called, sent)}
      </pre>
    </>
  );
}

function elementsOf(tensor: OutputTensor): string {
  const elements =
    tensor.type === 'string'
      ? texts(tensor).map((text) => JSON.stringify(text))
      : Array.from(numbersIn(tensor.type, tensor.shape, tensor.data), String);
  const rest = elements.length > SHOWN ? [`… ${elements.length - SHOWN} more`] : [];
  // A text is often a line; numbers are not.
  return [...elements.slice(0, SHOWN), ...rest].join(tensor.type === 'string' ? ',\n' : ', ');
}
