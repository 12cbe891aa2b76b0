/** Tries a deployment that reads text: an image in, lines with boxes drawn over it. */
import { texts, type OutputTensor } from '@skein/api/client';
import type { DeploymentView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { explanationOf, milliseconds, percent } from '@skein/ui';
import { useEffect, useRef, useState } from 'preact/hooks';
import { node } from '../node.ts';
import './reader.css';

interface Line {
  readonly text: string;
  readonly confidence: number;
  /** Four corners, x and y in turn, in pixels of the image. */
  readonly corners: readonly number[];
}

interface Shown {
  readonly url: string;
  readonly name: string;
  readonly status: string;
  readonly lines: readonly Line[];
}

/** Whether a deployment takes one encoded image and gives lines with boxes. */
export function reads({ signature: { inputs, outputs } }: DeploymentView): boolean {
  const has = (name: string, type: string): boolean =>
    outputs.some((spec) => spec.name === name && spec.type === type);
  return (
    inputs.length === 1 &&
    inputs[0]?.type === 'string' &&
    has('text', 'string') &&
    has('confidence', 'float32') &&
    has('box', 'float32')
  );
}

export function Reader({ view }: { readonly view: DeploymentView }) {
  const [shown, setShown] = useState<Shown>();
  const [over, setOver] = useState(false);
  const latest = useRef(0);

  async function show(file: File): Promise<void> {
    const turn = ++latest.current;
    const name = file.name || 'the image';
    const url = URL.createObjectURL(file);
    setShown((before) => {
      if (before !== undefined) URL.revokeObjectURL(before.url);
      return { url, name, status: `Reading ${name} …`, lines: [] };
    });
    const begun = performance.now();
    const [status, lines] = await read(view, file).then(
      (found) => [summary(found.length, performance.now() - begun), found] as const,
      (error: unknown) => [failure(error), []] as const,
    );
    if (turn === latest.current) setShown({ url, name, status, lines });
  }

  useEffect(() => {
    const pasted = (event: ClipboardEvent): void => {
      const files = [...(event.clipboardData?.files ?? [])];
      const image = files.find(({ type }) => type.startsWith('image/'));
      if (image !== undefined) void show(image);
    };
    document.addEventListener('paste', pasted);
    return () => document.removeEventListener('paste', pasted);
  }, [view.name]);

  return (
    <section id="reader" aria-labelledby="reader-title">
      <h2 id="reader-title">Read an image</h2>
      <div class="panel reader">
        <label
          class={over ? 'drop over' : 'drop'}
          id="drop"
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(false);
            const file = event.dataTransfer?.files[0];
            if (file !== undefined) void show(file);
          }}
        >
          <input
            type="file"
            id="file"
            accept="image/png,image/jpeg,image/webp"
            onChange={({ currentTarget: { files } }) => {
              const file = files?.[0];
              if (file !== undefined) void show(file);
            }}
          />
          <span class="drop-text">
            <strong>Drop an image here</strong>, paste one, or choose a file.
            <small>PNG, JPEG or WebP; it goes to this node and nowhere else.</small>
          </span>
          {shown === undefined ? null : <Picture key={shown.url} shown={shown} />}
        </label>
        <div class="lines">
          <p id="reader-status" role="status" class="muted">
            {shown?.status ?? 'The lines will appear here.'}
          </p>
          <ol id="lines">
            {shown?.lines.map(({ text, confidence }, index) => (
              <li
                tabIndex={0}
                onPointerEnter={() => mark(index, true)}
                onPointerLeave={() => mark(index, false)}
                onFocus={() => mark(index, true)}
                onBlur={() => mark(index, false)}
              >
                <span>{text}</span>
                <small title="Confidence">{percent(confidence)}</small>
              </li>
            ))}
          </ol>
        </div>
      </div>
    </section>
  );
}

function Picture({ shown: { url, name, lines } }: { readonly shown: Shown }) {
  const [size, setSize] = useState<readonly [width: number, height: number]>();
  return (
    <span class="picture" id="picture">
      <img
        src={url}
        alt={name}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
          setSize([naturalWidth, naturalHeight])
        }
      />
      {size === undefined ? null : (
        <svg viewBox={`0 0 ${size[0]} ${size[1]}`} aria-hidden="true">
          {lines.map(({ corners }, index) => (
            <polygon
              points={corners.join(' ')}
              onPointerEnter={() => mark(index, true)}
              onPointerLeave={() => mark(index, false)}
            />
          ))}
        </svg>
      )}
    </span>
  );
}

/** A line and its box stand out together. */
function mark(index: number, on: boolean): void {
  const line = document.querySelectorAll('#lines li')[index];
  const box = document.querySelectorAll('#picture polygon')[index];
  for (const element of [line, box]) element?.classList.toggle('marked', on);
}

function summary(count: number, tookMs: number): string {
  if (count === 0) return 'No text was found.';
  return `${count === 1 ? '1 line' : `${count} lines`} in ${milliseconds(tookMs)}.`;
}

function failure(error: unknown): string {
  return error instanceof SkeinError ? explanationOf(error) : String(error);
}

async function read({ name, signature }: DeploymentView, file: File): Promise<Line[]> {
  const input = signature.inputs[0]?.name ?? '';
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { outputs } = await node().infer(name, {
    [input]: { type: 'string', shape: [1], data: [bytes] },
  });
  const numbers = (output: string): number[] => [
    ...((outputs[output]?.data as Float32Array | undefined) ?? []),
  ];
  const confidence = numbers('confidence');
  const box = numbers('box');
  return texts(outputs['text'] as OutputTensor & { type: 'string' }).map((text, index) => ({
    text,
    confidence: confidence[index] ?? 0,
    corners: box.slice(index * 8, index * 8 + 8),
  }));
}
