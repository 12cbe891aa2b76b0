/** Picture → text, with the place of each answer next to it. */
import { Chip, milliseconds, percent, Table, useStore } from '@skein/ui';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Answered } from '../read-text.ts';
import { read, start, state, update, type Model, type State, type Where } from './device.ts';
import { imageDataOf, rasterOf } from './picture.ts';

export function App() {
  const shown = useStore(state);
  const [where, setWhere] = useState<Where>('device');
  useEffect(() => void start(), []);
  return (
    <>
      <header>
        <span class="brand">Skein</span>
        <h1 class="muted">Read text on this device</h1>
        <span class="status" role="status">
          <Chip tone={shown.isOffline ? 'good' : 'plain'}>
            {shown.isOffline ? 'Works offline' : 'Installing'}
          </Chip>
        </span>
      </header>
      <main class="ocr">
        <Source where={where} setWhere={setWhere} isReading={shown.isReading} />
        <p class="trouble" role="alert" hidden={shown.trouble === ''}>
          {shown.trouble}
        </p>
        <div class="result">
          <Picture {...shown} />
          <Lines {...shown} />
        </div>
        {shown.text === undefined ? null : <Answers of={shown.text.answers} />}
        <Installed {...shown} />
      </main>
    </>
  );
}

const CHOICES: readonly (readonly [Where, string, string])[] = [
  ['device', 'This device', 'Pictures are private: nothing of them is sent.'],
  [
    'either',
    'Device or node',
    'The node answers when the device is not ready, or too slow for the deadline of the bundle.',
  ],
];

