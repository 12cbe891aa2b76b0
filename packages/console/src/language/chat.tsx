/** Tries a language model: the answer as it is generated, calls of tools, and equivalent code. */
import { milliseconds } from '@skein/ui';
import { useEffect, useRef, useState } from 'preact/hooks';
import { session } from '../node.ts';
import { chatRequest, curlOf, typeScriptOf, type Typed } from './chat-request.ts';
import { readAnswer, type ChatAnswer } from './chat-stream.ts';

const TOOLS = `[{
  "type": "function",
  "function": {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": { "type": "object", "properties": { "city": { "type": "string" } } }
  }
}]`;

export function Chat({ models }: { readonly models: readonly string[] }) {
  const [typed, setTyped] = useState<Typed>({
    model: models[0] ?? '',
    system: '',
    message: 'Greet me in five words.',
    tools: '',
  });
  const [answer, setAnswer] = useState<ChatAnswer>();
  const [failure, setFailure] = useState<string>();
  const running = useRef<AbortController | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  // A person who leaves the page reads no more of the answer, which costs tokens.
  useEffect(() => () => running.current?.abort(), []);
  const change = (next: Partial<Typed>): void => setTyped({ ...typed, ...next });

  async function send(): Promise<void> {
    if (busy) return;
    const leaving = new AbortController();
    running.current = leaving;
    setBusy(true);
    setFailure(undefined);
    setAnswer(undefined);
    try {
      const body = JSON.stringify(chatRequest(typed));
      const begun = performance.now();
      const key = session.key.value;
      const response = await fetch('/v1/chat/completions', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body,
        signal: leaving.signal,
      });
      await readAnswer(response, begun, setAnswer);
    } catch (error) {
      if (!leaving.signal.aborted) setFailure(sentence(error));
    }
    setBusy(false);
  }

  return (
    <section>
      <h2>Playground</h2>
      <form
        class="panel chat"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label>
          Model
          <select
            value={typed.model}
            onChange={({ currentTarget }) => change({ model: currentTarget.value })}
          >
            {models.map((name) => (
              <option value={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          System
          <input
            type="text"
            value={typed.system}
            placeholder="optional"
            onInput={({ currentTarget }) => change({ system: currentTarget.value })}
          />
        </label>
        <label>
          Message
          <textarea
            rows={3}
            value={typed.message}
            onInput={({ currentTarget }) => change({ message: currentTarget.value })}
          />
        </label>
        <details>
          <summary>Tools</summary>
          <label>
            Declarations, as JSON
            <textarea
              rows={8}
              spellcheck={false}
              value={typed.tools}
              placeholder={TOOLS}
              onInput={({ currentTarget }) => change({ tools: currentTarget.value })}
            />
          </label>
        </details>
        <div class="actions">
          <button type="submit" class="act" aria-disabled={busy}>
            Send
          </button>
          <button
            type="button"
            class="act"
            aria-disabled={!busy}
            onClick={() => running.current?.abort()}
          >
            Stop
          </button>
        </div>
      </form>
      <div role="status">
        {failure === undefined ? null : <p class="trouble">{failure}</p>}
        {answer === undefined ? null : <Answer of={answer} />}
      </div>
      <Code of={typed} />
    </section>
  );
}

/** @param error a TypeError where the browser could not reach the node: its words differ by browser. */
function sentence(error: unknown): string {
  return error instanceof TypeError ? 'The server does not answer.' : (error as Error).message;
}

function Answer({ of }: { readonly of: ChatAnswer }) {
  const { text, calls, ttftMs, tokens, cost, provider, finish } = of;
  const facts = [
    ttftMs === undefined ? undefined : `first token after ${milliseconds(ttftMs)}`,
    tokens === undefined ? undefined : `${tokens} tokens`,
    cost === undefined ? undefined : `$${cost.toFixed(6)}`,
    provider === undefined ? undefined : `by ${provider}`,
    finish === undefined ? undefined : `ended by ${finish}`,
  ].filter((fact) => fact !== undefined);
  return (
    <div class="panel answer">
      <p class="text">{text}</p>
      {calls.map((call) => (
        <pre class="log">{`${call.name}(${call.arguments})`}</pre>
      ))}
      <small class="muted">{facts.join(', ')}</small>
    </div>
  );
}

function Code({ of }: { readonly of: Typed }) {
  let request: object;
  try {
    request = chatRequest(of);
  } catch (error) {
    return <p class="trouble">{(error as Error).message}</p>;
  }
  return (
    <>
      <h3>The same from a terminal</h3>
      <pre class="log" tabIndex={0}>
        {curlOf(location.origin, request)}
      </pre>
      <h3>The same in TypeScript</h3>
      <pre class="log" tabIndex={0}>
        {typeScriptOf(location.origin, request)}
      </pre>
    </>
  );
}
