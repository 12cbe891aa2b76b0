/**
 * Tokens of an image, before its provider has counted them.
 *
 * Which of the published rules a provider follows depends on the model behind it, which an upstream of
 * OpenAI's form does not name. The worst case is the largest of all rules for the size of the image; an
 * image whose size cannot be read here, such as one by its address, may fill the context of the model.
 */

/** In pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export interface ImageTokens {
  /** Undefined: no rule bounds them. */
  readonly most: number | undefined;
  /** The middle of the rules. */
  readonly expected: number;
}

type Rule = (size: ImageSize) => number;

const grid = ({ width, height }: ImageSize, cell: number): number =>
  Math.ceil(width / cell) * Math.ceil(height / cell);

/** Shrunk to fit into a square, and then to a shorter side. */
function fitted({ width, height }: ImageSize, square: number, shorter: number): ImageSize {
  const inSquare = Math.min(1, square / Math.max(width, height));
  const scale = inSquare * Math.min(1, shorter / (inSquare * Math.min(width, height)));
  return { width: Math.ceil(width * scale), height: Math.ceil(height * scale) };
}

const RULES: readonly Rule[] = [
  // Gemini: tiles of 768 pixels.
  (size) => 258 * grid(size, 768),
  // Gemini, where it crops: tiles of two thirds of the shorter side.
  (size) => 258 * grid(size, Math.max(1, Math.floor(Math.min(size.width, size.height) / 1.5))),
  // Gemini 3, at the highest resolution of media.
  () => 2240,
  // OpenAI, by tiles of 512 pixels: the dearest model is GPT-4o mini.
  (size) => 2833 + 5667 * grid(fitted(size, 2048, 768), 512),
  // OpenAI, by patches of 32 pixels: the largest number of patches, and the largest factor.
  (size) => Math.ceil(2.46 * Math.min(10_000, grid(size, 32))),
  // Qwen-VL, by patches of 28 pixels; a server may be set to more of them than by default.
  (size) => grid(size, 28),
];

/** An image of 3072 × 3072 pixels in Gemini's tiles. */
const UNKNOWN = 258 * 16;

/** @param url of an image part. */
export function imageTokens(url: string): ImageTokens {
  const size = imageSizeOf(url);
  if (size === undefined) return { most: undefined, expected: UNKNOWN };
  const tokens = RULES.map((rule) => rule(size)).toSorted((a, b) => a - b);
  return { most: tokens.at(-1), expected: tokens[RULES.length >> 1]! };
}

/** A camera's JPEG has up to some 64 KiB of other data, and profiles, before its size. */
const HEAD_BYTES = 256 * 1024;

/** @returns undefined for an address, another format than PNG, JPEG and WebP, and what cannot be read. */
export function imageSizeOf(url: string): ImageSize | undefined {
  const [prefix] = /^data:[^,]{0,200};base64,/i.exec(url) ?? [];
  if (prefix === undefined) return undefined;
  const start = prefix.length;
  const head = Buffer.from(url.slice(start, start + Math.ceil((HEAD_BYTES * 4) / 3)), 'base64');
  try {
    const size = pngSize(head) ?? jpegSize(head) ?? webpSize(head);
    return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined;
  } catch {
    // Cut off: a read past its end.
    return undefined;
  }
}

const has = (bytes: Buffer, at: number, text: string): boolean =>
  bytes.toString('latin1', at, at + text.length) === text;

function pngSize(bytes: Buffer): ImageSize | undefined {
  if (!has(bytes, 0, '\u0089PNG\r\n\u001A\n') || !has(bytes, 12, 'IHDR')) return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** Whether a marker begins a frame; the markers of tables (C4, C8, CC) do not. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** From one segment to the next, up to the frame. */
function jpegSize(bytes: Buffer): ImageSize | undefined {
  if (bytes.readUInt16BE(0) !== 0xff_d8) return undefined;
  for (let at = 2; bytes.readUInt8(at) === 0xff;) {
    const marker = bytes.readUInt8(at + 1);
    if (isFrame(marker)) {
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    }
    // FF may be repeated before a marker; the scan is past every frame header.
    if (marker === 0xff) at += 1;
    else if (marker === 0xda) return undefined;
    else at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}

function webpSize(bytes: Buffer): ImageSize | undefined {
  if (!has(bytes, 0, 'RIFF') || !has(bytes, 8, 'WEBP')) return undefined;
  if (has(bytes, 12, 'VP8X')) {
    return { width: 1 + bytes.readUIntLE(24, 3), height: 1 + bytes.readUIntLE(27, 3) };
  }
  if (has(bytes, 12, 'VP8 ')) {
    return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
  }
  if (!has(bytes, 12, 'VP8L')) return undefined;
  const packed = bytes.readUInt32LE(21);
  return { width: 1 + (packed & 0x3fff), height: 1 + ((packed >>> 14) & 0x3fff) };
}