function Source({
  where,
  setWhere,
  isReading,
}: {
  readonly where: Where;
  readonly setWhere: (where: Where) => void;
  readonly isReading: boolean;
}) {
  const [hasCamera, setCamera] = useState(false);
  const pick = useRef<HTMLInputElement>(null);
  const sample = async (): Promise<Blob> => (await fetch('/sample.png')).blob();
  return (
    <section class="panel source">
      <div class="bar">
        <button
          type="button"
          class="primary"
          disabled={isReading}
          onClick={() => pick.current?.click()}
        >
          Choose a picture
        </button>
        <input
          ref={pick}
          type="file"
          id="file"
          hidden
          accept="image/*"
          onChange={({ currentTarget }) => {
            const file = currentTarget.files?.[0];
            currentTarget.value = '';
            if (file !== undefined) void read(rasterOf(file), where);
          }}
        />
        <button type="button" id="camera" onClick={() => setCamera(!hasCamera)}>
          {hasCamera ? 'Close the camera' : 'Use the camera'}
        </button>
        <button
          type="button"
          id="sample"
          disabled={isReading}
          onClick={() => void read(sample().then(rasterOf), where)}
        >
          Try an invoice
        </button>
        <fieldset class="switch">
          <legend>Where to read</legend>
          {CHOICES.map(([value, label]) => (
            <label>
              <input
                type="radio"
                name="where"
                value={value}
                checked={where === value}
                onChange={() => setWhere(value)}
              />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <p class="muted">{CHOICES.find(([value]) => value === where)![2]}</p>
      {hasCamera ? <Camera where={where} isReading={isReading} /> : null}
    </section>
  );
}

function Camera({ where, isReading }: { readonly where: Where; readonly isReading: boolean }) {
  const video = useRef<HTMLVideoElement>(null);
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isClosed = false;
    const open = async (): Promise<void> => {
      const wanted = { facingMode: 'environment', width: { ideal: 1920 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
      if (isClosed) stream.getTracks().forEach((track) => track.stop());
      else video.current!.srcObject = stream;
    };
    open().catch((error: Error) => setTrouble(`The camera cannot be used: ${error.message}.`));
    return () => {
      isClosed = true;
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  return (
    <div class="camera">
      {trouble === '' ? null : <p class="trouble">{trouble}</p>}
      <video ref={video} autoplay muted playsinline />
      <button
        type="button"
        id="shoot"
        disabled={isReading}
        onClick={() => void read(rasterOf(video.current!), where)}
      >
        Read what it shows
      </button>
    </div>
  );
}

function Picture({ picture, text, isReading }: State) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (picture === undefined || canvas.current === null) return;
    canvas.current.width = picture.width;
    canvas.current.height = picture.height;
    const context = canvas.current.getContext('2d')!;
    context.putImageData(imageDataOf(picture), 0, 0);
    context.strokeStyle = getComputedStyle(canvas.current).getPropertyValue('--box');
    context.lineWidth = Math.max(1.5, picture.width / 500);
    for (const { quad } of text?.lines ?? []) {
      context.beginPath();
      for (const { x, y } of quad) context.lineTo(x, y);
      context.closePath();
      context.stroke();
    }
  }, [picture, text]);
  return (
    <section class="panel picture" aria-busy={isReading}>
      {picture === undefined ? (
        <p class="muted empty">The picture appears here, with a box around each line.</p>
      ) : (
        <canvas ref={canvas} role="img" aria-label="The picture, with a box around each line" />
      )}
    </section>
  );
}

function Lines({ text, isReading }: State) {
  const whole = text?.lines.map((line) => line.text).join('\n') ?? '';
  return (
    <section class="panel lines">
      <div class="title">
        <h2>Text</h2>
        {text === undefined ? null : (
          <>
            <span class="muted">
              {`${text.lines.length} lines in ${milliseconds(text.tookMs)}`}
            </span>
            <button type="button" onClick={() => void navigator.clipboard.writeText(whole)}>
              Copy
            </button>
          </>
        )}
      </div>
      {text === undefined ? (
        <p class="muted">{isReading ? 'Reading …' : 'No picture has been read yet.'}</p>
      ) : text.lines.length === 0 ? (
        <p class="muted">There is no text in this picture.</p>
      ) : (
        <ol id="text">
          {text.lines.map((line) => (
            <li>
              <span>{line.text}</span>
              <span class="muted" title="Confidence">
                {percent(line.confidence)}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

const NAMES = { local: 'Device', remote: 'Node' } as const;

function Answers({ of }: { readonly of: readonly Answered[] }) {
  return (
    <section id="answers">
      <h2>Answers</h2>
      <Table titles={['Model', 'Where', 'Version', 'Calls', 'Time', 'Why']}>
        <tbody>
          {of.map(({ model, where, version, calls, tookMs, why }) => (
            <tr>
              <td>{model}</td>
              <td>
                <Chip tone={where === 'local' ? 'good' : 'accent'}>{NAMES[where]}</Chip>
              </td>
              <td>{version}</td>
              <td>{calls}</td>
              <td>{milliseconds(tookMs)}</td>
              <td>{why}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </section>
  );
}

function Installed({ models, isUpdating, updates }: State) {
  const isPersistent = models.find((model) => model.isPersistent !== undefined)?.isPersistent;
  return (
    <section id="installed">
      <div class="title">
        <h2>Installed</h2>
        <button type="button" id="update" disabled={isUpdating} onClick={() => void update()}>
          {isUpdating ? 'Looking for updates …' : 'Look for updates'}
        </button>
      </div>
      <Table titles={['Model', 'Version', 'Computes on', 'Failed versions']}>
        <tbody>
          {models.map((model) => (
            <tr>
              <td>{model.name}</td>
              <td>{model.version ?? 'none'}</td>
              <td>{backendOf(model)}</td>
              <td>
                {model.failed.length === 0
                  ? 'none'
                  : model.failed.map(({ version, reason }) => `${version}: ${reason}`).join('; ')}
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      <p class="muted" id="updates">
        {`${updates === '' ? '' : `${updates}. `}${
          isPersistent === false ? 'The browser may delete the bundles where space is short.' : ''
        }`}
      </p>
    </section>
  );
}

function backendOf({ runsOn }: Model): string {
  if (runsOn === undefined) return 'nothing';
  const { backend, threads, why } = runsOn;
  const name =
    backend === 'webgpu'
      ? 'WebGPU'
      : `WebAssembly, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return why === undefined ? name : `${name} (${why})`;
}
