/**
 * An encoded image becomes a raster of RGB bytes.
 *
 * What a client sends is hostile until shown otherwise, so nothing is decoded before the first bytes
 * name one of three formats and the header claims a size that fits: a file of a few bytes may claim
 * 100,000 × 100,000 pixels. libvips reads the header without touching the pixels.
 */
import { SkeinError } from '@skein/api';
import sharp, { type Metadata, type Sharp } from 'sharp';
import type { Raster, Resize } from './raster.ts';

// No picture comes twice, so what libvips remembers of them would only hold memory.
sharp.cache(false);

/** Pixels that one image may have; 3 bytes each while it is read. */
export const MAX_PIXELS = 50_000_000;

const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const JPEG = Buffer.from([0xff, 0xd8, 0xff]);
const RIFF = Buffer.from('RIFF');
const WEBP = Buffer.from('WEBP');

/**
 * Decodes a PNG, JPEG or WebP file: turned upright by its EXIF orientation, transparent parts
 * on white, grey and CMYK as RGB, the first frame of an animation.
 *
 * @throws SkeinError IMAGE_INVALID when the bytes are none of these, are damaged, or claim more than
 *   `MAX_PIXELS`.
 */
export async function decode(file: Uint8Array): Promise<Raster> {
  const format = formatOf(file);
  if (format === undefined) {
    throw new SkeinError(
      'IMAGE_INVALID',
      `The input is not a PNG, JPEG or WebP file: its ${file.byteLength} bytes ${beginning(file)}.`,
    );
  }
  // This function checks the limit, so that the message can give the size that the file claims.
  const image = sharp(file, { limitInputPixels: false, failOn: 'error', sequentialRead: true });
  const header = await reading(format, image.metadata());
  if (header.width * header.height > MAX_PIXELS) {
    throw new SkeinError(
      'IMAGE_INVALID',
      `The ${format} file claims ${header.width} × ${header.height} pixels; at most ${MAX_PIXELS} are read.`,
    );
  }
  const { data, info } = await reading(
    format,
    upright(image, header).toBuffer({ resolveWithObject: true }),
  );
  return { width: info.width, height: info.height, pixels: data };
}

/** Resizes with a cubic kernel. */
export const resize: Resize = async (raster, width, height) => {
  if (width === raster.width && height === raster.height) return raster;
  const pixels = await sharp(raster.pixels, {
    raw: { width: raster.width, height: raster.height, channels: 3 },
  })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
  return { width, height, pixels };
};

function upright(image: Sharp, header: Metadata): Sharp {
  const turned =
    header.orientation === undefined || header.orientation === 1 ? image : image.autoOrient();
  const opaque = header.hasAlpha ? turned.flatten({ background: '#ffffff' }) : turned;
  return opaque.toColourspace('srgb').raw({ depth: 'uchar' });
}

async function reading<T>(format: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new SkeinError('IMAGE_INVALID', `The ${format} file cannot be decoded: ${reason}.`, {
      cause,
    });
  }
}

function formatOf(file: Uint8Array): 'PNG' | 'JPEG' | 'WebP' | undefined {
  if (startsWith(file, 0, PNG)) return 'PNG';
  if (startsWith(file, 0, JPEG)) return 'JPEG';
  if (startsWith(file, 0, RIFF) && startsWith(file, 8, WEBP)) return 'WebP';
  return undefined;
}

function startsWith(file: Uint8Array, offset: number, signature: Uint8Array): boolean {
  return signature.every((byte, index) => file[offset + index] === byte);
}

function beginning(file: Uint8Array): string {
  if (file.byteLength === 0) return 'are none';
  return `begin with ${Buffer.from(file.subarray(0, 4)).toString('hex')}`;
}
