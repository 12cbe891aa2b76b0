/**
 * Draws the sample images, and writes their lines into `expected.json` in the same folder:
 *
 *   node examples/ocr/images/draw.ts && npx oxfmt examples/ocr/images
 *
 * The files are committed, because drawing needs the fonts DejaVu and Liberation
 * (Debian: fonts-dejavu-core, fonts-liberation), which reading does not.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import type { Label, Scene } from './scene.ts';
import { SCENES } from './scenes.ts';

const PAPER_EDGE = '#c8c8c8';

export function svgOf(scene: Scene): string {
  const { width, height } = scene;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<rect width="${width}" height="${height}" fill="${scene.background}"/>` +
    `${scene.decoration}${scene.labels.map(textElement).join('')}</svg>`
  );
}

/** The content of `expected.json`: the lines of each image, in reading order. */
export function expectedLines(): Record<string, string[]> {
  return Object.fromEntries(
    SCENES.map(({ file, labels }) => [file, labels.map(({ text }) => text)]),
  );
}

async function draw(scene: Scene): Promise<void> {
  let image = sharp(Buffer.from(svgOf(scene))).flatten();
  if (scene.blur !== undefined) image = image.blur(scene.blur);
  if (scene.turned !== undefined) image = image.rotate(scene.turned, { background: PAPER_EDGE });
  if (scene.noise !== undefined) image = await withNoise(image, scene.noise);
  await encoded(image, scene).toFile(join(import.meta.dirname, scene.file));
}

function encoded(image: Sharp, { file, quality = 85 }: Scene): Sharp {
  if (file.endsWith('.jpg')) return image.jpeg({ quality });
  if (file.endsWith('.webp')) return image.webp({ quality });
  return image.png({ compressionLevel: 9, palette: true, colours: 64 });
}

/** Adds the same noise on every run: Box–Muller over a seeded generator. */
async function withNoise(image: Sharp, deviation: number): Promise<Sharp> {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const random = mulberry32(20240117);
  for (let index = 0; index < data.length; index++) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    data[index] = Math.max(0, Math.min(255, Math.round(data[index]! + normal * deviation)));
  }
  return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function textElement({
  x,
  y,
  size,
  text,
  weight,
  fill = '#111',
  family = 'DejaVu Sans',
  anchor = 'start',
}: Label): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return (
    `<text x="${x}" y="${y}" font-family="${family}" font-size="${size}" font-weight="${weight ?? 'normal'}" ` +
    `fill="${fill}" text-anchor="${anchor}">${escaped}</text>`
  );
}

if (import.meta.main) {
  for (const scene of SCENES) await draw(scene);
  const json = `${JSON.stringify(expectedLines(), null, 2)}\n`;
  await writeFile(join(import.meta.dirname, 'expected.json'), json);
}
