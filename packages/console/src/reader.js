/** Tries a deployment that reads text: an image in, lines with boxes drawn over it. */
import { byId, h, svg } from './dom.js';
import { call } from './feed.js';
import { milliseconds, percent } from './format.js';

/** Whether a deployment takes one encoded image and gives lines with boxes. */
export function reads(view) {
  const { inputs, outputs } = view.signature;
  const has = (name, type) => outputs.some((spec) => spec.name === name && spec.type === type);
  return (
    inputs.length === 1 &&
    inputs[0].type === 'string' &&
    has('text', 'string') &&
    has('confidence', 'float32') &&
    has('box', 'float32')
  );
}

/** @param find the deployment to ask now, or undefined. */
export function openReader(find) {
  const drop = byId('drop');
  byId('file').addEventListener('change', (event) => {
    const [file] = event.target.files;
    if (file !== undefined) void show(file, find());
  });
  for (const type of ['dragover', 'dragleave', 'drop']) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle('over', type === 'dragover');
      const file = type === 'drop' ? event.dataTransfer.files[0] : undefined;
      if (file !== undefined) void show(file, find());
    });
  }
  document.addEventListener('paste', (event) => {
    const file = [...event.clipboardData.files].find((item) => item.type.startsWith('image/'));
    if (file !== undefined && find() !== undefined) void show(file, find());
  });
}

let latest = 0;
let url;

async function show(file, view) {
  const turn = ++latest;
  const status = byId('reader-status');
  byId('lines').replaceChildren();
  status.textContent = `Reading ${file.name || 'the image'} …`;
  if (url !== undefined) URL.revokeObjectURL(url);
  url = URL.createObjectURL(file);
  const image = h('img', { src: url, alt: file.name || 'The pasted image' });
  const picture = byId('picture');
  picture.replaceChildren(image);
  picture.hidden = false;
  try {
    const begun = performance.now();
    const bytes = new Uint8Array(await file.arrayBuffer());
    const lines = await read(view, bytes);
    const took = performance.now() - begun;
    if (turn !== latest) return;
    await image.decode().catch(() => {});
    draw(picture, image, lines);
    const count = lines.length === 1 ? '1 line' : `${lines.length} lines`;
    status.textContent =
      lines.length === 0 ? 'No text was found.' : `${count} in ${milliseconds(took)}.`;
  } catch (error) {
    if (turn !== latest) return;
    status.textContent = error.fix ? `${error.message} ${error.fix}` : error.message;
  }
}

/** One BYTES element is its length in four little-endian bytes, then itself. */
async function read(view, bytes) {
  const header = new TextEncoder().encode(
    JSON.stringify({
      parameters: { binary_data_output: false },
      inputs: [
        {
          name: view.signature.inputs[0].name,
          shape: [1],
          datatype: 'BYTES',
          parameters: { binary_data_size: bytes.length + 4 },
        },
      ],
    }),
  );
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, bytes.length, true);
  const response = await call(`/v2/models/${encodeURIComponent(view.name)}/infer`, {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(header.length),
    },
    body: new Blob([header, length.buffer, bytes]),
  });
  const { outputs } = await response.json();
  const data = Object.fromEntries(
    outputs.map((output) => [output.name, output.data.flat(Infinity)]),
  );
  return data.text.map((text, index) => ({
    text,
    confidence: data.confidence[index],
    corners: data.box.slice(index * 8, index * 8 + 8),
  }));
}

function draw(picture, image, lines) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const boxes = lines.map((line) => svg('polygon', { points: line.corners.join(' ') }));
  const items = lines.map((line) =>
    h(
      'li',
      { tabindex: 0 },
      h('span', null, line.text),
      h('small', { title: 'Confidence' }, percent(line.confidence)),
    ),
  );
  lines.forEach((_, index) => {
    const pair = [boxes[index], items[index]];
    const mark = (on) => () => pair.forEach((element) => element.classList.toggle('marked', on));
    for (const element of pair) {
      element.addEventListener('pointerenter', mark(true));
      element.addEventListener('pointerleave', mark(false));
      element.addEventListener('focus', mark(true));
      element.addEventListener('blur', mark(false));
    }
  });
  picture.append(
    svg('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, ...boxes),
  );
  byId('lines').replaceChildren(...items);
}
